//! Many rows of one table in few statements: on PostgreSQL one array per column, on SQLite rows of values.
//!
//! Names of tables and columns are static, values are bound: nothing is put together from what came from outside.
//! SQLite keeps a statement that it has seen, so rows are put in by a few sizes and no others.

use sqlx::postgres::Postgres;
use sqlx::sqlite::Sqlite;
use sqlx::{AssertSqlSafe, Transaction};

use super::StoreError;
use super::sql::Tx;

/// Rows of one statement on SQLite. The largest has fewer values than a statement may have (32,766).
const SIZES: [usize; 4] = [128, 32, 8, 1];

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Int,
    Flag,
}

/// A table that rows are put into.
#[derive(Debug)]
pub(super) struct Table {
    pub(super) name: &'static str,
    pub(super) columns: &'static [(&'static str, Kind)],
}

/// One value of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Cell {
    Text(Option<String>),
    Int(i64),
    Flag(bool),
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Self::Text(Some(text))
    }
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Self::Text(Some(text.to_owned()))
    }
}

impl From<Option<String>> for Cell {
    fn from(text: Option<String>) -> Self {
        Self::Text(text)
    }
}

impl From<i64> for Cell {
    fn from(number: i64) -> Self {
        Self::Int(number)
    }
}

impl From<bool> for Cell {
    fn from(flag: bool) -> Self {
        Self::Flag(flag)
    }
}

/// Rows on their way into a table.
#[derive(Debug)]
pub(super) struct Rows {
    table: &'static Table,
    /// Row after row.
    cells: Vec<Cell>,
}

impl Rows {
    pub(super) const fn into(table: &'static Table) -> Self {
        Self { table, cells: Vec::new() }
    }

    /// One row more, in the order of the table's columns.
    pub(super) fn add<const N: usize>(&mut self, row: [Cell; N]) {
        debug_assert_eq!(N, self.table.columns.len(), "`{}` has other columns", self.table.name);
        self.cells.extend(row);
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.cells.is_empty()
    }

    /// Puts them in.
    pub(super) async fn insert(&self, tx: &mut Tx) -> Result<(), StoreError> {
        match tx {
            _ if self.is_empty() => Ok(()),
            Tx::Sqlite(tx) => self.to_sqlite(tx).await,
            Tx::Postgres(tx) => self.to_postgres(tx).await,
        }
    }

    async fn to_sqlite(&self, tx: &mut Transaction<'static, Sqlite>) -> Result<(), StoreError> {
        let width = self.table.columns.len().max(1);
        let mut left = self.cells.as_slice();
        for size in SIZES {
            let text = self.table.values(size);
            while let Some((rows, rest)) = left.split_at_checked(size.saturating_mul(width)) {
                let mut query = sqlx::query(AssertSqlSafe(text.clone()));
                for cell in rows {
                    query = match cell {
                        Cell::Text(text) => query.bind(text.as_deref()),
                        Cell::Int(number) => query.bind(*number),
                        Cell::Flag(flag) => query.bind(*flag),
                    };
                }
                query.execute(&mut **tx).await?;
                left = rest;
            }
        }
        Ok(())
    }

    async fn to_postgres(&self, tx: &mut Transaction<'static, Postgres>) -> Result<(), StoreError> {
        let mut query = sqlx::query(AssertSqlSafe(self.table.arrays()));
        let columns = self.table.columns;
        for (at, (_, kind)) in columns.iter().enumerate() {
            let cells = self.cells.iter().skip(at).step_by(columns.len().max(1));
            query = match kind {
                Kind::Text => query.bind(cells.map(Cell::text).collect::<Vec<Option<&str>>>()),
                Kind::Int => query.bind(cells.map(Cell::int).collect::<Vec<Option<i64>>>()),
                Kind::Flag => query.bind(cells.map(Cell::flag).collect::<Vec<Option<bool>>>()),
            };
        }
        query.execute(&mut **tx).await?;
        Ok(())
    }
}

impl Cell {
    fn text(&self) -> Option<&str> {
        if let Self::Text(text) = self { text.as_deref() } else { None }
    }

    const fn int(&self) -> Option<i64> {
        if let Self::Int(number) = self { Some(*number) } else { None }
    }

    const fn flag(&self) -> Option<bool> {
        if let Self::Flag(flag) = self { Some(*flag) } else { None }
    }
}

impl Table {
    fn names(&self) -> String {
        self.columns.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ")
    }

    /// So many rows of values.
    fn values(&self, rows: usize) -> String {
        let row = format!("({})", vec!["?"; self.columns.len()].join(", "));
        let rows = vec![row.as_str(); rows].join(", ");
        format!("INSERT INTO {} ({}) VALUES {rows}", self.name, self.names())
    }

    /// An array for each column.
    fn arrays(&self) -> String {
        let array = |(at, (_, kind)): (usize, &(&str, Kind))| {
            let kind = match kind {
                Kind::Text => "text",
                Kind::Int => "bigint",
                Kind::Flag => "boolean",
            };
            format!("CAST(${} AS {kind}[])", at.saturating_add(1))
        };
        let arrays: Vec<String> = self.columns.iter().enumerate().map(array).collect();
        let (names, arrays) = (self.names(), arrays.join(", "));
        format!("INSERT INTO {} ({names}) SELECT * FROM unnest({arrays})", self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::on_both_databases;
    use crate::store::PlatformScope;
    use crate::store::sql::binds;

    const JOURNALS: Table = Table {
        name: "journal_leases",
        columns: &[("journal", Kind::Text), ("lease_id", Kind::Text)],
    };
    static TABLE: Table = JOURNALS;

    on_both_databases! {
        async fn every_number_of_rows_arrives_whole_and_in_its_columns(database: TestDatabase) {
            let store = database.store().await;
            let mut unit = store.platform(PlatformScope::of("tests")).await.unwrap();
            let open = "INSERT INTO journals (journal, host, next, head, state, receipts, starts, denials, kills, updated_ms) \
                        VALUES ($1, 'h', 1, 'x', 'good', 0, 0, 0, 0, 0)";
            let mut all = 0;
            for count in [0_usize, 1, 7, 8, 9, 40, 128, 297] {
                let journal = format!("j{count}");
                unit.tx.run(open, binds![&journal]).await.unwrap();
                let mut rows = Rows::into(&TABLE);
                for nth in 0..count {
                    rows.add([journal.as_str().into(), format!("'{nth}\u{20ac}\", ?").into()]);
                }
                rows.insert(&mut unit.tx).await.unwrap();
                let sql = "SELECT COUNT(*) AS n, COUNT(DISTINCT lease_id) AS ids FROM journal_leases WHERE journal = $1";
                let row = unit.tx.one(sql, binds![&journal]).await.unwrap().unwrap();
                assert_eq!((row.count("n").unwrap(), row.count("ids").unwrap()), (count as u64, count as u64));
                all += count as u64;
            }
            let row = unit.tx.one("SELECT COUNT(*) AS n FROM journal_leases", binds![]).await.unwrap().unwrap();
            assert_eq!(row.count("n").unwrap(), all);
            unit.commit().await.unwrap();
            store.close().await;
        }
    }
}
