//! What tests stand on: a real database of their own, on SQLite and on PostgreSQL, and a server on it.
//!
//! PostgreSQL runs once per test process, started by `tests/env/postgres.sh` and gone with us; each
//! test has a database of its own, copied from one that is migrated. Nothing here imitates a database.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use soma_policy::Timestamp;
use sqlx::{ConnectOptions as _, Connection as _, PgConnection};
use tempfile::TempDir;

use crate::clock::FixedClock;
use crate::config::{MarketConfig, Rates, ServerConfig};
use crate::identity::PasswordCost;
use crate::server::{BootstrapCode, Server};
use crate::store::{Database, Store};

/// Where every test's clock begins.
pub(crate) const START: Timestamp = Timestamp(1_800_000_000_000);

/// Makes a test of each function, on both databases.
macro_rules! on_both_databases {
    ($($(#[$meta:meta])* async fn $name:ident($db:ident: TestDatabase) $body:block)*) => { $(
        mod $name {
            #[allow(unused_imports, reason = "some tests need nothing of their module")]
            use super::*;

            async fn test($db: $crate::fixture::TestDatabase) $body

            #[tokio::test]
            async fn sqlite() {
                test($crate::fixture::TestDatabase::sqlite()).await;
            }

            #[tokio::test]
            async fn postgresql() {
                if let Some(database) = $crate::fixture::TestDatabase::postgres().await {
                    test(database).await;
                }
            }
        }
    )* };
}
pub(crate) use on_both_databases;

/// A database of a test's own; it goes away with the value.
pub(crate) struct TestDatabase {
    pub(crate) database: Database,
    /// The owner's address, on PostgreSQL.
    pub(crate) owner: Option<String>,
    pub(crate) folder: TempDir,
    /// Whether releases of little risk are approved without a person.
    pub(crate) auto_approve: bool,
}

/// The server of this process. It ends when its standard input does: with us, however we end.
struct Postgres {
    base: String,
    _script: Child,
    _input: ChildStdin,
}

static POSTGRES: OnceLock<Option<Postgres>> = OnceLock::new();
static NEXT: AtomicU64 = AtomicU64::new(0);
static TEMPLATE: tokio::sync::OnceCell<()> = tokio::sync::OnceCell::const_new();

fn start() -> Option<Postgres> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/env/postgres.sh");
    let mut command = Command::new(script);
    command.args(["-c", "fsync=off"]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut script = command.spawn().expect("tests/env/postgres.sh runs");
    let input = script.stdin.take().expect("its input is ours");
    let mut line = String::new();
    let output = script.stdout.take().expect("its output is ours");
    BufReader::new(output).read_line(&mut line).expect("it says something");
    let Some(base) = line.trim().strip_prefix("ready ") else {
        drop(input);
        let ended = script.wait().expect("it ends with its input");
        let required = std::env::var("SOMA_REQUIRE_TOOLS").is_ok_and(|value| value == "1");
        assert!(!required, "PostgreSQL must run here: {} ({ended})", line.trim());
        return None;
    };
    Some(Postgres { base: base.to_owned(), _script: script, _input: input })
}

fn login(base: &str, name: &str, database: &str) -> String {
    let (_, place) = base.split_once('@').expect("an address");
    format!("postgres://{name}:tests-only@{place}/{database}")
}

async fn run(connection: &mut PgConnection, sql: String) {
    sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(connection).await.expect("SQL of the fixture");
}

async fn connect(address: &str) -> PgConnection {
    let options: sqlx::postgres::PgConnectOptions = address.parse().expect("an address");
    options.disable_statement_logging().connect().await.expect("PostgreSQL answers")
}

/// One database, migrated, that all others are copies of.
async fn template(base: &str) {
    let mut root = connect(&format!("{base}/postgres")).await;
    run(&mut root, "CREATE DATABASE soma_template".to_owned()).await;
    let owner = format!("{base}/soma_template");
    for name in ["soma_app_login", "soma_worker_login"] {
        run(&mut root, format!("CREATE ROLE {name} LOGIN PASSWORD 'tests-only'")).await;
    }
    for role in ["soma_app", "soma_worker"] {
        run(&mut root, format!("CREATE ROLE {role} NOLOGIN")).await;
        run(&mut root, format!("GRANT {role} TO {role}_login")).await;
    }
    let database = Database::Postgres {
        app: login(base, "soma_app_login", "soma_template"),
        worker: login(base, "soma_worker_login", "soma_template"),
        owner: Some(owner),
        connections: 1,
    };
    Store::open(&database, START).await.expect("the template opens").close().await;
    root.close().await.expect("closed");
}

fn texts(rows: Result<Vec<String>, sqlx::Error>) -> Vec<String> {
    rows.expect("SQL of the fixture")
}

impl TestDatabase {
    pub(crate) fn sqlite() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let database = Database::Sqlite { path: folder.path().join("server.db") };
        Self { database, owner: None, folder, auto_approve: false }
    }

    /// None where PostgreSQL is not installed; where it must be, that is a failure.
    #[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
    pub(crate) async fn postgres() -> Option<Self> {
        let started = tokio::task::spawn_blocking(|| POSTGRES.get_or_init(start)).await;
        let Some(postgres) = started.expect("the start ends") else {
            eprintln!("skipped: postgresql not running");
            return None;
        };
        let base = &postgres.base;
        TEMPLATE.get_or_init(|| template(base)).await;
        let name = format!("soma_{}", NEXT.fetch_add(1, Ordering::SeqCst));
        let mut root = connect(&format!("{base}/postgres")).await;
        run(&mut root, format!("CREATE DATABASE {name} TEMPLATE soma_template STRATEGY file_copy"))
            .await;
        root.close().await.expect("closed");
        let database = Database::Postgres {
            app: login(base, "soma_app_login", &name),
            worker: login(base, "soma_worker_login", &name),
            owner: None,
            connections: 4,
        };
        let folder = tempfile::tempdir().expect("a folder");
        let owner = Some(format!("{base}/{name}"));
        Some(Self { database, owner, folder, auto_approve: false })
    }

    pub(crate) async fn store(&self) -> Store {
        Store::open(&self.database, START).await.expect("the store opens")
    }

    pub(crate) fn config(&self) -> ServerConfig {
        let base = ServerConfig::embedded(self.folder.path());
        let market = MarketConfig {
            auto_approve: Some(self.auto_approve),
            passport: !self.auto_approve,
            ..base.market.clone()
        };
        ServerConfig {
            market,
            database: self.database.clone(),
            passwords: PasswordCost { memory_kib: 64, passes: 1, threads: 2 },
            rates: Rates { peer: 1_000_000, org: 1_000_000, user: 1_000_000, login: 1_000_000 },
            ..base
        }
    }

    /// A server with a clock that stands still.
    pub(crate) async fn server(&self) -> (Server, Arc<FixedClock>, Option<BootstrapCode>) {
        let clock = Arc::new(FixedClock::new(START));
        let (server, code) =
            Server::open(&self.config(), clock.clone()).await.expect("the server opens");
        (server, clock, code)
    }

    /// Every row of every table as text, as the owner sees it.
    pub(crate) async fn dump(&self) -> Vec<(String, String)> {
        match (&self.database, &self.owner) {
            (Database::Sqlite { path }, _) => {
                let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path);
                let mut connection = options.connect().await.expect("SQLite opens");
                let tables = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'";
                let rows = "SELECT group_concat('quote(\"' || name || '\")', '||'',''||') FROM pragma_table_info($1)";
                let mut dump = Vec::new();
                for table in texts(sqlx::query_scalar(tables).fetch_all(&mut connection).await) {
                    let columns =
                        sqlx::query_scalar(rows).bind(&table).fetch_one(&mut connection).await;
                    let columns: String = columns.expect("columns");
                    let sql = sqlx::AssertSqlSafe(format!("SELECT {columns} FROM {table}"));
                    let rows = texts(sqlx::query_scalar(sql).fetch_all(&mut connection).await);
                    dump.push((table, rows.join("\n")));
                }
                dump
            }
            (_, Some(owner)) => {
                let mut connection = connect(owner).await;
                let tables = "SELECT relname::text FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace";
                let mut dump = Vec::new();
                for table in texts(sqlx::query_scalar(tables).fetch_all(&mut connection).await) {
                    let sql = format!("SELECT row_to_json(it)::text FROM {table} it");
                    let sql = sqlx::AssertSqlSafe(sql);
                    let rows = texts(sqlx::query_scalar(sql).fetch_all(&mut connection).await);
                    dump.push((table, rows.join("\n")));
                }
                dump
            }
            _ => unreachable!("a test database is one of the two"),
        }
    }

    /// Changes the database behind the server's back, as its owner could.
    pub(crate) async fn tamper(&self, sql: &str) {
        match (&self.database, &self.owner) {
            (Database::Sqlite { path }, _) => {
                let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path);
                let mut connection = options.connect().await.expect("SQLite opens");
                let sql = sqlx::AssertSqlSafe(sql.to_owned());
                sqlx::raw_sql(sql).execute(&mut connection).await.expect("SQL of the test");
                connection.close().await.expect("closed");
            }
            (_, Some(owner)) => {
                let mut connection = connect(owner).await;
                run(&mut connection, sql.to_owned()).await;
                connection.close().await.expect("closed");
            }
            _ => unreachable!("a test database is one of the two"),
        }
    }
}
