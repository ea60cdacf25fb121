//! Somebody with a machine of their own: a home, sessions, an authenticator. The platform is reached by its address.

use std::path::{Path, PathBuf};

use anyhow::Context;
use serde_json::Value;

use crate::authenticator::Authenticator;
use crate::running::until;
use crate::{Finished, Platform, Soma};

/// The password of every person in a test.
pub const PASSWORD: &str = "only for tests, of course";

/// Somebody who uses a platform by the command line.
#[derive(Debug)]
pub struct Person {
    home: PathBuf,
    url: String,
    /// Of the owner of the platform's home there is no own machine.
    elsewhere: Option<PathBuf>,
    authenticator: Option<Authenticator>,
}

impl Person {
    /// The owner of the platform's home.
    #[must_use]
    pub fn owner(platform: &Platform) -> Self {
        let (home, url) = (platform.home().to_owned(), platform.url().to_owned());
        Self { home, url, elsewhere: None, authenticator: None }
    }

    /// Somebody new who takes an invitation, with a folder of their own.
    ///
    /// # Errors
    /// If the invitation is not taken.
    pub async fn invited(
        url: &str,
        folder: &Path,
        login: &str,
        code: &str,
    ) -> anyhow::Result<Self> {
        Self::newcomer(url, (folder, &folder.join("home")), &["login", login, "--invited"], code)
            .await
    }

    /// The first person of a new server, by the code that it showed; their home holds the operators' keys.
    ///
    /// # Errors
    /// If the code is not taken.
    pub async fn first(url: &str, folder: &Path, home: &Path, code: &str) -> anyhow::Result<Self> {
        Self::newcomer(url, (folder, home), &["login", "--found"], code).await
    }

    async fn newcomer(
        url: &str,
        (folder, home): (&Path, &Path),
        login: &[&str],
        code: &str,
    ) -> anyhow::Result<Self> {
        let (home, elsewhere) = (home.to_owned(), Some(folder.to_owned()));
        let person = Self { home, url: url.to_owned(), elsewhere, authenticator: None };
        person.soma(login)?.env("SOMA_CODE", code).succeed().await?;
        Ok(person)
    }

    /// The same person at another place of the platform: a restored home, another address.
    #[must_use]
    pub fn at(self, platform: &Platform) -> Self {
        let (home, url) = (platform.home().to_owned(), platform.url().to_owned());
        Self { home, url, ..self }
    }

    /// Where their things lie.
    #[must_use]
    pub fn home(&self) -> &Path {
        &self.home
    }

    /// A command of theirs.
    ///
    /// # Errors
    /// If the binary was not built.
    pub fn soma(&self, arguments: &[&str]) -> anyhow::Result<Soma> {
        let soma = Soma::new(&self.home)?.args(["--host", &self.url]).args(arguments);
        Ok(match &self.elsewhere {
            Some(folder) => soma.env("XDG_CONFIG_HOME", folder).env("SOMA_PASSWORD", PASSWORD),
            None => soma,
        })
    }

    /// The same, run to its success.
    ///
    /// # Errors
    /// If it fails.
    pub async fn does(&self, arguments: &[&str]) -> anyhow::Result<Finished> {
        self.soma(arguments)?.succeed().await
    }

    /// What a command says as JSON.
    ///
    /// # Errors
    /// If it fails, or says none.
    pub async fn reads(&self, arguments: &[&str]) -> anyhow::Result<Value> {
        self.soma(arguments)?.args(["--output", "json"]).succeed().await?.json()
    }

    /// Reads until what is said is as wanted; the commands themselves are the pace.
    ///
    /// # Errors
    /// If that does not come about in time; what was said last is named.
    pub async fn until(
        &self,
        arguments: &[&str],
        wanted: impl Fn(&Value) -> bool,
    ) -> anyhow::Result<Value> {
        until(&format!("{arguments:?}"), async || self.reads(arguments).await, wanted).await
    }

    /// Adds an authenticator, and proves both factors for an org.
    ///
    /// # Errors
    /// If a command fails.
    pub async fn prove(&mut self, org: &str) -> anyhow::Result<()> {
        if self.authenticator.is_some() {
            // A session is for one org: for another one they log in, with both factors.
            return self.with_code(&["login", "--org", org]).await;
        }
        let begun = self.reads(&["login", "--add-factor", "--org", org]).await?;
        let uri = begun.get("uri").and_then(Value::as_str).context("no uri")?;
        self.authenticator = Some(Authenticator::new(uri)?);
        self.with_code(&["login", "--confirm-factor", "--org", org]).await?;
        self.with_code(&["login", "--step-up", "--org", org]).await
    }

    async fn with_code(&mut self, arguments: &[&str]) -> anyhow::Result<()> {
        let code = self.authenticator.as_mut().context("no authenticator")?.code()?;
        self.soma(arguments)?.env("SOMA_TOTP", code).succeed().await?;
        Ok(())
    }
}
