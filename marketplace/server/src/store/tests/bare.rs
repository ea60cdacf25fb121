//! The floor of settling: the rows of settled receipts, inserted in batches by the store's own connections into
//! tables that have the same columns and keys, and nothing else: no triggers, no further indexes, no row-level security.
//!
//! It reads what was settled once, and inserts it again and again under other numbers.

use sqlx::postgres::Postgres;
use sqlx::sqlite::Sqlite;
use sqlx::{AssertSqlSafe, Transaction};

use super::rows::WORKER;
use crate::fixture::TestDatabase;
use crate::store::sql::{Row, binds};
use crate::store::{Database, Store};

/// Rows of one statement on SQLite.
const ROWS: usize = 100;
/// How far the numbers of one round lie from those of the one before.
const ROUND: i64 = 1_000_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Int,
    Flag,
    /// The number that each round moves.
    Number,
}

use Kind::{Flag, Int, Number, Text};

struct Table {
    name: &'static str,
    key: &'static str,
    /// The rows of the last so many receipts.
    read: &'static str,
    columns: &'static [(&'static str, Kind)],
}

const TABLES: [Table; 3] = [
    Table {
        name: "bare_settled",
        key: "journal, seq",
        read: "SELECT journal, seq, hash, org, lease_id, terms, notes, asked, receipt, at_ms FROM settled ORDER BY seq DESC LIMIT $1",
        columns: &[
            ("journal", Text),
            ("seq", Number),
            ("hash", Text),
            ("org", Text),
            ("lease_id", Text),
            ("terms", Text),
            ("notes", Text),
            ("asked", Text),
            ("receipt", Text),
            ("at_ms", Int),
        ],
    },
    Table {
        name: "bare_postings",
        key: "n",
        read: "SELECT n, org, cause, currency, at_ms, tenant, author, capsule, environment, installation, forced, reverses, hash \
               FROM postings ORDER BY n DESC LIMIT $1",
        columns: &[
            ("n", Number),
            ("org", Text),
            ("cause", Text),
            ("currency", Text),
            ("at_ms", Int),
            ("tenant", Text),
            ("author", Text),
            ("capsule", Text),
            ("environment", Text),
            ("installation", Text),
            ("forced", Flag),
            ("reverses", Text),
            ("hash", Text),
        ],
    },
    Table {
        name: "bare_transfers",
        key: "n, place",
        read: "SELECT n, place, org, transfer_id, kind, debit, credit, amount, reverses FROM transfers \
               WHERE n > (SELECT max(n) FROM postings) - $1 ORDER BY n DESC",
        columns: &[
            ("n", Number),
            ("place", Int),
            ("org", Text),
            ("transfer_id", Text),
            ("kind", Text),
            ("debit", Text),
            ("credit", Text),
            ("amount", Int),
            ("reverses", Text),
        ],
    },
];

/// One column's values.
enum Values {
    Text(Vec<Option<String>>),
    Int(Vec<i64>),
    Flag(Vec<bool>),
    Number(Vec<i64>),
}

/// Rows that are inserted.
pub(crate) struct Bare {
    store: Store,
    tables: Vec<(&'static Table, Vec<Values>)>,
    round: i64,
}

impl Bare {
    /// The rows of the last `receipts` that were settled, and tables for them.
    pub(crate) async fn of(database: &TestDatabase, store: &Store, receipts: u32) -> Self {
        let mut tables = Vec::new();
        for table in &TABLES {
            database.tamper(&made(table, &database.database)).await;
            let mut unit = store.survey(WORKER).await.unwrap();
            let rows = unit.tx.all(table.read, binds![receipts]).await.unwrap();
            let column = |&(name, kind): &(&'static str, Kind)| values(&rows, name, kind);
            tables.push((table, table.columns.iter().map(column).collect()));
        }
        Self { store: store.clone(), tables, round: 0 }
    }

    /// Rows of all tables together.
    pub(crate) fn rows(&self) -> usize {
        self.tables.iter().map(|(_, columns)| length(columns)).sum()
    }

    /// All of them once more, in one transaction.
    pub(crate) async fn insert(&mut self) {
        self.round += 1;
        let by = self.round * ROUND;
        match self.store.raw() {
            (Some(writer), _) => {
                let mut tx = writer.begin_with("BEGIN IMMEDIATE").await.unwrap();
                for (table, columns) in &self.tables {
                    into_sqlite(&mut tx, table, columns, by).await;
                }
                tx.commit().await.unwrap();
            }
            (None, Some((_, worker))) => {
                let mut tx = worker.begin().await.unwrap();
                for (table, columns) in &self.tables {
                    into_postgres(&mut tx, table, columns, by).await;
                }
                tx.commit().await.unwrap();
            }
            (None, None) => unreachable!("a store is one of the two"),
        }
    }
}

/// Rows of several statements, each of many rows.
async fn into_sqlite(tx: &mut Transaction<'_, Sqlite>, table: &Table, columns: &[Values], by: i64) {
    let all = length(columns);
    for from in (0..all).step_by(ROWS) {
        let rows = from..all.min(from + ROWS);
        let places = vec!["?"; columns.len()].join(", ");
        let places = vec![format!("({places})"); rows.len()].join(", ");
        let sql = format!("INSERT INTO {} ({}) VALUES {places}", table.name, names(table));
        let mut query = sqlx::query(AssertSqlSafe(sql));
        for row in rows {
            for column in columns {
                query = match column {
                    Values::Text(all) => query.bind(all[row].as_deref()),
                    Values::Int(all) => query.bind(all[row]),
                    Values::Flag(all) => query.bind(all[row]),
                    Values::Number(all) => query.bind(all[row] + by),
                };
            }
        }
        query.execute(&mut **tx).await.unwrap();
    }
}

/// All rows in one statement, a column as one array.
async fn into_postgres(
    tx: &mut Transaction<'_, Postgres>,
    table: &Table,
    columns: &[Values],
    by: i64,
) {
    let array = |(at, (_, kind)): (usize, &(&str, Kind))| match kind {
        Text => format!("${}::text[]", at + 1),
        Int | Number => format!("${}::bigint[]", at + 1),
        Flag => format!("${}::boolean[]", at + 1),
    };
    let arrays: Vec<String> = table.columns.iter().enumerate().map(array).collect();
    let (names, arrays) = (names(table), arrays.join(", "));
    let sql = format!("INSERT INTO {} ({names}) SELECT * FROM unnest({arrays})", table.name);
    let mut query = sqlx::query(AssertSqlSafe(sql));
    for column in columns {
        query = match column {
            Values::Text(all) => query.bind(all),
            Values::Int(all) => query.bind(all),
            Values::Flag(all) => query.bind(all),
            Values::Number(all) => query.bind(all.iter().map(|n| n + by).collect::<Vec<i64>>()),
        };
    }
    query.execute(&mut **tx).await.unwrap();
}

/// The statements that make a table.
fn made(table: &Table, database: &Database) -> String {
    let sqlite = matches!(database, Database::Sqlite { .. });
    let column = |(name, kind): &(&str, Kind)| match (kind, sqlite) {
        (Text, true) => format!("{name} TEXT"),
        (Text, false) => format!("{name} TEXT COLLATE \"C\""),
        (Flag, false) => format!("{name} BOOLEAN"),
        (Int | Number, false) => format!("{name} BIGINT"),
        (Int | Number | Flag, true) => format!("{name} INTEGER"),
    };
    let columns: Vec<String> = table.columns.iter().map(column).collect();
    let (name, columns, key) = (table.name, columns.join(", "), table.key);
    let strict = if sqlite { " STRICT" } else { "" };
    let make = format!("CREATE TABLE {name} ({columns}, PRIMARY KEY ({key})){strict}");
    if sqlite { make } else { format!("{make}; GRANT INSERT ON {name} TO soma_worker") }
}

fn names(table: &Table) -> String {
    table.columns.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ")
}

fn values(rows: &[Row], name: &'static str, kind: Kind) -> Values {
    let int = |row: &Row| row.int(name).unwrap();
    match kind {
        Text => Values::Text(rows.iter().map(|row| row.maybe_text(name).unwrap()).collect()),
        Int => Values::Int(rows.iter().map(int).collect()),
        Flag => Values::Flag(rows.iter().map(|row| row.flag(name).unwrap()).collect()),
        Number => Values::Number(rows.iter().map(int).collect()),
    }
}

fn length(columns: &[Values]) -> usize {
    columns.first().map_or(0, |column| match column {
        Values::Text(all) => all.len(),
        Values::Int(all) | Values::Number(all) => all.len(),
        Values::Flag(all) => all.len(),
    })
}
