//! A PostgreSQL of one's own, started by `tests/env/postgres.sh` and gone with the value.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, ensure};

use crate::guests;

/// A running PostgreSQL with nothing in it.
pub struct Postgres {
    base: String,
    /// It ends when its standard input does.
    script: Child,
}

impl Postgres {
    /// Starts one; none where it is not installed, which is said. Where `SOMA_REQUIRE_TOOLS` is 1 that is an error.
    ///
    /// # Errors
    /// If it does not start.
    #[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
    pub fn start() -> anyhow::Result<Option<Self>> {
        let mut command = Command::new(guests::repository().join("tests/env/postgres.sh"));
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut script = command.spawn().context("tests/env/postgres.sh cannot be started")?;
        let mut line = String::new();
        let output = script.stdout.take().context("no standard output")?;
        BufReader::new(output).read_line(&mut line)?;
        let Some(base) = line.trim().strip_prefix("ready ") else {
            drop(script.stdin.take());
            let ended = script.wait()?;
            let required = std::env::var("SOMA_REQUIRE_TOOLS").is_ok_and(|value| value == "1");
            ensure!(!required, "PostgreSQL must run here: {} ({ended})", line.trim());
            eprintln!("skipped: postgresql not running");
            return Ok(None);
        };
        Ok(Some(Self { base: base.to_owned(), script }))
    }

    /// The address of a database, for its owner.
    #[must_use]
    pub fn address(&self, database: &str) -> String {
        format!("{}/{database}", self.base)
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        drop(self.script.stdin.take());
        let _ = self.script.wait();
    }
}
