//! A running control plane: the real `soma serve --role server`, ended with the value.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU16, Ordering};

use anyhow::{Context, ensure};
use reqwest::Method;
use serde_json::Value;

use crate::Soma;
use crate::running::{Running, until};

/// Ports that the system gives to nobody by itself: a server that starts again finds its own one free.
const PORTS: std::ops::Range<u16> = 12_000..32_000;

/// A port of 127.0.0.1 that nobody has, and that nobody is given who does not ask for it.
///
/// # Errors
/// If none is free.
pub fn port() -> anyhow::Result<u16> {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let size = u32::from(PORTS.end - PORTS.start);
    // Two runs of the tests at one time begin at different places.
    let start = std::process::id().wrapping_mul(97);
    for _ in 0..size {
        let step = u32::from(NEXT.fetch_add(1, Ordering::Relaxed));
        let port = PORTS.start + u16::try_from(start.wrapping_add(step) % size)?;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return Ok(port);
        }
    }
    anyhow::bail!("no port is free")
}

/// An answer of a server.
#[derive(Debug)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The body; null if it is no JSON.
    pub body: Value,
}

impl Answer {
    /// The body, if the answer is a success.
    ///
    /// # Errors
    /// If it is a problem.
    pub fn made(self) -> anyhow::Result<Value> {
        ensure!((200..300).contains(&self.status), "{}: {}", self.status, self.body);
        Ok(self.body)
    }

    /// The code of the problem, empty if there is none.
    #[must_use]
    pub fn code(&self) -> &str {
        self.body.get("code").and_then(Value::as_str).unwrap_or_default()
    }
}

/// A running control plane.
pub type Plane = Running<Governing>;

/// What a test knows of a running control plane.
pub struct Governing {
    home: PathBuf,
}

impl Plane {
    /// Starts it on a home, at a port of its own; with a point, to end there.
    ///
    /// # Errors
    /// If it ends before it is ready, or cannot be started.
    pub async fn start(home: &Path, port: u16, point: Option<&str>) -> anyhow::Result<Self> {
        let soma = point.into_iter().fold(Soma::new(home)?, Soma::crash_at);
        Self::start_by(soma, home, port).await
    }

    /// The same by a command that knows more: where the database is, where to end.
    ///
    /// # Errors
    /// If it ends before it is ready, or cannot be started.
    pub async fn start_by(soma: Soma, home: &Path, port: u16) -> anyhow::Result<Self> {
        let listen = format!("127.0.0.1:{port}");
        let serve = soma.args(["serve", "--role", "server", "--listen", &listen]);
        Self::begin(serve, Governing { home: home.to_owned() }).await
    }

    /// Its home.
    #[must_use]
    pub fn home(&self) -> &Path {
        &self.role.home
    }

    /// A request with a body (none if it is null), by whoever has the token.
    ///
    /// # Errors
    /// If the server does not answer.
    pub async fn ask(
        &self,
        method: Method,
        route: &str,
        token: &str,
        body: &Value,
    ) -> anyhow::Result<Answer> {
        self.send(method, route, (token, None), body).await
    }

    /// The same with an idempotency key.
    ///
    /// # Errors
    /// If the server does not answer.
    pub async fn once(
        &self,
        route: &str,
        (token, key): (&str, &str),
        body: &Value,
    ) -> anyhow::Result<Answer> {
        self.send(Method::POST, route, (token, Some(key)), body).await
    }

    /// Reads a route.
    ///
    /// # Errors
    /// If the server does not answer, or with a problem.
    pub async fn get(&self, route: &str, token: &str) -> anyhow::Result<Value> {
        let answer = self.ask(Method::GET, route, token, &Value::Null).await?;
        answer.made().with_context(|| route.to_owned())
    }

    /// Reads a route until its answer is as wanted; the server's own answers are the pace.
    ///
    /// # Errors
    /// If that does not come about in time; the last answer is named.
    pub async fn until(
        &self,
        route: &str,
        token: &str,
        wanted: impl Fn(&Value) -> bool,
    ) -> anyhow::Result<Value> {
        until(route, async || self.get(route, token).await, wanted).await
    }

    async fn send(
        &self,
        method: Method,
        route: &str,
        (token, key): (&str, Option<&str>),
        body: &Value,
    ) -> anyhow::Result<Answer> {
        let mut request = self.bare(method, route);
        if !token.is_empty() {
            request = request.bearer_auth(token);
        }
        if let Some(key) = key {
            request = request.header("idempotency-key", key);
        }
        if !body.is_null() {
            request = request.json(body);
        }
        let answer = request.send().await?;
        let (status, bytes) = (answer.status().as_u16(), answer.bytes().await?);
        Ok(Answer { status, body: serde_json::from_slice(&bytes).unwrap_or(Value::Null) })
    }
}
