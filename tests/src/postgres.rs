//! A real PostgreSQL of a test's own, started by `tests/env/postgres.sh`, gone with the value.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Output, Stdio};

use anyhow::{Context, ensure};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, ChildStdin, Command};

/// Where Debian keeps its programs, unless `SOMA_POSTGRES_BIN` says otherwise.
const PROGRAMS: &str = "/usr/lib/postgresql/15/bin";
/// The password of every login that a test makes.
pub const PASSWORD: &str = "tests-only";

/// A running PostgreSQL. It ends when its standard input does: with us, however we end.
pub struct Postgres {
    base: String,
    _script: Child,
    _input: ChildStdin,
}

impl Postgres {
    /// Starts one; none where it is not installed, which is said.
    ///
    /// # Errors
    /// If it is not installed where it must be, or does not start.
    pub async fn start() -> anyhow::Result<Option<Self>> {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/env/postgres.sh");
        let mut command = Command::new(script);
        command.args(["-c", "fsync=off"]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut script = command.spawn().context("tests/env/postgres.sh does not run")?;
        let input = script.stdin.take().context("no input")?;
        let output = script.stdout.take().context("no output")?;
        let line = BufReader::new(output).lines().next_line().await?.unwrap_or_default();
        let Some(base) = line.trim().strip_prefix("ready ") else {
            let required = std::env::var("SOMA_REQUIRE_TOOLS").is_ok_and(|value| value == "1");
            ensure!(!required, "PostgreSQL must run here: {line}");
            let _ = writeln!(std::io::stderr(), "skipped: postgresql not running");
            return Ok(None);
        };
        Ok(Some(Self { base: base.to_owned(), _script: script, _input: input }))
    }

    /// The address of a database for a login that a test made.
    ///
    /// # Errors
    /// If the server's own address has no place.
    pub fn url(&self, login: &str, database: &str) -> anyhow::Result<String> {
        let (_, place) = self.base.split_once('@').context("an address")?;
        Ok(format!("postgres://{login}:{PASSWORD}@{place}/{database}"))
    }

    /// The address of a database, for the superuser.
    #[must_use]
    pub fn address(&self, database: &str) -> String {
        format!("{}/{database}", self.base)
    }

    /// Runs SQL as the superuser; what it prints, without headings.
    ///
    /// # Errors
    /// If it fails.
    pub async fn run(&self, database: &str, sql: &str) -> anyhow::Result<String> {
        let done = Command::from(self.psql(database, sql)).output().await?;
        printed(sql, &done)
    }

    /// The same for who may block.
    ///
    /// # Errors
    /// If it fails.
    pub fn run_now(&self, database: &str, sql: &str) -> anyhow::Result<String> {
        printed(sql, &self.psql(database, sql).output()?)
    }

    fn psql(&self, database: &str, sql: &str) -> std::process::Command {
        let folder = std::env::var_os("SOMA_POSTGRES_BIN").unwrap_or_else(|| PROGRAMS.into());
        let mut psql = std::process::Command::new(PathBuf::from(folder).join("psql"));
        psql.args(["-X", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-c", sql]);
        psql.arg(self.address(database));
        psql
    }
}

fn printed(sql: &str, done: &Output) -> anyhow::Result<String> {
    let said = String::from_utf8_lossy(&done.stderr);
    ensure!(done.status.success(), "{sql}: {said}");
    Ok(String::from_utf8_lossy(&done.stdout).trim().to_owned())
}
