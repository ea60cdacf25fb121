//! Brings a database to the schema of this version: one step per file, each in its own transaction,
//! under a lock that only one process holds.
//!
//! Steps expand; what they leave unused is contracted one version later, so that the version before
//! still runs on the new schema. A database that is two steps ahead is refused.

use soma_capsule::crash_point;
use soma_policy::{Digest, Timestamp};
use sqlx::{Connection, PgConnection, Row as _, SqliteConnection, SqlitePool};

use super::StoreError;

/// One step, in both dialects.
struct Step {
    version: i64,
    sqlite: &'static str,
    postgres: &'static str,
}

/// A step whose text has one name in both folders.
macro_rules! step {
    ($version:literal $name:literal) => {
        Step {
            version: $version,
            sqlite: include_str!(concat!("migrations/sqlite/", $name, ".sql")),
            postgres: include_str!(concat!("migrations/postgres/", $name, ".sql")),
        }
    };
}

const STEPS: &[Step] = &[
    step!(1 "0001_identity"),
    step!(2 "0002_feed"),
    step!(3 "0003_market"),
    step!(4 "0004_money"),
    step!(5 "0005_secrets"),
    step!(6 "0006_reviews"),
    step!(7 "0007_constitution"),
    step!(8 "0008_attempts"),
    step!(9 "0009_statements"),
];

/// All steps as one text for each database.
#[cfg(test)]
pub(super) fn texts() -> (String, String) {
    let all = |text: fn(&Step) -> &'static str| STEPS.iter().map(text).collect();
    (all(|step| step.sqlite), all(|step| step.postgres))
}

/// Any number that nothing else in the database uses as a lock.
const LOCK: i64 = 0x736f_6d61_6462;

const TABLE: &str = "CREATE TABLE IF NOT EXISTS schema_steps (version BIGINT PRIMARY KEY, digest TEXT NOT NULL, applied_ms BIGINT NOT NULL)";
const APPLIED: &str = "SELECT version, digest FROM schema_steps ORDER BY version";
const NOTE: &str = "INSERT INTO schema_steps (version, digest, applied_ms) VALUES ($1, $2, $3)";

/// Applies what is missing to a SQLite file.
pub(super) async fn sqlite(pool: &SqlitePool, now: Timestamp) -> Result<(), StoreError> {
    // The write lock of the file is the lock: others wait for it.
    let mut tx = pool.begin_with("BEGIN EXCLUSIVE").await?;
    sqlx::query(TABLE).execute(&mut *tx).await?;
    let rows = sqlx::query(APPLIED).fetch_all(&mut *tx).await?;
    let applied = rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?)));
    let applied: Vec<(i64, String)> = applied.collect::<Result<_, sqlx::Error>>()?;
    for step in missing(&applied, |step| step.sqlite)? {
        sqlx::raw_sql(step.sqlite).execute(&mut *tx).await.map_err(|e| failed(step, &e))?;
        let note = sqlx::query(NOTE).bind(step.version).bind(digest(step.sqlite));
        note.bind(super::sql::whole(now.0)).execute(&mut *tx).await?;
        crash_point!("server.migration.step");
    }
    tx.commit().await?;
    Ok(())
}

/// Applies what is missing to a PostgreSQL database, as its owner.
pub(super) async fn postgres(owner: &mut PgConnection, now: Timestamp) -> Result<(), StoreError> {
    sqlx::query("SELECT pg_advisory_lock($1)").bind(LOCK).execute(&mut *owner).await?;
    let done = postgres_locked(owner, now).await;
    sqlx::query("SELECT pg_advisory_unlock($1)").bind(LOCK).execute(&mut *owner).await?;
    done
}

async fn postgres_locked(owner: &mut PgConnection, now: Timestamp) -> Result<(), StoreError> {
    sqlx::query(TABLE).execute(&mut *owner).await?;
    let applied = postgres_applied(owner).await?;
    for step in missing(&applied, |step| step.postgres)? {
        let mut tx = owner.begin().await?;
        sqlx::raw_sql(step.postgres).execute(&mut *tx).await.map_err(|e| failed(step, &e))?;
        let note = sqlx::query(NOTE).bind(step.version).bind(digest(step.postgres));
        note.bind(super::sql::whole(now.0)).execute(&mut *tx).await?;
        crash_point!("server.migration.step");
        tx.commit().await?;
    }
    sqlx::query("GRANT SELECT ON schema_steps TO soma_app, soma_worker").execute(owner).await?;
    Ok(())
}

/// Whether a PostgreSQL database has the schema of this version, or of the one after.
pub(super) async fn check(worker: &mut PgConnection) -> Result<(), StoreError> {
    let applied = postgres_applied(worker).await;
    let applied = applied.map_err(|_| {
        StoreError::Schema("the database has no schema yet; `soma db migrate` makes it".to_owned())
    })?;
    match missing(&applied, |step| step.postgres)?.first() {
        None => Ok(()),
        Some(step) => Err(StoreError::Schema(format!(
            "step {} of the schema is missing; run `soma db migrate`",
            step.version
        ))),
    }
}

/// Whether a SQLite file has the schema of this version.
pub(super) async fn check_sqlite(file: &mut SqliteConnection) -> Result<(), StoreError> {
    match missing(&sqlite_applied(file).await?, |step| step.sqlite)?.first() {
        None => Ok(()),
        Some(step) => Err(StoreError::Schema(format!(
            "step {} of the schema is missing; run `soma db migrate`",
            step.version
        ))),
    }
}

/// The last step of this version.
pub(super) fn newest() -> i64 {
    STEPS.iter().map(|step| step.version).max().unwrap_or(0)
}

/// The last step that was applied to a SQLite file.
pub(super) async fn sqlite_step(file: &mut SqliteConnection) -> Result<i64, StoreError> {
    Ok(sqlite_applied(file).await?.iter().map(|(version, _)| *version).max().unwrap_or(0))
}

/// The last step that was applied to a PostgreSQL database.
pub(super) async fn postgres_step(connection: &mut PgConnection) -> Result<i64, StoreError> {
    let known = sqlx::query("SELECT to_regclass('public.schema_steps') IS NOT NULL");
    if !known.fetch_one(&mut *connection).await?.try_get::<bool, _>(0)? {
        return Ok(0);
    }
    Ok(postgres_applied(connection).await?.iter().map(|(version, _)| *version).max().unwrap_or(0))
}

async fn sqlite_applied(file: &mut SqliteConnection) -> Result<Vec<(i64, String)>, StoreError> {
    let known = "SELECT COUNT(*) FROM sqlite_schema WHERE type = 'table' AND name = 'schema_steps'";
    if sqlx::query(known).fetch_one(&mut *file).await?.try_get::<i64, _>(0)? == 0 {
        return Ok(Vec::new());
    }
    let rows = sqlx::query(APPLIED).fetch_all(file).await?;
    let applied = rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?)));
    Ok(applied.collect::<Result<_, sqlx::Error>>()?)
}

async fn postgres_applied(connection: &mut PgConnection) -> Result<Vec<(i64, String)>, StoreError> {
    let rows = sqlx::query(APPLIED).fetch_all(connection).await?;
    let applied = rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?)));
    Ok(applied.collect::<Result<_, sqlx::Error>>()?)
}

/// The steps to take; refuses a schema that is not ours, or too far ahead.
fn missing(
    applied: &[(i64, String)],
    text: impl Fn(&Step) -> &'static str,
) -> Result<Vec<&'static Step>, StoreError> {
    let newest = STEPS.last().map_or(0, |step| step.version);
    if let Some((ahead, _)) = applied.iter().find(|(version, _)| *version > newest + 1) {
        return Err(StoreError::Schema(format!(
            "the database is at step {ahead}, this version knows {newest}; run a newer soma"
        )));
    }
    let mut steps = Vec::new();
    for step in STEPS {
        match applied.iter().find(|(version, _)| *version == step.version) {
            None => steps.push(step),
            Some((_, known)) if *known == digest(text(step)) => {}
            Some(_) => {
                return Err(StoreError::Schema(format!(
                    "step {} of the schema was applied with another text",
                    step.version
                )));
            }
        }
    }
    Ok(steps)
}

fn digest(text: &str) -> String {
    Digest::of(text.as_bytes()).to_string()
}

fn failed(step: &Step, error: &sqlx::Error) -> StoreError {
    StoreError::Schema(format!("step {} of the schema failed: {error}", step.version))
}
