//! A running `soma` that says where it listens: started on a free port, ended with the value.

use std::os::unix::process::ExitStatusExt as _;
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// Longer than anything a test waits for; a test that meets it has failed.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// The number of the signal that nothing can catch.
pub const KILL: i32 = 9;

/// A running process.
pub struct Process {
    child: Child,
    url: String,
    said: Said,
    streams: [JoinHandle<()>; 2],
}

/// What was said so far, on both streams.
type Said = Arc<Mutex<String>>;

impl Process {
    /// Starts it and waits until it says that it is ready.
    ///
    /// # Errors
    /// If it ends before it is ready, or cannot be started.
    pub async fn start(mut command: Command) -> anyhow::Result<Self> {
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().context("soma cannot be started")?;
        let (ready, address) = oneshot::channel();
        let stdout = child.stdout.take().context("no standard output")?;
        let stderr = child.stderr.take().context("no standard error")?;
        let said = Said::default();
        let (out, err) = (Arc::clone(&said), Arc::clone(&said));
        let streams = [
            tokio::spawn(listen(stdout, out, Some(ready))),
            tokio::spawn(listen(stderr, err, None)),
        ];
        match tokio::time::timeout(PATIENCE, address).await {
            Ok(Ok(url)) => Ok(Self { child, url, said, streams }),
            Ok(Err(_)) => bail!("soma ended before it was ready:\n{}", heard(&said, streams).await),
            Err(_) => bail!("soma was not ready in {PATIENCE:?}"),
        }
    }

    /// Where it listens: `http://127.0.0.1:PORT`.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Its number.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.child.id()
    }

    /// What it said so far.
    #[must_use]
    pub fn said(&self) -> String {
        self.said.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Ends it at once, as a crash would.
    ///
    /// # Errors
    /// If it is gone already.
    pub async fn crash(mut self) -> anyhow::Result<String> {
        self.child.kill().await?;
        Ok(heard(&self.said, self.streams).await)
    }

    /// Waits until it has ended by itself, and insists that it ended as `kill -9` ends a process; what it said.
    ///
    /// # Errors
    /// If it goes on, or ended otherwise.
    pub async fn killed(mut self) -> anyhow::Result<String> {
        let Ok(ended) = tokio::time::timeout(PATIENCE, self.child.wait()).await else {
            bail!("the process goes on:\n{}", self.crash().await?);
        };
        let (status, said) = (ended?, heard(&self.said, self.streams).await);
        ensure!(status.signal() == Some(KILL), "ended otherwise, with {status}:\n{said}");
        Ok(said)
    }

    /// Asks it to end and waits until it has; what it said, and its exit code.
    ///
    /// # Errors
    /// If it does not end.
    pub async fn stop(mut self) -> anyhow::Result<(String, Option<i32>)> {
        let pid = self.pid().and_then(|pid| rustix::process::Pid::from_raw(pid.cast_signed()));
        rustix::process::kill_process(
            pid.context("the process has ended")?,
            rustix::process::Signal::TERM,
        )?;
        let status = tokio::time::timeout(PATIENCE, self.child.wait()).await??;
        Ok((heard(&self.said, self.streams).await, status.code()))
    }
}

/// Keeps what a stream says; tells the address from the line that begins with `ready`.
async fn listen(
    stream: impl AsyncRead + Unpin,
    said: Said,
    mut ready: Option<oneshot::Sender<String>>,
) {
    let mut lines = BufReader::new(stream).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        let mut said = said.lock().unwrap_or_else(PoisonError::into_inner);
        said.push_str(&line);
        said.push('\n');
        let address = line.split_whitespace().find(|word| word.starts_with("http://"));
        if let (Some(address), true) = (address, line.starts_with("ready"))
            && let Some(ready) = ready.take()
        {
            // The test may have given up already.
            let _ = ready.send(address.trim_end_matches('/').to_owned());
        }
    }
}

/// All that was said, once both streams have ended.
async fn heard(said: &Said, streams: [JoinHandle<()>; 2]) -> String {
    for stream in streams {
        // A stream that is gone has said what it had to say.
        let _ = stream.await;
    }
    said.lock().unwrap_or_else(PoisonError::into_inner).clone()
}
