//! A `soma` that runs in some role: where it answers, a client to ask it, and its three ends. The rooms of the roles
//! add what only they can do.

use anyhow::ensure;
use reqwest::{Client, Method, RequestBuilder};

use crate::Soma;
use crate::process::{PATIENCE, Process};

/// A running `soma`, ended with the value; `R` is what a test knows of its role.
pub struct Running<R> {
    process: Process,
    client: Client,
    pub(crate) role: R,
}

impl<R> Running<R> {
    /// Starts it and waits until it says that it is ready.
    ///
    /// # Errors
    /// If it ends before it is ready, or cannot be started.
    pub async fn begin(soma: Soma, role: R) -> anyhow::Result<Self> {
        let process = Process::start(soma.into_command()).await?;
        let client = Client::builder().no_proxy().timeout(PATIENCE).build()?;
        Ok(Self { process, client, role })
    }

    /// Where it listens: `http://127.0.0.1:PORT`.
    #[must_use]
    pub fn url(&self) -> &str {
        self.process.url()
    }

    /// What it said so far.
    #[must_use]
    pub fn said(&self) -> String {
        self.process.said()
    }

    /// The process.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.process.pid()
    }

    /// A request to one of its routes, with nothing in it.
    pub fn bare(&self, method: Method, route: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{route}", self.url()))
    }

    /// Waits until it has ended at its named point; what it said.
    ///
    /// # Errors
    /// If it goes on, or ended otherwise.
    pub async fn killed(self) -> anyhow::Result<String> {
        self.process.killed().await
    }

    /// Ends it at once, as a crash would.
    ///
    /// # Errors
    /// If it is gone already.
    pub async fn crash(self) -> anyhow::Result<String> {
        self.process.crash().await
    }

    /// Asks it to end and waits until it has; what it said, and its exit code.
    ///
    /// # Errors
    /// If it does not end.
    pub async fn stop(self) -> anyhow::Result<(String, Option<i32>)> {
        self.process.stop().await
    }
}

/// Asks again until the answer is as wanted; the answers themselves are the pace.
///
/// # Errors
/// If asking fails, or the wanted does not come about in time: what was asked and the last answer are named.
pub async fn until<T: std::fmt::Display>(
    what: &str,
    mut ask: impl AsyncFnMut() -> anyhow::Result<T>,
    wanted: impl Fn(&T) -> bool,
) -> anyhow::Result<T> {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    loop {
        let answer = ask().await?;
        if wanted(&answer) {
            return Ok(answer);
        }
        let late = tokio::time::Instant::now() > deadline;
        ensure!(!late, "{what} did not come to what was wanted: {answer}");
    }
}
