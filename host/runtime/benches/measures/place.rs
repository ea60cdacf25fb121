//! Homes and hosts to measure on: made by the real commands, opened in this process or as the real `soma up`.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use serde_json::Value;
use soma_capsule::KeyPair;
use soma_host::clock::SystemClock;
use soma_host::home::{Home, HostLock};
use soma_host::{CallReply, CallRequest, Host, HostOptions};
use soma_policy::{InstallationKey, Outcome};
use soma_tests::TestHome;
use soma_tests::binary::{self, PASSPHRASE};
use soma_tests::home::LIBRARY;

/// Where memory is a disk, else the folder for temporary files.
pub(crate) fn memory_folder() -> PathBuf {
    let shared = Path::new("/dev/shm");
    if shared.is_dir() { shared.to_owned() } else { std::env::temp_dir() }
}

/// Threads that guests run on: as `soma up` has it.
pub(crate) fn guest_threads() -> usize {
    std::thread::available_parallelism().map_or(2, std::num::NonZero::get)
}

/// A runtime for whoever calls.
pub(crate) fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_multi_thread().enable_all().build()?)
}

/// The key that the library of a test home is signed with.
pub(crate) fn library_key(home: &TestHome) -> anyhow::Result<KeyPair> {
    let pem = std::fs::read(home.path().join("keys").join(format!("{LIBRARY}.key")))?;
    Ok(KeyPair::from_encrypted_pem(&pem, PASSPHRASE.as_bytes())?)
}

/// Lets an installation run as many calls at a time as are measured.
pub(crate) fn widen(home: &TestHome, id: &str) -> anyhow::Result<()> {
    home.edit(id, "concurrent_calls = 16", "concurrent_calls = 2048")
}

/// How a host in this process is opened.
pub(crate) struct Opening<'a> {
    pub(crate) home: &'a Path,
    /// Where its journal goes.
    pub(crate) journal: &'a Path,
    pub(crate) calls: u32,
    pub(crate) idle: Duration,
}

/// A host in this process.
pub(crate) struct Opened {
    pub(crate) host: Arc<Host>,
    _lock: HostLock,
}

impl Opening<'_> {
    pub(crate) fn open(&self) -> anyhow::Result<Opened> {
        let home = Home::open(self.home)?;
        let lock = home.lock_host()?;
        let host = Host::open(HostOptions {
            home,
            clock: Arc::new(SystemClock::new()),
            compiler: (binary::path()?, "compile-child".to_owned()),
            calls_max: self.calls,
            queue_max: 1024,
            idle: self.idle,
            journal: Some(self.journal.join("journal")),
            head: Some(self.journal.join("head")),
            development: None,
            own: Vec::new(),
            guest_threads: guest_threads(),
            loopback: Vec::new(),
            mapped_only: false,
            server: None,
        })?;
        Ok(Opened { host, _lock: lock })
    }
}

/// The key of an installation of the default tenant.
pub(crate) fn key(id: &str) -> anyhow::Result<InstallationKey> {
    Ok(InstallationKey {
        environment: "production".parse()?,
        id: id.parse()?,
        org: "local".parse()?,
    })
}

/// One client: a token, an installation, a function.
pub(crate) struct Client {
    pub(crate) host: Arc<Host>,
    pub(crate) token: String,
    pub(crate) installation: InstallationKey,
    pub(crate) function: soma_policy::FunctionName,
    pub(crate) arguments: Value,
}

impl Client {
    /// One call as the edge makes it: the token judged, then the whole way to the durable receipt.
    pub(crate) async fn call(&self) -> anyhow::Result<CallReply> {
        let verified = self.host.tokens().verify(&self.token, self.host.clock().now())?;
        let request = CallRequest {
            caller: verified.caller(),
            installation: self.installation.clone(),
            function: self.function.clone(),
            arguments: self.arguments.clone(),
            id: None,
            timeout: None,
            stream: false,
        };
        let reply = self.host.call(request).await.reply().await;
        anyhow::ensure!(reply.outcome == Outcome::Ok, "{:?}: {:?}", reply.outcome, reply.detail);
        reply.receipt.context("the call has no receipt")?;
        Ok(reply)
    }
}

/// A measurement whose calls fail measures nothing: the first failure ends the program.
pub(crate) fn must<T>(done: anyhow::Result<T>) -> T {
    match done {
        Ok(value) => value,
        Err(error) => {
            tracing::error!(%error, "a measured call failed");
            fail(&error)
        }
    }
}

#[expect(clippy::print_stderr, reason = "the program ends here, and says why")]
fn fail(error: &anyhow::Error) -> ! {
    eprintln!("a measured call failed: {error:#}");
    std::process::exit(1)
}
