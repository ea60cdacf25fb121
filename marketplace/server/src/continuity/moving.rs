//! The move from SQLite to PostgreSQL: everything arrives as it was, proven, or nothing does.
//!
//! The file is held under its write lock meanwhile. It is closed before the target is told to keep what it
//! has: whatever happens in between, two databases never both count. A crash before that leaves an empty
//! target and an untouched file; a crash after it leaves a closed file, and the same command says or does
//! the rest.

use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::json;
use soma_capsule::crash_point;
use soma_policy::CallId;

use super::chains::{ChainReport, first_fault, walk_all};
use super::error::ContinuityError;
use crate::audit::{Act, Signer, read_kept};
use crate::clock::Clock;
use crate::config::ServerConfig;
use crate::server::{PLATFORM, audit_key};
use crate::store::transfer::{Source, TableSum, Target, reopen};
use crate::store::{Database, NewAudit, StoreError};

/// One table that arrived.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TableMoved {
    /// Its name.
    pub table: String,
    /// Its rows.
    pub rows: u64,
    /// A digest over all of them, the same on both sides.
    pub digest: String,
}

impl From<TableSum> for TableMoved {
    fn from(sum: TableSum) -> Self {
        Self { table: sum.table, rows: sum.rows, digest: sum.digest }
    }
}

/// What was moved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MoveReport {
    /// Each table, in the order of the move.
    pub tables: Vec<TableMoved>,
    /// Each chain, as it was found on the far side.
    pub chains: Vec<ChainReport>,
}

fn sqlite_file(config: &ServerConfig) -> Result<PathBuf, ContinuityError> {
    match &config.database {
        Database::Sqlite { path } => Ok(path.clone()),
        Database::Postgres { .. } => Err(ContinuityError::Configuration(
            "the data to move is in SQLite, and SOMA_DATABASE_URL names PostgreSQL: unset it for this command"
                .to_owned(),
        )),
    }
}

/// Moves everything from the SQLite file of a configuration into the empty database of `owner`.
///
/// # Errors
/// [`ContinuityError`]. The target is as it was then, except after [`ContinuityError::Unclear`].
pub async fn move_to_postgres(
    config: &ServerConfig,
    owner: &str,
    clock: &dyn Clock,
    told: &mut (dyn FnMut(&TableMoved) + Send),
) -> Result<MoveReport, ContinuityError> {
    let path = sqlite_file(config)?;
    must_be_there(&path)?;
    let key = audit_key(&config.keys)?;
    let kept = read_kept(&config.checkpoints).await?;
    let mut source = Source::hold(&path).await?;
    let mut target = Target::take(owner, &source, clock.now()).await?;
    must_be_empty(&mut source, &mut target).await?;
    let mut tables = Vec::new();
    for table in source.tables() {
        let moved = TableMoved::from(target.copy(&mut source, &table).await?);
        told(&moved);
        tables.push(moved);
    }
    let lost = || StoreError::Schema("the file holds no deployment".to_owned());
    let deployment = target.unit.deployment().await?.ok_or_else(lost)?.id;
    let signer = Signer { key: key.public(), deployment: &deployment };
    let chains = walk_all(&mut target.unit, &signer, &kept).await?;
    if let Some((chain, what)) = first_fault(&chains) {
        return Err(ContinuityError::Unsound { chain, what });
    }
    target.raise_fences().await?;
    let rows: u64 = tables.iter().map(|table| table.rows).sum();
    let detail = json!({ "rows": rows.to_string(), "to": "postgresql" });
    let entry = console_entry(clock, Act::DatabaseMoved, &deployment, &detail.to_string())?;
    target.unit.audit(&entry).await?;
    crash_point!("server.move.copied");
    // From here on the file no longer counts, whatever becomes of us.
    source.close().await?;
    crash_point!("server.move.closed");
    target.commit().await.map_err(ContinuityError::Unclear)?;
    Ok(MoveReport { tables, chains })
}

/// Lets the file count again after a move that is not to be finished. The target must not be used then.
///
/// # Errors
/// When the configuration names no SQLite file, or it does not open.
pub async fn back_out(config: &ServerConfig) -> Result<(), ContinuityError> {
    let path = sqlite_file(config)?;
    must_be_there(&path)?;
    Ok(reopen(&path).await?)
}

fn must_be_there(path: &Path) -> Result<(), ContinuityError> {
    if path.is_file() {
        return Ok(());
    }
    let what = format!("there is no database at `{}`", path.display());
    Err(ContinuityError::Configuration(what))
}

async fn must_be_empty(source: &mut Source, target: &mut Target) -> Result<(), ContinuityError> {
    let Some(table) = target.used().await? else { return Ok(()) };
    let there = target.unit.deployment().await?.map(|there| there.id);
    if there.is_some() && there == source.deployment().await? && source.is_closed().await? {
        return Err(ContinuityError::MovedAlready);
    }
    Err(ContinuityError::NotEmpty { table })
}

/// An entry of whoever sits at the machine: there is no principal without a server.
pub(super) fn console_entry(
    clock: &dyn Clock,
    act: Act,
    subject: &str,
    detail: &str,
) -> Result<NewAudit, ContinuityError> {
    let unfit = |error: soma_policy::IdError| ContinuityError::Configuration(error.to_string());
    Ok(NewAudit {
        org: PLATFORM.parse().map_err(unfit)?,
        id: CallId::from_u128(clock.fresh_id()).to_string(),
        at: clock.now(),
        actor: "console".to_owned(),
        kind: act.as_str(),
        subject: subject.to_owned(),
        detail: detail.to_owned(),
        trace: String::new(),
    })
}
