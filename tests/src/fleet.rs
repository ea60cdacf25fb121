//! Further hosts of a platform: each a process with a home of its own, let in by the operator's invitation.

use std::path::PathBuf;

use anyhow::Context;

use crate::bazaar::{Bazaar, text};
use crate::{Process, Soma};

/// What says who may stop what: the same on every host of a deployment.
const TRUST: [&str; 3] = ["root.pub", "operators.toml", "operators.toml.sigstore.json"];

/// A host that joined.
pub struct Joined {
    /// Its process.
    pub process: Process,
    /// Its home.
    pub home: PathBuf,
}

impl Bazaar {
    /// Lets a new host join, and starts it.
    ///
    /// # Errors
    /// If a command fails.
    pub async fn join(&self, name: &str) -> anyhow::Result<Joined> {
        let home = self.home.beside(name);
        let made = self.operator.reads(&["host", "invite", "--role", "host"]).await?;
        let server = self.address("server")?;
        let enrol = ["host", "enrol", &server, "--address", "http://127.0.0.1"];
        let code = text(&made, "/token").to_owned();
        Soma::new(&home)?.args(enrol).env("SOMA_CODE", code).succeed().await?;
        for file in TRUST {
            std::fs::copy(
                self.home.path().join("trust").join(file),
                home.join("trust").join(file),
            )?;
        }
        let serve = ["serve", "--role", "host", "--listen", "127.0.0.1:0"];
        let process = Process::start(Soma::new(&home)?.args(serve).into_command()).await?;
        Ok(Joined { process, home })
    }

    /// Where a part of the platform listens: `server`, `host`, or `url` for the gateway.
    ///
    /// # Errors
    /// If the platform does not run.
    pub fn address(&self, part: &str) -> anyhow::Result<String> {
        let home = soma_host::home::Home::open(self.home.path())?;
        let says: serde_json::Value =
            serde_json::from_slice(&std::fs::read(home.layout().address())?)?;
        let found = says.get(part).and_then(serde_json::Value::as_str);
        Ok(found.context("the platform does not say where it is")?.to_owned())
    }
}
