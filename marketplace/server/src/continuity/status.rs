//! What a database is, seen from outside of any server; and its schema, brought up to date.

use serde::Serialize;

use super::error::ContinuityError;
use crate::clock::Clock;
use crate::config::ServerConfig;
use crate::store::Database;
use crate::store::transfer::{Look, bring_up, look};

/// A numbered stream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StreamStatus {
    /// Its name.
    pub stream: String,
    /// Its epoch.
    pub epoch: u64,
    /// The last number.
    pub seq: u64,
    /// The fence: rises whenever another worker numbers it.
    pub fence: u64,
}

/// What a database is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DatabaseStatus {
    /// `sqlite` or `postgresql`.
    pub kind: &'static str,
    /// The last step of the schema that was applied.
    pub step: i64,
    /// The last one that this version knows.
    pub known: i64,
    /// The data of this file was moved to PostgreSQL.
    pub closed: bool,
    /// Tables and their rows; empty while the schema is another one.
    pub tables: Vec<(String, u64)>,
    /// The numbered streams.
    pub streams: Vec<StreamStatus>,
}

fn kind(database: &Database) -> &'static str {
    match database {
        Database::Sqlite { .. } => "sqlite",
        Database::Postgres { .. } => "postgresql",
    }
}

/// Looks at the database of a configuration and changes nothing.
///
/// # Errors
/// When it is not there or does not answer.
pub async fn database_status(config: &ServerConfig) -> Result<DatabaseStatus, ContinuityError> {
    if let Database::Sqlite { path } = &config.database
        && !path.is_file()
    {
        let what = format!("there is no database at `{}`", path.display());
        return Err(ContinuityError::Configuration(what));
    }
    let Look { steps, closed, tables, streams } = look(&config.database).await?;
    let streams = streams.into_iter();
    let streams =
        streams.map(|(stream, epoch, seq, fence)| StreamStatus { stream, epoch, seq, fence });
    Ok(DatabaseStatus {
        kind: kind(&config.database),
        step: steps.applied,
        known: steps.known,
        closed,
        tables,
        streams: streams.collect(),
    })
}

/// Brings the schema up to date; the step before and the step now.
///
/// # Errors
/// When the database does not answer, is of a newer version, or its owner is not known.
pub async fn migrate_database(
    config: &ServerConfig,
    clock: &dyn Clock,
) -> Result<(i64, i64), ContinuityError> {
    let steps = bring_up(&config.database, clock.now()).await?;
    Ok((steps.applied, steps.known))
}
