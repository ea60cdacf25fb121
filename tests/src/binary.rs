//! The real `soma` binary: found beside the tests, run with a clean environment.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, ensure};
use serde_json::Value;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

/// The passphrase of every key in a test home.
pub const PASSPHRASE: &str = "only for tests";

/// The binary that belongs to the running test.
///
/// # Errors
/// If it was not built; the error names the command.
pub fn path() -> anyhow::Result<PathBuf> {
    let test = std::env::current_exe()?;
    let folder =
        test.parent().and_then(Path::parent).context("the test lies in no target folder")?;
    let binary = folder.join("soma");
    ensure!(
        binary.is_file(),
        "{} is not there: run `make test`, or `cargo build -p soma`",
        binary.display()
    );
    Ok(binary)
}

/// One command that is about to be run.
pub struct Soma {
    command: Command,
    input: Option<Vec<u8>>,
}

/// A command that has ended.
#[derive(Debug)]
pub struct Finished {
    /// The exit code; -1 after a signal.
    pub code: i32,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Soma {
    /// A command on this home.
    ///
    /// # Errors
    /// If the binary was not built.
    pub fn new(home: &Path) -> anyhow::Result<Self> {
        let mut command = Command::new(path()?);
        // Nothing of the machine's own settings reaches the test, and no proxy.
        command.env_clear();
        for kept in ["PATH", "HOME", "TMPDIR", "CARGO_HOME", "RUSTUP_HOME", "LLVM_PROFILE_FILE"] {
            if let Some(value) = std::env::var_os(kept) {
                command.env(kept, value);
            }
        }
        command.env("SOMA_KEY_PASSWORD", PASSPHRASE);
        command.arg("--home").arg(home);
        command.stdin(Stdio::null()).kill_on_drop(true);
        Ok(Self { command, input: None })
    }

    /// Adds arguments.
    #[must_use]
    pub fn args<S: AsRef<OsStr>>(mut self, arguments: impl IntoIterator<Item = S>) -> Self {
        self.command.args(arguments);
        self
    }

    /// Sets a variable.
    #[must_use]
    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// Ends at a named point (`host.journal.synced`, or `host.journal.synced:3` for the third time) as `kill -9`
    /// would end it. The binary has points in debug builds alone.
    #[must_use]
    pub fn crash_at(self, point: &str) -> Self {
        self.env("SOMA_CRASH_AT", point)
    }

    /// Runs in this folder.
    #[must_use]
    pub fn within(mut self, folder: &Path) -> Self {
        self.command.current_dir(folder);
        self
    }

    /// Gives this to standard input.
    #[must_use]
    pub fn input(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.input = Some(bytes.into());
        self
    }

    /// The command itself, for a process that goes on running.
    #[must_use]
    pub fn into_command(self) -> Command {
        self.command
    }

    /// Runs it to its end, whatever that is.
    ///
    /// # Errors
    /// If it cannot be started.
    pub async fn finish(mut self) -> anyhow::Result<Finished> {
        self.command.stdout(Stdio::piped()).stderr(Stdio::piped());
        if self.input.is_some() {
            self.command.stdin(Stdio::piped());
        }
        let mut child = self.command.spawn().context("soma cannot be started")?;
        if let (Some(bytes), Some(mut stdin)) = (self.input, child.stdin.take()) {
            // A command that does not read its input to the end says so by its exit code.
            let _ = stdin.write_all(&bytes).await;
        }
        let output = child.wait_with_output().await?;
        Ok(Finished {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        })
    }

    /// Runs it, and insists on success.
    ///
    /// # Errors
    /// If it ends with another code than 0.
    pub async fn succeed(self) -> anyhow::Result<Finished> {
        let line = format!("{:?}", self.command.as_std());
        let finished = self.finish().await?;
        ensure!(
            finished.code == 0,
            "{line} ended with {}:\n{}{}",
            finished.code,
            finished.stdout,
            finished.stderr
        );
        Ok(finished)
    }
}

impl Finished {
    /// Standard output as JSON.
    ///
    /// # Errors
    /// If it is none.
    pub fn json(&self) -> anyhow::Result<Value> {
        serde_json::from_str(&self.stdout).with_context(|| format!("no JSON: {}", self.stdout))
    }

    /// Everything that was said.
    #[must_use]
    pub fn said(&self) -> String {
        format!("{}{}", self.stdout, self.stderr)
    }
}
