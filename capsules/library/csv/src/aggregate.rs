//! One row for each group, in the order in which the groups first appear. Empty cells do not
//! count; a sum over text is an error with its line rather than a zero.

use std::collections::{BTreeSet, HashMap};

use crate::table::{Row, Table, cell as at};
use crate::{Measure, Operation, Place, TableError, cell};

pub(crate) fn run(table: &Table, by: &[String], measures: &[Measure]) -> Result<Table, TableError> {
    let keys = by.iter().map(|name| table.column(name)).collect::<Result<Vec<_>, _>>()?;
    let columns =
        measures.iter().map(|m| table.column(&m.column)).collect::<Result<Vec<_>, _>>()?;
    let mut header: Row = by.to_vec();
    header.extend(measures.iter().map(|m| format!("{}_{}", name(m.operation), m.column)));

    let mut rows = Vec::new();
    for (key, members) in groups(table, &keys) {
        let mut row = key;
        for (measure, column) in measures.iter().zip(&columns) {
            row.push(value(table, measure, *column, &members)?);
        }
        rows.push(row);
    }
    Ok(Table { header, rows })
}

/// Groups in order of first appearance, each with the positions of its rows.
fn groups(table: &Table, keys: &[usize]) -> Vec<(Row, Vec<usize>)> {
    let mut found: Vec<(Row, Vec<usize>)> = Vec::new();
    let mut places: HashMap<Row, usize> = HashMap::new();
    for (position, row) in table.rows.iter().enumerate() {
        let key: Row = keys.iter().map(|k| at(row, *k).to_owned()).collect();
        let place = *places.entry(key.clone()).or_insert_with(|| {
            found.push((key, Vec::new()));
            found.len() - 1
        });
        if let Some((_, members)) = found.get_mut(place) {
            members.push(position);
        }
    }
    found
}

fn value(
    table: &Table,
    measure: &Measure,
    column: usize,
    members: &[usize],
) -> Result<String, TableError> {
    let cells = || {
        members
            .iter()
            .filter_map(|m| table.rows.get(*m).map(|row| (*m, at(row, column))))
            .filter(|(_, text)| !text.is_empty())
    };
    let numbers = || cells().map(|(m, text)| number(&measure.column, m, text));
    let count = cells().count();
    Ok(match measure.operation {
        Operation::Count => count.to_string(),
        Operation::Distinct => cells().map(|(_, t)| t).collect::<BTreeSet<_>>().len().to_string(),
        Operation::Sum => numbers().sum::<Result<f64, _>>()?.to_string(),
        Operation::Mean if count == 0 => String::new(),
        Operation::Mean => (numbers().sum::<Result<f64, _>>()? / count as f64).to_string(),
        Operation::Min => pick(cells().map(|(_, t)| t).min_by(|a, b| cell::compare(a, b))),
        Operation::Max => pick(cells().map(|(_, t)| t).max_by(|a, b| cell::compare(a, b))),
    })
}

fn pick(text: Option<&str>) -> String {
    text.unwrap_or_default().to_owned()
}

fn number(column: &str, row: usize, text: &str) -> Result<f64, TableError> {
    cell::float(text).ok_or_else(|| {
        TableError::NotANumber(Place {
            line: row as u64 + 2,
            column: Some(column.to_owned()),
            reason: format!("`{text}` is not a number"),
        })
    })
}

fn name(operation: Operation) -> &'static str {
    match operation {
        Operation::Count => "count",
        Operation::Sum => "sum",
        Operation::Mean => "mean",
        Operation::Min => "min",
        Operation::Max => "max",
        Operation::Distinct => "distinct",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::Options;

    fn table(text: &str) -> Table {
        Table::read(text, &Options::parse(None).unwrap()).unwrap()
    }

    fn measure(operation: Operation) -> Measure {
        Measure { column: "moons".into(), operation }
    }

    #[test]
    fn groups_keep_their_first_order_and_skip_empty_cells() {
        let table = table("kind,moons\nrock,1\ngas,97\nrock,2\nrock,\n");
        let measures =
            [measure(Operation::Count), measure(Operation::Sum), measure(Operation::Mean)];
        let found = run(&table, &["kind".into()], &measures).unwrap();
        assert_eq!(found.header, ["kind", "count_moons", "sum_moons", "mean_moons"]);
        assert_eq!(found.rows, [["rock", "2", "3", "1.5"], ["gas", "1", "97", "97"]]);
    }

    #[test]
    fn without_a_group_there_is_one_row() {
        let found = run(&table("moons\n3\n12\n"), &[], &[measure(Operation::Max)]).unwrap();
        assert_eq!(found.rows, [["12"]]);
    }

    #[test]
    fn a_sum_over_text_names_the_line() {
        match run(&table("moons\n3\nmany\n"), &[], &[measure(Operation::Sum)]) {
            Err(TableError::NotANumber(place)) => assert_eq!(place.line, 3),
            _ => panic!("text must not be summed"),
        }
    }
}
