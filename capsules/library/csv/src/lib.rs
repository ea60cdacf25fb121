//! The `soma/csv` capsule: turns the WIT calls into calls of the rooms below.
//! It holds no state and imports nothing, so it runs with an empty grant.

mod aggregate;
mod cell;
mod convert;
mod describe;
mod query;
mod table;

wit_bindgen::generate!({ path: "wit", world: "csv" });

use table::{Options, Table};

struct Csv;

impl Guest for Csv {
    fn to_json(text: String, format: Option<Format>) -> Result<String, TableError> {
        let options = Options::parse(format)?;
        convert::to_json(&Table::read(&text, &options)?, &options)
    }

    fn from_json(json: String, format: Option<Format>) -> Result<String, TableError> {
        let options = Options::parse(format)?;
        convert::from_json(&json)?.write(&options)
    }

    fn query(text: String, query: Query, format: Option<Format>) -> Result<String, TableError> {
        let options = Options::parse(format)?;
        query::run(Table::read(&text, &options)?, &query)?.write(&options)
    }

    fn aggregate(
        text: String,
        by: Vec<String>,
        measures: Vec<Measure>,
        format: Option<Format>,
    ) -> Result<String, TableError> {
        let options = Options::parse(format)?;
        aggregate::run(&Table::read(&text, &options)?, &by, &measures)?.write(&options)
    }

    fn describe(text: String, format: Option<Format>) -> Result<Vec<ColumnSummary>, TableError> {
        let options = Options::parse(format)?;
        Ok(describe::columns(&Table::read(&text, &options)?))
    }
}

export!(Csv);
