//! Further hosts of a platform: each a process with a home of its own, let in by the operator's invitation.

use std::path::{Path, PathBuf};

use anyhow::Context;

use crate::bazaar::{Bazaar, text};
use crate::{Person, Process, Soma};

/// What says who may stop what: the same on every part of a deployment.
const TRUST: [&str; 3] = ["root.pub", "operators.toml", "operators.toml.sigstore.json"];

/// A host that joined.
pub struct Joined {
    /// Its process.
    pub process: Process,
    /// Its home.
    pub home: PathBuf,
}

/// Where a new host will be, and as what.
#[derive(Debug, Clone, Copy)]
pub struct Seat<'a> {
    /// Its home, which is made.
    pub home: &'a Path,
    /// `host` or `review`.
    pub role: &'a str,
    /// The port that it listens on; 0 for a free one, or for none.
    pub port: u16,
}

impl Joined {
    /// Lets a new host join by the operator's invitation, under the operator's own trust, and starts it.
    ///
    /// # Errors
    /// If a command fails.
    pub async fn invite(operator: &Person, server: &str, seat: Seat<'_>) -> anyhow::Result<Self> {
        enrol(operator, server, seat).await?;
        let listen = format!("127.0.0.1:{}", seat.port);
        let serve = Soma::new(seat.home)?.args(["serve", "--role", seat.role, "--listen", &listen]);
        let process = Process::start(serve.into_command()).await?;
        Ok(Self { process, home: seat.home.to_owned() })
    }
}

/// The same without the start.
///
/// # Errors
/// If a command fails.
pub async fn enrol(operator: &Person, server: &str, seat: Seat<'_>) -> anyhow::Result<()> {
    let made = operator.reads(&["host", "invite", "--role", seat.role]).await?;
    let address = format!("http://127.0.0.1:{}", if seat.port == 0 { 1 } else { seat.port });
    let enrol = ["host", "enrol", server, "--role", seat.role, "--address", &address];
    let code = text(&made, "/token");
    Soma::new(seat.home)?.args(enrol).env("SOMA_CODE", code).succeed().await?;
    trust(operator.home(), seat.home)
}

/// Gives a home the operators that another one trusts.
///
/// # Errors
/// If the files cannot be copied.
pub fn trust(from: &Path, to: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(to.join("trust"))?;
    for file in TRUST {
        std::fs::copy(from.join("trust").join(file), to.join("trust").join(file))?;
    }
    Ok(())
}

impl Bazaar {
    /// Lets a new host join, and starts it.
    ///
    /// # Errors
    /// If a command fails.
    pub async fn join(&self, name: &str) -> anyhow::Result<Joined> {
        let home = self.home.beside(name);
        let seat = Seat { home: &home, role: "host", port: 0 };
        Joined::invite(&self.operator, &self.address("server")?, seat).await
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
