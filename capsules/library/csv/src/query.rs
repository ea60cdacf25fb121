//! Filter, sort, cut and project one table. Column names are resolved before the first row is
//! looked at, so a misspelt name is an error even for an empty table.

use std::cmp::Ordering;

use crate::table::{Row, Table, cell as at};
use crate::{Comparison, Condition, Query, TableError, cell};

pub(crate) fn run(table: Table, query: &Query) -> Result<Table, TableError> {
    let conditions = query
        .where_
        .iter()
        .map(|condition| Ok((table.column(&condition.column)?, condition)))
        .collect::<Result<Vec<_>, TableError>>()?;
    let keys = query
        .sort
        .iter()
        .map(|key| Ok((table.column(&key.column)?, key.descending.unwrap_or(false))))
        .collect::<Result<Vec<_>, TableError>>()?;
    let columns = selected(&table, &query.select)?;

    let mut rows = table.rows;
    rows.retain(|row| conditions.iter().all(|(column, c)| holds(at(row, *column), c)));
    rows.sort_by(|a, b| order(a, b, &keys));
    let skip = usize::try_from(query.skip.unwrap_or(0)).unwrap_or(usize::MAX);
    let limit = usize::try_from(query.limit.unwrap_or(u64::MAX)).unwrap_or(usize::MAX);
    let rows = rows.into_iter().skip(skip).take(limit);

    let project = |row: &Row| columns.iter().map(|c| at(row, *c).to_owned()).collect::<Row>();
    Ok(Table { header: project(&table.header), rows: rows.map(|row| project(&row)).collect() })
}

fn selected(table: &Table, names: &[String]) -> Result<Vec<usize>, TableError> {
    match names {
        [] => Ok((0..table.header.len()).collect()),
        names => names.iter().map(|name| table.column(name)).collect(),
    }
}

fn order(a: &Row, b: &Row, keys: &[(usize, bool)]) -> Ordering {
    keys.iter()
        .map(|(column, descending)| {
            let found = cell::compare(at(a, *column), at(b, *column));
            if *descending { found.reverse() } else { found }
        })
        .find(|found| found.is_ne())
        .unwrap_or(Ordering::Equal)
}

fn holds(text: &str, condition: &Condition) -> bool {
    let value = condition.value.as_deref().unwrap_or("");
    match condition.is {
        Comparison::Equals => cell::compare(text, value).is_eq(),
        Comparison::Differs => cell::compare(text, value).is_ne(),
        Comparison::Less => cell::compare(text, value).is_lt(),
        Comparison::AtMost => cell::compare(text, value).is_le(),
        Comparison::Greater => cell::compare(text, value).is_gt(),
        Comparison::AtLeast => cell::compare(text, value).is_ge(),
        Comparison::Contains => text.contains(value),
        Comparison::StartsWith => text.starts_with(value),
        Comparison::Empty => text.is_empty(),
        Comparison::Present => !text.is_empty(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SortKey;
    use crate::table::Options;

    const PLANETS: &str = "name,moons,kind\nMars,2,rock\nEarth,1,rock\nJupiter,97,gas\n";

    fn ask(query: Query) -> Result<String, TableError> {
        let options = Options::parse(None)?;
        run(Table::read(PLANETS, &options)?, &query)?.write(&options)
    }

    fn everything() -> Query {
        Query { select: vec![], where_: vec![], sort: vec![], skip: None, limit: None }
    }

    #[test]
    fn rows_are_filtered_sorted_by_number_and_projected() {
        let query = Query {
            select: vec!["moons".into(), "name".into()],
            where_: vec![Condition {
                column: "kind".into(),
                is: Comparison::Equals,
                value: Some("rock".into()),
            }],
            sort: vec![SortKey { column: "moons".into(), descending: None }],
            ..everything()
        };
        assert_eq!(ask(query).unwrap(), "moons,name\r\n1,Earth\r\n2,Mars\r\n");
    }

    #[test]
    fn skip_and_limit_cut_a_page() {
        let query =
            Query { select: vec!["name".into()], skip: Some(1), limit: Some(1), ..everything() };
        assert_eq!(ask(query).unwrap(), "name\r\nEarth\r\n");
    }

    #[test]
    fn a_misspelt_column_names_the_ones_that_there_are() {
        match ask(Query { select: vec!["moon".into()], ..everything() }) {
            Err(TableError::UnknownColumn(names)) => assert_eq!(names, ["name", "moons", "kind"]),
            _ => panic!("an unknown column must be refused"),
        }
    }
}
