//! What each column holds, so that a caller can write a query without seeing the whole table.

use std::collections::HashSet;

use serde_json::Value;

use crate::table::{Table, cell as at};
use crate::{ColumnSummary, cell};

pub(crate) fn columns(table: &Table) -> Vec<ColumnSummary> {
    table.header.iter().enumerate().map(|(column, name)| summary(table, column, name)).collect()
}

fn summary(table: &Table, column: usize, name: &str) -> ColumnSummary {
    let filled: Vec<&str> =
        table.rows.iter().map(|row| at(row, column)).filter(|text| !text.is_empty()).collect();
    ColumnSummary {
        name: name.to_owned(),
        kind: kind(&filled).to_owned(),
        filled: filled.len() as u64,
        empty: (table.rows.len() - filled.len()) as u64,
        distinct: filled.iter().collect::<HashSet<_>>().len() as u64,
        smallest: filled.iter().min_by(|a, b| cell::compare(a, b)).map(|t| (*t).to_owned()),
        largest: filled.iter().max_by(|a, b| cell::compare(a, b)).map(|t| (*t).to_owned()),
    }
}

fn kind(filled: &[&str]) -> &'static str {
    let all = |test: fn(&Value) -> bool| filled.iter().all(|text| test(&cell::typed(text)));
    match filled {
        [] => "empty",
        _ if all(Value::is_number) => "number",
        _ if all(Value::is_boolean) => "boolean",
        _ => "text",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::Options;

    #[test]
    fn kinds_and_bounds_are_told_for_each_column() {
        let options = Options::parse(None).unwrap();
        let table = Table::read("n,b,t,e\n10,true,x,\n9,false,7,\n", &options).unwrap();
        let found = columns(&table);
        let kinds: Vec<_> = found.iter().map(|c| c.kind.as_str()).collect();
        assert_eq!(kinds, ["number", "boolean", "text", "empty"]);
        assert_eq!(found[0].smallest.as_deref(), Some("9"));
        assert_eq!((found[3].filled, found[3].empty), (0, 2));
    }
}
