//! A look at a database from outside: which schema it has, and how much is in it. Changes nothing.

use soma_policy::Timestamp;
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, Row as _};

use super::{CLOSED, OWN, Steps, StoreError, checked, source};
use crate::store::migrate;
use crate::store::open::{Database, owner_options};
use crate::store::retention::RETENTION;

/// What a database is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Look {
    pub(crate) steps: Steps,
    /// The data of the file lives elsewhere.
    pub(crate) closed: bool,
    /// Tables and their rows; empty while the schema is not that of this version.
    pub(crate) tables: Vec<(String, u64)>,
    /// Streams: name, epoch, number, fence.
    pub(crate) streams: Vec<(String, u64, u64, u64)>,
}

const STREAMS: &str = "SELECT stream, epoch, seq, fence FROM sequences ORDER BY stream";

macro_rules! counted {
    ($connection:expr) => {{
        let connection = $connection;
        let mut tables = Vec::new();
        for line in RETENTION.iter().filter(|line| !OWN.contains(&line.table)) {
            let sql = format!("SELECT COUNT(*) FROM {}", checked(line.table)?);
            let row = sqlx::query(AssertSqlSafe(sql)).fetch_one(&mut *connection).await?;
            tables.push((line.table.to_owned(), whole(row.try_get::<i64, _>(0)?)));
        }
        let mut streams = Vec::new();
        for row in sqlx::query(STREAMS).fetch_all(&mut *connection).await? {
            let number = |at: usize| Ok::<u64, sqlx::Error>(whole(row.try_get::<i64, _>(at)?));
            streams.push((row.try_get(0)?, number(1)?, number(2)?, number(3)?));
        }
        (tables, streams)
    }};
}

fn whole(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

/// Looks at a database.
pub(crate) async fn look(database: &Database) -> Result<Look, StoreError> {
    match database {
        Database::Sqlite { path } => {
            let pool = source::pool(path).await?;
            let mut file = pool.acquire().await?;
            let applied = migrate::sqlite_step(&mut file).await?;
            let mark: i32 =
                sqlx::query("PRAGMA user_version").fetch_one(&mut *file).await?.try_get(0)?;
            let steps = Steps { applied, known: migrate::newest() };
            let (tables, streams) = if steps.applied == steps.known {
                counted!(&mut *file)
            } else {
                Default::default()
            };
            drop(file);
            pool.close().await;
            Ok(Look { steps, closed: mark == CLOSED, tables, streams })
        }
        Database::Postgres { worker, .. } => {
            let mut connection: PgConnection = owner_options(worker)?.connect().await?;
            let applied = migrate::postgres_step(&mut connection).await?;
            let steps = Steps { applied, known: migrate::newest() };
            let (tables, streams) = if steps.applied == steps.known {
                counted!(&mut connection)
            } else {
                Default::default()
            };
            connection.close().await?;
            Ok(Look { steps, closed: false, tables, streams })
        }
    }
}

/// Brings a database to the schema of this version, as its owner; says from which step to which.
pub(crate) async fn bring_up(database: &Database, now: Timestamp) -> Result<Steps, StoreError> {
    let known = migrate::newest();
    match database {
        Database::Sqlite { path } => {
            if path.exists() && source::is_closed(path).await? {
                return Err(StoreError::Closed);
            }
            let before = if path.exists() { look(database).await?.steps.applied } else { 0 };
            crate::store::Store::open(database, now).await?.close().await;
            Ok(Steps { applied: before, known })
        }
        Database::Postgres { owner: Some(owner), .. } => {
            let mut connection: PgConnection = owner_options(owner)?.connect().await?;
            let before = migrate::postgres_step(&mut connection).await?;
            migrate::postgres(&mut connection, now).await?;
            connection.close().await?;
            Ok(Steps { applied: before, known })
        }
        Database::Postgres { owner: None, .. } => {
            let what =
                "only the owner of the database can change its schema: set SOMA_DATABASE_OWNER_URL";
            Err(StoreError::Unsafe(what.to_owned()))
        }
    }
}
