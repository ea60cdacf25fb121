//! A running host of files: the real `soma serve --role host` on a free port, ended with the value.

use std::path::Path;

use anyhow::Context;
use reqwest::{Method, RequestBuilder, Response};
use serde_json::Value;

use crate::running::{Running, until};
use crate::tokens::mint;
use crate::{Soma, TestHome};

/// A running host.
pub type TestHost = Running<Serving>;

/// What a test knows of a running host.
pub struct Serving {
    token: String,
}

/// What a call came back with.
#[derive(Debug)]
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// The id of the call, empty if it got none.
    pub call: String,
    /// The result, or the problem.
    pub body: Value,
}

impl Reply {
    /// The code of the problem, empty if there is none.
    #[must_use]
    pub fn code(&self) -> &str {
        text(&self.body, "code")
    }

    /// The codes of the denials that came with it.
    #[must_use]
    pub fn denials(&self) -> Vec<&str> {
        codes(&self.body)
    }
}

/// The codes in `denials` of a document.
#[must_use]
pub fn codes(document: &Value) -> Vec<&str> {
    let denials = document.get("denials").and_then(Value::as_array);
    denials.into_iter().flatten().map(|denial| text(denial, "code")).collect()
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

impl TestHost {
    /// Starts a host on a home and waits until it says that it is ready.
    ///
    /// # Errors
    /// If it ends before it is ready, or cannot be started.
    pub async fn start(home: &TestHome) -> anyhow::Result<Self> {
        Self::start_with(home, &[]).await
    }

    /// The same with more arguments to `soma serve --role host`.
    ///
    /// # Errors
    /// If it ends before it is ready, or cannot be started.
    pub async fn start_with(home: &TestHome, more: &[&str]) -> anyhow::Result<Self> {
        Self::start_by(home, home.soma()?, more).await
    }

    /// Starts a host that ends at a named point.
    ///
    /// # Errors
    /// If it ends before it is ready, or cannot be started.
    pub async fn start_to_crash(home: &TestHome, point: &str) -> anyhow::Result<Self> {
        Self::start_by(home, home.soma()?.crash_at(point), &[]).await
    }

    /// Starts the host of a home that joined a server, with a token of that server's; to end at a point if one is
    /// named.
    ///
    /// # Errors
    /// If it ends before it is ready, or cannot be started.
    pub async fn start_joined(
        home: &Path,
        token: &str,
        point: Option<&str>,
    ) -> anyhow::Result<Self> {
        let soma = point.into_iter().fold(Soma::new(home)?, Soma::crash_at);
        let mut host = Self::run(soma, &[]).await?;
        host.role.token = token.to_owned();
        Ok(host)
    }

    async fn start_by(home: &TestHome, soma: Soma, more: &[&str]) -> anyhow::Result<Self> {
        let mut host = Self::run(soma, more).await?;
        host.role.token = mint(home.path(), &["call:*", "read:calls", "operate"]).await?;
        Ok(host)
    }

    async fn run(soma: Soma, more: &[&str]) -> anyhow::Result<Self> {
        let serve = ["serve", "--role", "host", "--listen", "127.0.0.1:0"];
        Self::begin(soma.args(serve).args(more), Serving { token: String::new() }).await
    }

    /// The port that it listens on.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.url().rsplit(':').next().and_then(|port| port.parse().ok()).unwrap_or_default()
    }

    /// A token of the default tenant with every right.
    #[must_use]
    pub fn token(&self) -> &str {
        &self.role.token
    }

    /// A request to a route of the host, with the token.
    pub fn request(&self, method: Method, route: &str) -> RequestBuilder {
        self.bare(method, route).bearer_auth(self.token())
    }

    /// Reads a route as JSON, whatever its status.
    ///
    /// # Errors
    /// If the host does not answer, or not with JSON.
    pub async fn get(&self, route: &str) -> anyhow::Result<Value> {
        Ok(self.request(Method::GET, route).send().await?.json().await?)
    }

    /// Reads a route until its answer is as wanted; the host's own answers are the pace.
    ///
    /// # Errors
    /// If that does not come about in time; the last answer is named.
    pub async fn until(
        &self,
        route: &str,
        wanted: impl Fn(&Value) -> bool,
    ) -> anyhow::Result<Value> {
        until(route, async || self.get(route).await, wanted).await
    }

    /// Waits until the journal holds an audit event of this kind after what it held at `from`.
    ///
    /// # Errors
    /// If it does not come.
    pub async fn audited(&self, kind: &str, from: u64) -> anyhow::Result<()> {
        let route = format!("/v1/journal?limit=1000&cursor={from}");
        let event = format!("\"event\":\"{kind}\"");
        self.until(&route, |page| page.to_string().replace('\\', "").contains(&event)).await?;
        Ok(())
    }

    /// The number of the next line of the journal.
    ///
    /// # Errors
    /// If the host does not answer.
    pub async fn journal_end(&self) -> anyhow::Result<u64> {
        let mut next = 0_u64;
        loop {
            let page = self.get(&format!("/v1/journal?limit=1000&cursor={next}")).await?;
            let after = text(&page, "next").parse::<u64>()?;
            if after == next {
                return Ok(next);
            }
            next = after;
        }
    }

    /// Calls a function and waits for its end.
    ///
    /// # Errors
    /// If the host does not answer.
    pub async fn call(&self, id: &str, function: &str, arguments: &Value) -> anyhow::Result<Reply> {
        let route = format!("/v1/installations/{id}/calls/{function}");
        reply(self.request(Method::POST, &route).json(arguments).send().await?).await
    }

    /// Calls a function with another token.
    ///
    /// # Errors
    /// If the host does not answer.
    pub async fn call_as(
        &self,
        token: &str,
        id: &str,
        function: &str,
        arguments: &Value,
    ) -> anyhow::Result<Reply> {
        let route = format!("/v1/installations/{id}/calls/{function}");
        let request = self.bare(Method::POST, &route).bearer_auth(token).json(arguments);
        reply(request.send().await?).await
    }

    /// Calls a function and streams its events.
    ///
    /// # Errors
    /// If the host does not answer.
    pub async fn stream(
        &self,
        id: &str,
        function: &str,
        arguments: &Value,
    ) -> anyhow::Result<Response> {
        let route = format!("/v1/installations/{id}/calls/{function}");
        let request = self.request(Method::POST, &route).header("accept", "text/event-stream");
        Ok(request.json(arguments).send().await?)
    }

    /// A request to a capsule that serves web requests, on its own host name, without a token.
    pub fn web(&self, method: Method, id: &str, path: &str) -> RequestBuilder {
        let host = format!("{id}--production--local.localhost:{}", self.port());
        self.bare(method, path).header("host", host)
    }

    /// The most memory that the process ever held, in bytes.
    ///
    /// # Errors
    /// If the process is gone.
    pub fn memory_peak(&self) -> anyhow::Result<u64> {
        let pid = self.pid().context("the host has ended")?;
        let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = line.and_then(|line| line.split_whitespace().next()).context("no VmHWM")?;
        Ok(kib.parse::<u64>()? * 1024)
    }
}

/// Reads an answer to a call.
///
/// # Errors
/// If the answer breaks off.
pub async fn reply(response: Response) -> anyhow::Result<Reply> {
    let status = response.status().as_u16();
    let call = response.headers().get("soma-call-id").and_then(|id| id.to_str().ok());
    let call = call.unwrap_or_default().to_owned();
    let body = response.bytes().await?;
    let body = serde_json::from_slice(&body)
        .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(&body).into_owned()));
    Ok(Reply { status, call, body })
}
