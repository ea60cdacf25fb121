//! Where a server of a test keeps its data: a file in its home, or a database of a PostgreSQL that is the test's own.
//!
//! On PostgreSQL everybody comes by a login of their own that may do no more than it has to, as in production.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, Connection as _, SqliteConnection};

use crate::postgres::PASSWORD;
use crate::{Postgres, Soma};

/// Who owns the schema, who acts for tenants, who works for the platform.
const OWNER: &str = "soma_owner";
const LOGINS: [(&str, &str); 2] = [("soma_api", "soma_app"), ("soma_jobs", "soma_worker")];
const FIRST: &str = "soma";

/// A server's database.
#[derive(Clone)]
pub enum Database {
    /// `server.db` in the home.
    File,
    /// One of several on a server.
    Postgres(Arc<Postgres>, String),
}

impl Database {
    /// An empty database on a fresh PostgreSQL; none where PostgreSQL is not installed, which is said.
    ///
    /// # Errors
    /// If the server does not start, or refuses.
    pub async fn postgres() -> anyhow::Result<Option<Self>> {
        let Some(server) = Postgres::start().await? else { return Ok(None) };
        let role = format!("CREATE ROLE {OWNER} LOGIN CREATEROLE PASSWORD '{PASSWORD}'");
        server.run("postgres", &role).await?;
        server.run("postgres", &format!("CREATE DATABASE {FIRST} OWNER {OWNER}")).await?;
        Ok(Some(Self::Postgres(Arc::new(server), FIRST.to_owned())))
    }

    /// Another empty one on the same server; a file is empty where its home is new.
    ///
    /// # Errors
    /// If the server refuses.
    pub async fn empty(&self) -> anyhow::Result<Self> {
        let Self::Postgres(server, _) = self else { return Ok(Self::File) };
        let name = fresh();
        server.run("postgres", &format!("CREATE DATABASE {name} OWNER {OWNER}")).await?;
        Ok(Self::Postgres(Arc::clone(server), name))
    }

    /// The same rows once more. Nobody may be at them meanwhile; a file is copied with its home.
    ///
    /// # Errors
    /// If the server refuses.
    pub fn copy(&self) -> anyhow::Result<Self> {
        let Self::Postgres(server, from) = self else { return Ok(Self::File) };
        let name = fresh();
        let sql = format!("CREATE DATABASE {name} TEMPLATE {from} OWNER {OWNER}");
        server.run_now("postgres", &sql)?;
        Ok(Self::Postgres(Arc::clone(server), name))
    }

    /// Makes the logins of a server, once the schema has made the roles.
    ///
    /// # Errors
    /// If PostgreSQL refuses.
    pub async fn logins(&self) -> anyhow::Result<()> {
        let Self::Postgres(server, name) = self else { return Ok(()) };
        for (login, role) in LOGINS {
            let made = format!("CREATE ROLE {login} LOGIN PASSWORD '{PASSWORD}'");
            server.run(name, &format!("{made}; GRANT {role} TO {login}")).await?;
        }
        Ok(())
    }

    /// Brings the schema to this version by the command of whoever owns it, and makes the logins of a server.
    ///
    /// # Errors
    /// If the command fails.
    pub async fn prepare(&self, home: &Path) -> anyhow::Result<()> {
        if let Self::Postgres(..) = self {
            let migrate = self.tell_owner(Soma::new(home)?)?.args(["db", "migrate"]);
            migrate.succeed().await?;
        }
        self.logins().await
    }

    /// Tells a server or command where the data is.
    ///
    /// # Errors
    /// If PostgreSQL has no address.
    pub fn tell(&self, soma: Soma) -> anyhow::Result<Soma> {
        let Self::Postgres(server, name) = self else { return Ok(soma) };
        let [app, worker] = LOGINS.map(|(login, _)| server.url(login, name));
        Ok(soma.env("SOMA_DATABASE_URL", app?).env("SOMA_DATABASE_WORKER_URL", worker?))
    }

    /// The same, and who may change the schema.
    ///
    /// # Errors
    /// If PostgreSQL has no address.
    pub fn tell_owner(&self, soma: Soma) -> anyhow::Result<Soma> {
        let Some(owner) = self.owner()? else { return Ok(soma) };
        Ok(self.tell(soma)?.env("SOMA_DATABASE_OWNER_URL", owner))
    }

    /// The address for who owns the schema; a file needs none.
    ///
    /// # Errors
    /// If PostgreSQL has no address.
    pub fn owner(&self) -> anyhow::Result<Option<String>> {
        let Self::Postgres(server, name) = self else { return Ok(None) };
        server.url(OWNER, name).map(Some)
    }

    /// What SQL says, in one column, as the superuser; nothing of a file.
    ///
    /// # Errors
    /// If it fails.
    pub async fn asked(&self, sql: &str) -> anyhow::Result<String> {
        let Self::Postgres(server, name) = self else { return Ok(String::new()) };
        server.run(name, sql).await
    }

    /// Runs SQL beside every server, as nobody but a test does.
    ///
    /// # Errors
    /// If it fails.
    pub async fn run(&self, home: &Path, sql: &str) -> anyhow::Result<()> {
        if let Self::Postgres(server, name) = self {
            return server.run(name, sql).await.map(drop);
        }
        let file = SqliteConnectOptions::new().filename(home.join("server.db"));
        let mut file = SqliteConnection::connect_with(&file).await?;
        sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut file).await?;
        Ok(file.close().await?)
    }
}

fn fresh() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    format!("soma_{}", NEXT.fetch_add(1, Ordering::Relaxed))
}
