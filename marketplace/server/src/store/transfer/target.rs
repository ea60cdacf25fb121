//! The PostgreSQL database that tables move into, in one transaction of its owner.
//!
//! Row-level security and our triggers step aside inside of that transaction alone: nobody else sees the
//! tables without them, as changing them locks each table until the end.

use soma_policy::Timestamp;
use sqlx::postgres::{PgPool, PgPoolOptions, Postgres};
use sqlx::{AssertSqlSafe, Row as _, Transaction};

use super::source::Source;
use super::table::{Table, TableSum};
use super::{StoreError, checked, rows};
use crate::store::open::owner_options;
use crate::store::sql::{Tx, binds};
use crate::store::transfer::rows::Cell;
use crate::store::{PlatformUnit, Unit, migrate};

/// An open move. Dropped without [`Target::commit`], nothing of it has ever been there.
pub(crate) struct Target {
    /// What the chains are verified by, over what is not committed yet.
    pub(crate) unit: PlatformUnit,
    /// Tables under forced row-level security.
    forced: Vec<String>,
    tables: Vec<Table>,
    pool: PgPool,
}

impl Target {
    /// Brings the schema up to date and takes every table for this transaction alone.
    pub(crate) async fn take(
        owner: &str,
        source: &Source,
        now: Timestamp,
    ) -> Result<Self, StoreError> {
        let options = owner_options(owner)?;
        let pool = PgPoolOptions::new().max_connections(1).connect_with(options).await?;
        migrate::postgres(&mut *pool.acquire().await?, now).await?;
        let mut tx = pool.begin().await?;
        let forced = forced(&mut tx).await?;
        for table in &source.tables {
            alter(&mut tx, &table.name, "DISABLE TRIGGER USER").await?;
        }
        for table in &forced {
            alter(&mut tx, table, "NO FORCE ROW LEVEL SECURITY").await?;
        }
        let unit = PlatformUnit(Unit { tx: Tx::Postgres(tx), org: None });
        Ok(Self { unit, forced, tables: source.tables.clone(), pool })
    }

    fn tx(&mut self) -> Result<&mut Transaction<'static, Postgres>, StoreError> {
        match &mut self.unit.0.tx {
            Tx::Postgres(tx) => Ok(tx),
            Tx::Sqlite(_) => Err(StoreError::Schema("the target is not PostgreSQL".to_owned())),
        }
    }

    /// The first table that holds anything that a new database does not; none if it is new.
    pub(crate) async fn used(&mut self) -> Result<Option<String>, StoreError> {
        let mut fresh = Fresh::make().await?;
        for table in self.tables.clone() {
            let (new, here) = (fresh.sum(&table).await?, self.sum(&table).await?);
            if new != here {
                return Ok(Some(table.name));
            }
        }
        Ok(None)
    }

    /// Takes over all rows of one table and compares what came with what was there.
    pub(crate) async fn copy(
        &mut self,
        source: &mut Source,
        name: &str,
    ) -> Result<TableSum, StoreError> {
        let gone = || StoreError::Schema(format!("there is no table `{name}`"));
        let table =
            self.tables.iter().find(|table| table.name == name).cloned().ok_or_else(gone)?;
        let tx = self.tx()?;
        let sql = format!("DELETE FROM {}", table.name);
        sqlx::query(AssertSqlSafe(sql)).execute(&mut **tx).await?;
        let sql = format!("SELECT {} FROM {} ORDER BY rowid", table.list(), table.name);
        {
            let mut rows = sqlx::query(AssertSqlSafe(sql)).fetch(&mut *source.tx);
            loop {
                let batch = rows::batch(&table, &mut rows).await?;
                if batch.is_empty() {
                    break;
                }
                insert(tx, &table, &batch).await?;
            }
        }
        let (left, came) = (source.sum(&table).await?, self.sum(&table).await?);
        if left == came {
            return Ok(came);
        }
        Err(StoreError::Refused(format!(
            "the table `{name}` did not arrive as it was: {} rows left, {} came",
            left.rows, came.rows
        )))
    }

    async fn sum(&mut self, table: &Table) -> Result<TableSum, StoreError> {
        let sql = format!(
            "SELECT {} FROM {} ORDER BY {}",
            table.list(),
            table.name,
            table.key.join(", ")
        );
        let rows = sqlx::query(AssertSqlSafe(sql)).fetch(&mut **self.tx()?);
        rows::sum(table, rows).await
    }

    /// Shuts out whoever holds a fence of before.
    pub(crate) async fn raise_fences(&mut self) -> Result<(), StoreError> {
        let sql = "UPDATE sequences SET fence = fence + 1";
        self.unit.tx.run(sql, binds![]).await.map(drop)
    }

    /// Brings back the guards of the tables and makes all of it last.
    pub(crate) async fn commit(mut self) -> Result<(), StoreError> {
        let (tables, forced) = (self.tables.clone(), self.forced.clone());
        let tx = self.tx()?;
        for table in &forced {
            alter(tx, table, "FORCE ROW LEVEL SECURITY").await?;
        }
        for table in &tables {
            alter(tx, &table.name, "ENABLE TRIGGER USER").await?;
        }
        self.unit.commit().await?;
        self.pool.close().await;
        Ok(())
    }
}

async fn forced(tx: &mut Transaction<'static, Postgres>) -> Result<Vec<String>, StoreError> {
    let sql = "SELECT c.relname::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
               WHERE n.nspname = 'public' AND c.relkind = 'r' AND c.relforcerowsecurity ORDER BY c.relname";
    let rows = sqlx::query(sql).fetch_all(&mut **tx).await?;
    let names = rows.iter().map(|row| Ok(checked(&row.try_get::<String, _>(0)?)?.to_owned()));
    names.collect()
}

async fn alter(
    tx: &mut Transaction<'static, Postgres>,
    table: &str,
    what: &'static str,
) -> Result<(), StoreError> {
    let sql = format!("ALTER TABLE {} {what}", checked(table)?);
    sqlx::query(AssertSqlSafe(sql)).execute(&mut **tx).await?;
    Ok(())
}

/// One statement per batch: an array for each column.
async fn insert(
    tx: &mut Transaction<'static, Postgres>,
    table: &Table,
    batch: &[Vec<Cell>],
) -> Result<(), StoreError> {
    let arrays = table.columns.iter().enumerate();
    let arrays = arrays.map(|(at, column)| format!("${}::{}", at + 1, column.kind.array()));
    let arrays: Vec<String> = arrays.collect();
    let sql = format!(
        "INSERT INTO {} ({}) SELECT * FROM UNNEST({})",
        table.name,
        table.list(),
        arrays.join(", ")
    );
    let mut query = sqlx::query(AssertSqlSafe(sql));
    for (at, column) in table.columns.iter().enumerate() {
        let cells = batch.iter().filter_map(|row| row.get(at));
        query = match column.kind {
            super::table::Kind::Text => query.bind(cells.map(text).collect::<Vec<_>>()),
            super::table::Kind::Int => query.bind(cells.map(int).collect::<Vec<_>>()),
            super::table::Kind::Flag => query.bind(cells.map(flag).collect::<Vec<_>>()),
        };
    }
    let done = query.execute(&mut **tx).await?.rows_affected();
    if done == batch.len() as u64 {
        return Ok(());
    }
    Err(StoreError::Refused(format!("the table `{}` took {done} of its rows", table.name)))
}

fn text(cell: &Cell) -> Option<String> {
    if let Cell::Text(text) = cell { text.clone() } else { None }
}

fn int(cell: &Cell) -> Option<i64> {
    if let Cell::Int(int) = cell { *int } else { None }
}

fn flag(cell: &Cell) -> Option<bool> {
    if let Cell::Flag(flag) = cell { *flag } else { None }
}

/// A database that nobody has used yet, in memory: what "empty" means.
struct Fresh(sqlx::SqlitePool);

impl Fresh {
    async fn make() -> Result<Self, StoreError> {
        let options = sqlx::sqlite::SqlitePoolOptions::new().max_connections(1);
        let pool = options.connect("sqlite::memory:").await?;
        migrate::sqlite(&pool, Timestamp(0)).await?;
        Ok(Self(pool))
    }

    async fn sum(&mut self, table: &Table) -> Result<TableSum, StoreError> {
        let sql = format!(
            "SELECT {} FROM {} ORDER BY {}",
            table.list(),
            table.name,
            table.key.join(", ")
        );
        rows::sum(table, sqlx::query(AssertSqlSafe(sql)).fetch(&self.0)).await
    }
}
