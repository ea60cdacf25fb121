//! The host as one value: everything that a call passes through, put together once.
//!
//! Three sets of threads are kept apart: guests, control (kills, ticker, reload, idle unloading) and
//! the HTTP edge, which whoever serves HTTP brings along. The host holds no lock while a guest runs.

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use arc_swap::{ArcSwap, ArcSwapOption};
use soma_capsule::key::PublicKey;
use soma_policy::{BootId, FunctionName, HostId, Installation};
use tokio::runtime::{Builder, Handle, Runtime};

use crate::admission::Admission;
use crate::calls::Calls;
use crate::clock::Clock;
use crate::component::Components;
use crate::feed::Feed;
use crate::feed::secrets::FeedSecrets;
use crate::home::{Configuration, Home, Server, Settings};
use crate::installations::Snapshot;
use crate::journal::Journal;
use crate::kill::Kills;
use crate::lease::Leases;
use crate::metrics::Metrics;
use crate::running::Cut;
use crate::state::Backends;
use crate::token::TokenVerifier;

mod audit;
mod following;
mod kill;
mod money;
mod open;
mod purge;
mod rebuilt;
mod secrets;
mod tools;
mod upkeep;

pub use open::OpenError;
pub use purge::{PurgeError, Purged, purge_at_rest};
#[cfg(test)]
pub(crate) use secrets::Source;

pub(crate) use following::{class_of, stale};
use tools::Callees;

/// How a host is run.
pub struct HostOptions {
    /// Its home, finished and locked by this process.
    pub home: Home,
    /// Time and ids.
    pub clock: Arc<dyn Clock>,
    /// The program that compiles (`soma` itself) and its hidden argument.
    pub compiler: (PathBuf, String),
    /// Guests at one time.
    pub calls_max: u32,
    /// Calls of one tenant that may wait.
    pub queue_max: usize,
    /// A component that was not called for this long is unloaded.
    pub idle: Duration,
    /// Where the journal lies, when not in the home (a memory disk, for a benchmark).
    pub journal: Option<PathBuf>,
    /// The head file of the journal, when not in the home.
    pub head: Option<PathBuf>,
    /// This machine's development key, when packages that it signed may run (`up --dev`).
    pub development: Option<PublicKey>,
    /// Addresses of this machine that guests must not reach, beside those of its interfaces.
    pub own: Vec<IpAddr>,
    /// Threads that run guests.
    pub guest_threads: usize,
    /// Loopback ports that guests may reach: the author's own servers.
    pub loopback: Vec<u16>,
    /// Whether guests reach only what the operator's map of peers names, and no name is resolved.
    pub mapped_only: bool,
    /// The server that says what is installed ([`Home::server`]); none to take it from the home's files.
    pub server: Option<Server>,
}

/// One running host.
pub struct Host {
    id: HostId,
    boot: BootId,
    clock: Arc<dyn Clock>,
    configuration: Arc<Configuration>,
    callees: ArcSwap<Callees>,
    components: Components,
    admission: Arc<Admission>,
    calls: Calls,
    journal: Journal,
    leases: Leases,
    kills: Kills,
    backends: Arc<Backends>,
    metrics: Metrics,
    /// Why the journal does not go up to the server, while it does not.
    push_fault: ArcSwapOption<String>,
    /// Whether a checkpoint of the journal is being made.
    checkpointing: Arc<AtomicBool>,
    served: FunctionName,
    /// Values that the server sent, if there is one.
    feed_secrets: Option<Arc<FeedSecrets>>,
    feed: Option<Arc<Feed>>,
    guests: Threads,
    control: Threads,
}

/// A runtime that is shut down without waiting when the host goes.
struct Threads(Option<Runtime>, Handle);

impl Threads {
    fn start(name: &str, workers: usize) -> std::io::Result<Self> {
        let runtime = Builder::new_multi_thread()
            .thread_name(name)
            .worker_threads(workers)
            .enable_all()
            .build()?;
        let handle = runtime.handle().clone();
        Ok(Self(Some(runtime), handle))
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

impl Host {
    /// The host's name: the audience of its tokens.
    #[must_use]
    pub fn id(&self) -> HostId {
        self.id
    }

    /// This run of it.
    #[must_use]
    pub fn boot(&self) -> BootId {
        self.boot
    }

    /// Its home.
    #[must_use]
    pub fn home(&self) -> &Home {
        self.configuration.home()
    }

    /// Time and ids.
    #[must_use]
    pub fn clock(&self) -> &dyn Clock {
        &*self.clock
    }

    /// What is installed now.
    #[must_use]
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.configuration.snapshot()
    }

    /// The constitution that holds here; none where the home's own policy does.
    #[must_use]
    pub fn constitution(&self) -> Option<Arc<soma_capsule::constitution::Constitution>> {
        self.configuration.constitution()
    }

    /// How it is run.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        self.configuration.settings()
    }

    /// Judges the tokens of callers.
    #[must_use]
    pub fn tokens(&self) -> &TokenVerifier {
        self.configuration.tokens()
    }

    /// The journal.
    #[must_use]
    pub fn journal(&self) -> &Journal {
        &self.journal
    }

    /// The kill switch.
    #[must_use]
    pub fn kills(&self) -> &Kills {
        &self.kills
    }

    /// Money and quotas.
    #[must_use]
    pub fn leases(&self) -> &Leases {
        &self.leases
    }

    /// Values that the server sent: whoever applies the feed says which are wanted.
    pub(crate) fn feed_secrets(&self) -> Option<&Arc<FeedSecrets>> {
        self.feed_secrets.as_ref()
    }

    pub(crate) fn components(&self) -> &Components {
        &self.components
    }

    pub(crate) fn admission(&self) -> &Arc<Admission> {
        &self.admission
    }

    pub(crate) fn calls(&self) -> &Calls {
        &self.calls
    }

    pub(crate) fn backends(&self) -> &Arc<Backends> {
        &self.backends
    }

    pub(crate) fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// Ends everything that runs: calls are cut and get their receipts, the journal is synced.
    pub fn close(&self) {
        for call in self.calls.running() {
            call.cut(Cut::Interrupted);
        }
        self.components.engine().increment_epoch();
    }

    pub(crate) fn guests(&self) -> &Handle {
        &self.guests.1
    }

    /// The threads for kills and everything that must not wait for guests.
    #[must_use]
    pub fn control(&self) -> &Handle {
        &self.control.1
    }

    /// The name under which requests to a served capsule stand in tokens, policies and receipts.
    pub(crate) fn served_function(&self) -> FunctionName {
        self.served.clone()
    }

    /// Whether a component of this installation is in memory.
    #[must_use]
    pub fn is_loaded(&self, installation: &Installation) -> bool {
        self.components.slot(installation.digest).is_loaded()
    }
}
