//! What tables a SQLite file has, read from the file itself, and whether they are those that we know.

use std::collections::BTreeSet;

use sqlx::{AssertSqlSafe, Row as _, SqliteConnection};

use super::table::{Column, Kind, Table, ordered};
use super::{OWN, StoreError, checked};
use crate::store::retention::RETENTION;

const TABLES: &str = "SELECT name, sql FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name";

/// The tables of a file in the order in which they are moved; refused unless they are those of the list.
pub(super) async fn tables(file: &mut SqliteConnection) -> Result<Vec<Table>, StoreError> {
    let rows = sqlx::query(TABLES).fetch_all(&mut *file).await?;
    let mut tables = Vec::new();
    let mut found = BTreeSet::new();
    for row in rows {
        let (name, text): (String, String) = (row.try_get(0)?, row.try_get(1)?);
        let name = checked(&name)?.to_owned();
        found.insert(name.clone());
        if !OWN.contains(&name.as_str()) {
            tables.push(table(file, name, &text).await?);
        }
    }
    let known: BTreeSet<String> = RETENTION.iter().map(|line| line.table.to_owned()).collect();
    if let Some(other) = found.symmetric_difference(&known).next() {
        let what = format!("the table `{other}` is not one of this version; run `soma db migrate`");
        return Err(StoreError::Schema(what));
    }
    ordered(tables)
}

async fn table(file: &mut SqliteConnection, name: String, text: &str) -> Result<Table, StoreError> {
    let sql = format!("SELECT name, type, pk FROM pragma_table_info('{name}') ORDER BY name");
    let mut key: Vec<(i64, String)> = Vec::new();
    let mut columns = Vec::new();
    for row in sqlx::query(AssertSqlSafe(sql)).fetch_all(&mut *file).await? {
        let (column, kind, place): (String, String, i64) =
            (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
        let column = checked(&column)?.to_owned();
        if place > 0 {
            key.push((place, column.clone()));
        }
        columns.push(Column { kind: kind_of(&name, &column, &kind, text)?, name: column });
    }
    key.sort();
    let key: Vec<String> = key.into_iter().map(|(_, column)| column).collect();
    if key.is_empty() {
        return Err(StoreError::Schema(format!("the table `{name}` has no primary key")));
    }
    let sql = format!("SELECT DISTINCT \"table\" FROM pragma_foreign_key_list('{name}')");
    let parents = sqlx::query(AssertSqlSafe(sql)).fetch_all(&mut *file).await?;
    let parents = parents.iter().map(|row| row.try_get(0)).collect::<Result<BTreeSet<_>, _>>();
    let mut parents: BTreeSet<String> = parents?;
    // Rows of one table come in the order of their making, which satisfies references to itself.
    parents.remove(&name);
    Ok(Table { name, columns, key, parents })
}

/// A number that can only be 0 or 1 is a boolean of PostgreSQL: both texts of the schema say so.
fn kind_of(table: &str, column: &str, kind: &str, text: &str) -> Result<Kind, StoreError> {
    match kind {
        "TEXT" => Ok(Kind::Text),
        "INTEGER" if text.contains(&format!("CHECK ({column} IN (0, 1))")) => Ok(Kind::Flag),
        "INTEGER" => Ok(Kind::Int),
        other => Err(StoreError::Schema(format!(
            "`{table}.{column}` is of type {other}, which no table has"
        ))),
    }
}
