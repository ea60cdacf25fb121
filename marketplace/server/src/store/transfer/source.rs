//! The SQLite file that is left: held still while it is read, and closed when its data lives elsewhere.
//!
//! No row of it is ever changed. What closes it is a mark in the file's head, which every unit looks at.

use std::path::Path;
use std::time::Duration;

use sqlx::sqlite::{Sqlite, SqliteConnectOptions, SqlitePool, SqlitePoolOptions};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Row as _, Transaction};

use super::table::{Table, TableSum};
use super::{CLOSED, StoreError, describe, rows};
use crate::store::{Database, migrate};

/// A file under its write lock: others read, and wait with what they write.
pub(crate) struct Source {
    pub(super) tx: Transaction<'static, Sqlite>,
    pub(super) tables: Vec<Table>,
    pool: SqlitePool,
}

pub(super) async fn pool(path: &Path) -> Result<SqlitePool, StoreError> {
    let options = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(false)
        .busy_timeout(Duration::from_secs(5))
        .pragma("trusted_schema", "OFF")
        .disable_statement_logging();
    Ok(SqlitePoolOptions::new().max_connections(1).connect_with(options).await?)
}

impl Source {
    /// Takes the write lock of a file that has the schema of this version.
    pub(crate) async fn hold(path: &Path) -> Result<Self, StoreError> {
        let pool = pool(path).await?;
        let mut tx = pool.begin_with("BEGIN IMMEDIATE").await?;
        migrate::check_sqlite(&mut tx).await?;
        let tables = describe::tables(&mut tx).await?;
        Ok(Self { tx, tables, pool })
    }

    /// The tables, in the order in which they are moved.
    pub(crate) fn tables(&self) -> Vec<String> {
        self.tables.iter().map(|table| table.name.clone()).collect()
    }

    /// What is in a table.
    pub(super) async fn sum(&mut self, table: &Table) -> Result<TableSum, StoreError> {
        let sql = format!(
            "SELECT {} FROM {} ORDER BY {}",
            table.list(),
            table.name,
            table.key.join(", ")
        );
        rows::sum(table, sqlx::query(AssertSqlSafe(sql)).fetch(&mut *self.tx)).await
    }

    /// The deployment that the file is of.
    pub(crate) async fn deployment(&mut self) -> Result<Option<String>, StoreError> {
        let row = sqlx::query("SELECT deployment_id FROM deployment").fetch_optional(&mut *self.tx);
        Ok(row.await?.map(|row| row.try_get(0)).transpose()?)
    }

    /// Whether the file is marked.
    pub(crate) async fn is_closed(&mut self) -> Result<bool, StoreError> {
        let row = sqlx::query("PRAGMA user_version").fetch_one(&mut *self.tx).await?;
        Ok(row.try_get::<i32, _>(0)? == CLOSED)
    }

    /// Marks the file as one whose data lives elsewhere: no server works on it any more.
    pub(crate) async fn close(mut self) -> Result<(), StoreError> {
        mark(&mut self.tx, CLOSED).await?;
        self.tx.commit().await?;
        self.pool.close().await;
        Ok(())
    }
}

/// Takes the mark away: the file is what counts.
pub(crate) async fn reopen(path: &Path) -> Result<(), StoreError> {
    let pool = pool(path).await?;
    let mut tx = pool.begin_with("BEGIN IMMEDIATE").await?;
    mark(&mut tx, 0).await?;
    tx.commit().await?;
    pool.close().await;
    Ok(())
}

async fn mark(tx: &mut Transaction<'static, Sqlite>, mark: i32) -> Result<(), StoreError> {
    let sql = format!("PRAGMA user_version = {mark}");
    sqlx::query(AssertSqlSafe(sql)).execute(&mut **tx).await?;
    Ok(())
}

/// Whether data of a file lives elsewhere.
pub(crate) async fn is_closed(path: &Path) -> Result<bool, StoreError> {
    let pool = pool(path).await?;
    let row = sqlx::query("PRAGMA user_version").fetch_one(&pool).await?;
    let mark: i32 = row.try_get(0)?;
    pool.close().await;
    Ok(mark == CLOSED)
}

/// Writes everything of a file, as it is at one moment, into a new file. Others go on writing meanwhile.
pub(crate) async fn copy_file(from: &Path, to: &Path) -> Result<(), StoreError> {
    let name = to.to_str().ok_or_else(|| StoreError::Schema("the path is not text".to_owned()))?;
    let pool = pool(from).await?;
    sqlx::query("VACUUM INTO $1").bind(name).execute(&pool).await?;
    pool.close().await;
    Ok(())
}

/// The deployment that a file is of.
pub(crate) async fn deployment(database: &Database) -> Result<Option<String>, StoreError> {
    let Database::Sqlite { path } = database else { return Ok(None) };
    let pool = pool(path).await?;
    let row = sqlx::query("SELECT deployment_id FROM deployment").fetch_optional(&pool).await?;
    let id = row.map(|row| row.try_get(0)).transpose()?;
    pool.close().await;
    Ok(id)
}
