//! A running platform: the real `soma up` (server, host and gateway) on a free port, ended with the value.

use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use crate::running::Running;
use crate::{Soma, TestHome};

/// A test logs in and asks more often in a second than people do in a minute.
pub const RATES: &str = "[rates]\nlogin = 6000\npeer = 100000\norg = 100000\nuser = 100000\n";

/// Who does not tell of the catalogue does not want to wait for it.
const NO_CATALOGUE: &str = "--no-catalogue";

/// A running platform.
pub type Platform = Running<Together>;

/// What a test knows of a running platform.
pub struct Together {
    home: PathBuf,
}

impl Platform {
    /// Starts server, host and gateway on a home.
    ///
    /// # Errors
    /// If it ends before it is ready, or cannot be started.
    pub async fn start(home: &TestHome) -> anyhow::Result<Self> {
        Self::start_with(home, &[]).await
    }

    /// The same with more arguments to `soma up`.
    ///
    /// # Errors
    /// If it ends before it is ready, or cannot be started.
    pub async fn start_with(home: &TestHome, more: &[&str]) -> anyhow::Result<Self> {
        let own = home.path().join("server.toml");
        if !own.exists() {
            std::fs::write(own, RATES)?;
        }
        let up = home.soma()?.args(["up", "--listen", "127.0.0.1:0"]).args(more);
        let up = if more.contains(&"--catalogue") { up } else { up.args([NO_CATALOGUE]) };
        Self::start_by(home.path(), up).await
    }

    /// The same on any home, at an address that is known before.
    ///
    /// # Errors
    /// If it ends before it is ready, or cannot be started.
    pub async fn start_on(home: &Path, listen: &str) -> anyhow::Result<Self> {
        let up = Soma::new(home)?.args(["up", "--listen", listen, NO_CATALOGUE]);
        Self::start_by(home, up).await
    }

    /// The same by any `soma up`.
    ///
    /// # Errors
    /// If it ends before it is ready, or cannot be started.
    pub async fn start_by(home: &Path, up: Soma) -> anyhow::Result<Self> {
        Self::begin(up, Together { home: home.to_owned() }).await
    }

    /// The home.
    #[must_use]
    pub fn home(&self) -> &Path {
        &self.role.home
    }

    /// A command against this platform, as the owner of its home.
    ///
    /// # Errors
    /// If the binary was not built.
    pub fn soma<const N: usize>(&self, arguments: [&str; N]) -> anyhow::Result<Soma> {
        Ok(Soma::new(self.home())?.args(["--host", self.url()]).args(arguments))
    }

    /// A request to a route of the gateway, with nothing in it.
    pub fn request(&self, method: Method, route: &str) -> RequestBuilder {
        self.bare(method, route)
    }

    /// What the owner of the home is given when they log in to an org.
    ///
    /// # Errors
    /// If the home holds no credentials, or they do not count.
    pub async fn token(&self, org: &str) -> anyhow::Result<String> {
        let own: Value =
            serde_json::from_slice(&std::fs::read(self.home().join("keys/login.json"))?)?;
        let of = |name: &str| own.get(name).cloned().unwrap_or_default();
        let body = json!({ "login": of("login"), "password": of("password"), "org": org });
        let entered = self.answer(self.request(Method::POST, "/v1/auth/login").json(&body)).await?;
        let token = entered.get("access_token").and_then(Value::as_str);
        Ok(token.context("no token")?.to_owned())
    }

    /// A JSON answer, and nothing but success.
    ///
    /// # Errors
    /// If it is a problem.
    pub async fn answer(&self, request: RequestBuilder) -> anyhow::Result<Value> {
        let answer = request.send().await?;
        let (status, bytes) = (answer.status(), answer.bytes().await?);
        ensure!(status.is_success(), "{status}: {}", String::from_utf8_lossy(&bytes));
        Ok(serde_json::from_slice(&bytes).unwrap_or(Value::Null))
    }
}
