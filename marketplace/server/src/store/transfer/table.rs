//! A table as it is moved: its columns, its key, what it refers to; and the order of all tables.

use std::collections::BTreeSet;

use super::StoreError;

/// What a column holds, on both databases.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Int,
    /// A boolean, which SQLite keeps as a number.
    Flag,
}

impl Kind {
    /// The element type of its column in an array of PostgreSQL.
    pub(super) const fn array(self) -> &'static str {
        match self {
            Self::Text => "text[]",
            Self::Int => "bigint[]",
            Self::Flag => "boolean[]",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Column {
    pub(super) name: String,
    pub(super) kind: Kind,
}

/// One table. Columns stand in the order of their names, so that both databases agree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Table {
    pub(super) name: String,
    pub(super) columns: Vec<Column>,
    /// The primary key: rows are compared in its order.
    pub(super) key: Vec<String>,
    /// Tables that it refers to, itself left out.
    pub(super) parents: BTreeSet<String>,
}

impl Table {
    /// `a, b, c`
    pub(super) fn list(&self) -> String {
        let names: Vec<&str> = self.columns.iter().map(|column| column.name.as_str()).collect();
        names.join(", ")
    }
}

/// How much is in a table, and a digest over all of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TableSum {
    pub(crate) table: String,
    pub(crate) rows: u64,
    pub(crate) digest: String,
}

/// Puts each table behind those that it refers to.
pub(super) fn ordered(mut tables: Vec<Table>) -> Result<Vec<Table>, StoreError> {
    tables.sort_by(|a, b| a.name.cmp(&b.name));
    let mut done: BTreeSet<String> = BTreeSet::new();
    let mut sorted = Vec::with_capacity(tables.len());
    while !tables.is_empty() {
        let (ready, wait): (Vec<Table>, Vec<Table>) =
            tables.into_iter().partition(|table| table.parents.is_subset(&done));
        if ready.is_empty() {
            let names: Vec<&str> = wait.iter().map(|table| table.name.as_str()).collect();
            let what = format!("the tables {} refer to each other in a circle", names.join(", "));
            return Err(StoreError::Schema(what));
        }
        done.extend(ready.iter().map(|table| table.name.clone()));
        sorted.extend(ready);
        tables = wait;
    }
    Ok(sorted)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(name: &str, parents: &[&str]) -> Table {
        let parents = parents.iter().map(|&parent| parent.to_owned()).collect();
        Table { name: name.to_owned(), columns: Vec::new(), key: Vec::new(), parents }
    }

    #[test]
    fn a_table_comes_behind_what_it_refers_to() {
        let tables = vec![table("a", &["c"]), table("b", &["a", "c"]), table("c", &[])];
        let names: Vec<String> = ordered(tables).unwrap().into_iter().map(|it| it.name).collect();
        assert_eq!(names, ["c", "a", "b"]);
    }

    #[test]
    fn a_circle_is_refused_by_name() {
        let said = ordered(vec![table("a", &["b"]), table("b", &["a"])]).unwrap_err().to_string();
        assert!(said.contains("a, b"), "{said}");
    }
}
