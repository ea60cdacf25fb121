//! Opening the store: pools, settings of each connection, the schema, and a look at what our own
//! logins may do. A login that could step over row-level security is refused.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use soma_policy::Timestamp;
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{ConnectOptions, Connection, Row as _, SqliteConnection};

use super::sql::{Tx, binds};
use super::transfer::CLOSED;
use super::{PlatformScope, PlatformUnit, StoreError, TenantScope, TenantUnit, Unit, migrate};

/// How long a unit waits for a connection.
const ACQUIRE: Duration = Duration::from_secs(5);
/// How often, and after how long, a file that another server is making is asked for again.
const TRIES: u32 = 100;
const AGAIN: Duration = Duration::from_millis(50);
/// How long one statement may take, and an open transaction may stand still.
const STATEMENT: &str = "10s";
/// How long one statement waits for a row that somebody else holds.
const LOCK_WAIT: &str = "5s";
/// Connections that only read, on SQLite.
const READERS: u32 = 4;

/// Which database, and how it is reached.
#[derive(Clone)]
pub enum Database {
    /// A file on this machine.
    Sqlite {
        /// The file; it is made if it is not there.
        path: PathBuf,
    },
    /// A PostgreSQL server, by a login for tenants' work and one for the platform's.
    Postgres {
        /// Member of `soma_app`, and of nothing else.
        app: String,
        /// Member of `soma_worker`, and of nothing else.
        worker: String,
        /// The owner of the schema; only to bring it up to date.
        owner: Option<String>,
        /// Connections of each login at most.
        connections: u32,
    },
}

impl std::fmt::Debug for Database {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Sqlite { path } => write!(f, "Sqlite({})", path.display()),
            // Addresses hold passwords.
            Self::Postgres { .. } => f.write_str("Postgres(..)"),
        }
    }
}

/// The open database.
#[derive(Debug, Clone)]
pub struct Store {
    pools: Pools,
}

#[derive(Debug, Clone)]
enum Pools {
    Sqlite { writer: SqlitePool, reader: SqlitePool },
    Postgres { app: PgPool, worker: PgPool },
}

impl Store {
    /// Opens the database and brings its schema up to date where we may.
    ///
    /// # Errors
    /// When it does not answer, its schema is another one, or a login may do more than it should.
    pub async fn open(database: &Database, now: Timestamp) -> Result<Self, StoreError> {
        let pools = match database {
            Database::Sqlite { path } => sqlite(path, now).await?,
            Database::Postgres { app, worker, owner, connections } => {
                if let Some(owner) = owner {
                    let mut owner = options(owner)?.connect().await?;
                    migrate::postgres(&mut owner, now).await?;
                    owner.close().await?;
                }
                postgres(app, worker, *connections).await?
            }
        };
        Ok(Self { pools })
    }

    /// `sqlite` or `postgresql`.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self.pools {
            Pools::Sqlite { .. } => "sqlite",
            Pools::Postgres { .. } => "postgresql",
        }
    }

    /// Ends every connection.
    pub async fn close(&self) {
        match &self.pools {
            Pools::Sqlite { writer, reader } => {
                reader.close().await;
                writer.close().await;
            }
            Pools::Postgres { app, worker } => {
                app.close().await;
                worker.close().await;
            }
        }
    }

    /// A unit that changes what belongs to an org.
    pub(crate) async fn tenant(&self, scope: &TenantScope) -> Result<TenantUnit, StoreError> {
        let tx = match &self.pools {
            Pools::Sqlite { writer, .. } => write(writer).await?,
            Pools::Postgres { app, .. } => acting(app, scope).await?,
        };
        Ok(TenantUnit(Unit { tx, org: Some(scope.org().clone()) }, scope.clone()))
    }

    /// A unit that only reads what belongs to an org.
    pub(crate) async fn read(&self, scope: &TenantScope) -> Result<TenantUnit, StoreError> {
        let tx = match &self.pools {
            Pools::Sqlite { reader, .. } => Tx::Sqlite(reader.begin().await?),
            Pools::Postgres { app, .. } => acting(app, scope).await?,
        };
        Ok(TenantUnit(Unit { tx, org: Some(scope.org().clone()) }, scope.clone()))
    }

    /// A unit of the platform.
    pub(crate) async fn platform(&self, scope: PlatformScope) -> Result<PlatformUnit, StoreError> {
        let tx = match &self.pools {
            Pools::Sqlite { writer, .. } => write(writer).await?,
            Pools::Postgres { worker, .. } => working(worker, scope).await?,
        };
        Ok(PlatformUnit(Unit { tx, org: None }))
    }

    /// A unit of the platform that only reads.
    pub(crate) async fn survey(&self, scope: PlatformScope) -> Result<PlatformUnit, StoreError> {
        let tx = match &self.pools {
            Pools::Sqlite { reader, .. } => Tx::Sqlite(reader.begin().await?),
            Pools::Postgres { worker, .. } => working(worker, scope).await?,
        };
        Ok(PlatformUnit(Unit { tx, org: None }))
    }

    /// A unit of the platform that only reads, and reads everything as it was at one moment.
    pub(crate) async fn steady(&self, scope: PlatformScope) -> Result<PlatformUnit, StoreError> {
        let tx = match &self.pools {
            Pools::Sqlite { reader, .. } => Tx::Sqlite(reader.begin().await?),
            Pools::Postgres { worker, .. } => {
                let begin = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
                named(Tx::Postgres(worker.begin_with(begin).await?), scope).await?
            }
        };
        Ok(PlatformUnit(Unit { tx, org: None }))
    }

    #[cfg(test)]
    pub(super) fn raw(&self) -> (Option<&SqlitePool>, Option<(&PgPool, &PgPool)>) {
        match &self.pools {
            Pools::Sqlite { writer, .. } => (Some(writer), None),
            Pools::Postgres { app, worker } => (None, Some((app, worker))),
        }
    }
}

/// Writers take the write lock at once: an upgrade later would fail where it could have waited.
async fn write(writer: &SqlitePool) -> Result<Tx, StoreError> {
    const BEGIN: &str = "BEGIN IMMEDIATE";
    let mut tx = match writer.begin_with(BEGIN).await {
        // A full disk made SQLite end the unit before by itself, and the connection does not know: a new one does.
        Err(sqlx::Error::InvalidSavePointStatement) => {
            writer.acquire().await?.close().await?;
            writer.begin_with(BEGIN).await?
        }
        begun => begun?,
    };
    not_closed(&mut tx).await?;
    Ok(Tx::Sqlite(tx))
}

/// Refuses a file whose data lives elsewhere: it may have left since we opened it.
async fn not_closed(file: &mut SqliteConnection) -> Result<(), StoreError> {
    let row = sqlx::query("PRAGMA user_version").fetch_one(file).await?;
    if row.try_get::<i32, _>(0)? == CLOSED { Err(StoreError::Closed) } else { Ok(()) }
}

async fn acting(app: &PgPool, scope: &TenantScope) -> Result<Tx, StoreError> {
    let mut tx = Tx::Postgres(app.begin().await?);
    // Local to the transaction: a pool never hands on one org's rights to the next.
    tx.run("SELECT set_config('app.org', $1, true)", binds![scope.org().as_str()]).await?;
    Ok(tx)
}

async fn working(worker: &PgPool, scope: PlatformScope) -> Result<Tx, StoreError> {
    named(Tx::Postgres(worker.begin().await?), scope).await
}

async fn named(mut tx: Tx, scope: PlatformScope) -> Result<Tx, StoreError> {
    tx.run("SELECT set_config('app.worker', $1, true)", binds![scope.worker()]).await?;
    Ok(tx)
}

/// Turning a new file to WAL takes the whole file, and SQLite does not wait for that: whoever meets another server's
/// first start asks again.
async fn sqlite(path: &std::path::Path, now: Timestamp) -> Result<Pools, StoreError> {
    for _ in 0..TRIES {
        match sqlite_once(path, now).await {
            Err(StoreError::Busy) => tokio::time::sleep(AGAIN).await,
            opened => return opened,
        }
    }
    sqlite_once(path, now).await
}

async fn sqlite_once(path: &std::path::Path, now: Timestamp) -> Result<Pools, StoreError> {
    let base = SqliteConnectOptions::new()
        .filename(path)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(Duration::from_secs(5))
        .pragma("trusted_schema", "OFF")
        .disable_statement_logging();
    // One connection writes: SQLite has one writer anyway, and here it waits in order.
    let writer = SqlitePoolOptions::new().max_connections(1).acquire_timeout(ACQUIRE);
    let writer = writer.connect_with(base.clone().create_if_missing(true)).await?;
    not_closed(&mut *writer.acquire().await?).await?;
    migrate::sqlite(&writer, now).await?;
    let reader = SqlitePoolOptions::new().max_connections(READERS).acquire_timeout(ACQUIRE);
    let reader = reader.connect_with(base.read_only(true)).await?;
    Ok(Pools::Sqlite { writer, reader })
}

async fn postgres(app: &str, worker: &str, connections: u32) -> Result<Pools, StoreError> {
    let pool = |max: u32| PgPoolOptions::new().max_connections(max.max(1)).acquire_timeout(ACQUIRE);
    let app = pool(connections).connect_with(options(app)?).await?;
    let worker = pool(connections).connect_with(options(worker)?).await?;
    harmless(&app, "soma_app", "soma_worker").await?;
    harmless(&worker, "soma_worker", "soma_app").await?;
    migrate::check(&mut *worker.acquire().await?).await?;
    Ok(Pools::Postgres { app, worker })
}

fn options(url: &str) -> Result<PgConnectOptions, StoreError> {
    let wrong = |_| StoreError::Unsafe("the database address does not parse".to_owned());
    let options = PgConnectOptions::from_str(url).map_err(wrong)?;
    let limits = [
        ("statement_timeout", STATEMENT),
        ("lock_timeout", LOCK_WAIT),
        ("idle_in_transaction_session_timeout", STATEMENT),
        ("application_name", "soma"),
    ];
    Ok(options.options(limits).disable_statement_logging())
}

/// The owner moves whole tables: that takes as long as it takes, and waits for nobody long.
pub(super) fn owner_options(url: &str) -> Result<PgConnectOptions, StoreError> {
    let limits = [("statement_timeout", "0"), ("idle_in_transaction_session_timeout", "0")];
    Ok(options(url)?.options(limits))
}

/// Row-level security holds only for a login that owns nothing and may not bypass it.
async fn harmless(pool: &PgPool, role: &str, other: &str) -> Result<(), StoreError> {
    let row = sqlx::query(
        "SELECT r.rolsuper OR r.rolbypassrls OR r.rolcreaterole AS mighty, \
         pg_has_role(r.oid, CAST($1 AS name), 'USAGE') AS member, pg_has_role(r.oid, CAST($2 AS name), 'MEMBER') AS both, \
         EXISTS (SELECT 1 FROM pg_class c WHERE c.relowner = r.oid) AS owner \
         FROM pg_roles r WHERE r.rolname = current_user",
    );
    let missing = |_| {
        StoreError::Schema("the database has no schema yet; `soma db migrate` makes it".to_owned())
    };
    let row = row.bind(role).bind(other).fetch_one(pool).await.map_err(missing)?;
    let is = |column: &str| row.try_get::<bool, _>(column);
    let wrong = |what: &str| Err(StoreError::Unsafe(format!("the login for `{role}` {what}")));
    if is("mighty")? {
        return wrong("may bypass row-level security; use one that may not");
    }
    if is("owner")? {
        return wrong("owns tables; use one that owns nothing");
    }
    if !is("member")? {
        return wrong("is no member of it; `GRANT` it");
    }
    if is("both")? {
        return wrong(&format!("is a member of `{other}` too; use two logins"));
    }
    Ok(())
}
