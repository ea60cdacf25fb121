//! Putting a host together from its home, in an order that fails closed: keys, trust, policy, then the
//! journal (which rebuilds leases and kills), then installations, and only then threads that run guests.

use std::path::Path;
use std::sync::{Arc, Weak};
use std::time::Duration;

use arc_swap::ArcSwap;
use cap_std::ambient_authority;
use cap_std::fs::Dir;
use soma_capsule::key::KeyPair;
use soma_policy::feed::HostRole;
use soma_policy::{BootId, BootRecord, FunctionName, JournalEntry, JournalId};

use super::rebuilt::Rebuilt;
use super::secrets::Source;
use super::{Host, HostOptions, Threads, money, secrets, tools, upkeep};
use crate::admission::Admission;
use crate::calls::Calls;
use crate::capability::files::Volumes;
use crate::capability::http::{HttpClient, Moved, OwnAddresses};
use crate::capability::kv::KvStore;
use crate::compile::Compiler;
use crate::component::Components;
use crate::engine::{self, PoolSize};
use crate::feed::secrets::FeedSecrets;
use crate::feed::{Feed, FeedClient};
use crate::home::{Configuration, Home, HomeError};
use crate::journal::{Journal, JournalKey, JournalOptions};
use crate::kill::{KillOptions, Kills};
use crate::lease::{Holder, Leases, MovedToday};
use crate::metrics::Metrics;
use crate::state::Backends;

/// Longest time one component may take to compile.
const COMPILE_MAX: Duration = Duration::from_secs(120);
/// How long a kill receipt waits for calls to end.
const PATIENCE: Duration = Duration::from_secs(5);
/// Under this name requests to a served capsule stand in tokens, policies and receipts.
const SERVED: &str = "handle";

/// Why a host does not start. Each says what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The home.
    #[error(transparent)]
    Home(#[from] HomeError),
    /// The journal: damaged, cut below its head, or not writable.
    #[error(transparent)]
    Journal(#[from] crate::journal::OpenError),
    /// The kill orders on disk.
    #[error(transparent)]
    Kills(#[from] crate::kill::KillOpenError),
    /// What the server said before, or the way to it.
    #[error(transparent)]
    Feed(#[from] crate::feed::FeedError),
    /// Threads, folders, stores, the engine's pool.
    #[error("the host does not start: {what}: {why}")]
    System {
        /// Which part.
        what: &'static str,
        /// Why.
        why: String,
    },
}

/// Names the part that failed.
fn at<E: std::fmt::Display>(what: &'static str) -> impl FnOnce(E) -> OpenError {
    move |error| OpenError::System { what, why: format!("{error:#}") }
}

impl Host {
    /// Opens a host on its home. Nothing of an earlier run is trusted that is not checked here.
    ///
    /// # Errors
    /// [`OpenError`]; nothing is left running.
    pub fn open(options: HostOptions) -> Result<Arc<Self>, OpenError> {
        let keys = options.home.keys()?;
        let clock = options.clock.clone();
        let (configuration, feed) = configuration(&options)?;
        let configuration = Arc::new(configuration);
        let (journal, leases, moved, kills) = record(&options, &keys.host, &configuration)?;
        let boot = BootId::from_u128(clock.fresh_id());
        let host = options.home.identity().host;
        let leases = match &options.server {
            Some(_) => leases.served_by(Holder { host, boot }),
            None => leases,
        };
        let engine = engine::build(PoolSize::new(options.calls_max)).map_err(at("the engine"))?;
        engine::start_ticker(&engine).map_err(at("the ticker"))?;
        let (program, argument) = &options.compiler;
        let components = Components::new(
            engine,
            &options.home.layout().cache(),
            keys.mac,
            Compiler::new(program.clone(), argument, COMPILE_MAX),
            configuration.clone(),
        )
        .map_err(at("the code cache"))?;
        let kept = options.server.as_ref().map(|_| FeedSecrets::open(&options.home));
        let kept = kept.transpose()?.map(Arc::new);
        let client = client(&options, moved, kept.as_ref())?;
        let served: FunctionName = SERVED.parse().map_err(at("the name of served requests"))?;
        let guests = Threads::start("soma-guest", options.guest_threads)
            .map_err(at("the guests' threads"))?;
        let control = Threads::start("soma-control", 1).map_err(at("the control threads"))?;
        let files = folder(&options.home.layout().files())?;
        let kv = KvStore::open(&options.home.layout().kv()).map_err(at("the key-value store"))?;
        let stored = Source::of(&options.home, kept.as_ref())?.stored();
        let host = Arc::new_cyclic(|weak: &Weak<Self>| Self {
            id: host,
            boot,
            calls: Calls::new(clock.now()),
            admission: Admission::new(options.calls_max, options.queue_max),
            backends: Arc::new(Backends {
                clock: clock.clone(),
                kv,
                volumes: Volumes::new(files),
                http: client,
                secrets: stored,
                tools: tools::caller(weak.clone()),
            }),
            clock,
            configuration,
            callees: ArcSwap::default(),
            components,
            metrics: Metrics::new(),
            journal,
            leases,
            kills,
            push_fault: arc_swap::ArcSwapOption::default(),
            checkpointing: Arc::default(),
            served,
            feed,
            feed_secrets: kept,
            guests,
            control,
        });
        host.begin()?;
        host.audit_start();
        upkeep::start(&host, options.idle);
        money::start(&host);
        secrets::start(&host);
        if let Some(feed) = host.feed() {
            crate::feed::start(&host, feed);
        }
        Ok(host)
    }

    /// Records the boot: nothing runs before that is durable.
    fn begin(&self) -> Result<(), OpenError> {
        let snapshot = self.snapshot();
        self.installed(&snapshot);
        let record = BootRecord {
            boot: self.boot,
            at: self.clock.now(),
            feed: snapshot.position,
            version: env!("CARGO_PKG_VERSION").to_owned(),
        };
        let ticket = self.journal.append(&JournalEntry::Boot(record));
        ticket.wait().map(drop).map_err(at("the journal"))
    }
}

/// What the home says, or what its server said before.
fn configuration(options: &HostOptions) -> Result<(Configuration, Option<Arc<Feed>>), OpenError> {
    let (home, development) = (options.home.clone(), options.development.clone());
    let now = options.clock.now();
    let Some(server) = &options.server else {
        return Ok((Configuration::open(home, development, now)?, None));
    };
    let client = FeedClient::new(&home, server.clone(), options.clock.clone())?;
    let feed = Arc::new(Feed::open(&home, Arc::new(client))?);
    let configuration = match server.role {
        HostRole::Host => Configuration::follow(home, development, now, server)?,
        // What reviews hears of no installation.
        HostRole::Review | HostRole::Gateway => Configuration::open(home, development, now)?,
    };
    // Nothing of it starts before the server was heard of; what it consists of is made ready meanwhile.
    drop(configuration.take(crate::feed::first(&feed.applied())));
    Ok((configuration, Some(feed)))
}

/// The journal, and what it rebuilds.
fn record(
    options: &HostOptions,
    key: &crate::home::SigningKey,
    configuration: &Configuration,
) -> Result<(Journal, Leases, Vec<MovedToday>, Kills), OpenError> {
    let (layout, clock) = (options.home.layout(), &options.clock);
    let mut rebuilt = Rebuilt::default();
    let dir = options.journal.clone().unwrap_or_else(|| layout.journal());
    let head = options.head.clone().unwrap_or_else(|| layout.journal_head());
    let host = options.home.identity().host;
    let fresh = JournalId::from_u128(clock.fresh_id());
    let signer = JournalKey::from_pkcs8(key.pkcs8()).map_err(at("the host key"))?;
    let place = JournalOptions {
        segment_bytes: configuration.settings().journal.segment.0,
        ..JournalOptions::new(dir, head, fresh, host, clock.now())
    };
    let journal = Journal::resume(place, signer, &mut rebuilt)?;
    let Rebuilt { leases, kills } = rebuilt;
    let kill = KillOptions {
        dir: layout.kill(),
        trusted: configuration.operators().trusted().map_err(at("trust/operators.toml"))?,
        host,
        key: KeyPair::from_pkcs8_der(key.pkcs8()).map_err(at("the host key"))?,
        patience: PATIENCE,
    };
    let kills = Kills::open(kill, clock.clone(), journal.clone(), kills)?;
    let moved = leases.moved();
    let leases = Leases::new(clock.clone(), journal.clone(), leases);
    Ok((journal, leases, moved, kills))
}

fn client(
    options: &HostOptions,
    moved: Vec<MovedToday>,
    kept: Option<&Arc<FeedSecrets>>,
) -> Result<Arc<HttpClient>, OpenError> {
    let secrets = Arc::new(Source::of(&options.home, kept)?);
    let own = OwnAddresses::new(options.own.iter().copied());
    let client = HttpClient::new(options.clock.clone(), own, secrets).map_err(at("TLS"))?;
    let client = client.with_loopback(options.loopback.clone()).mapped_only(options.mapped_only);
    client.set_anchors(anchors(&options.home)?).map_err(at("policy/peers.toml"))?;
    for MovedToday { installation, at, sent, received } in moved {
        client.days().restore(&installation, at, Moved { sent, received });
    }
    Ok(Arc::new(client))
}

/// PEM files of the policy folder: what `peers.toml` may name.
pub(super) fn anchors(home: &Home) -> Result<Vec<(String, Vec<u8>)>, OpenError> {
    let folder = home.layout().policy();
    let names = crate::home::names_in(&folder)?;
    let pems = names.into_iter().filter(|name| name.ends_with(".pem"));
    let read =
        |name: String| Ok((name.clone(), crate::home::read_bounded(&folder.join(name), 1 << 20)?));
    pems.map(read).collect()
}

fn folder(path: &Path) -> Result<Dir, OpenError> {
    crate::home::make_folder(path)?;
    Dir::open_ambient_dir(path, ambient_authority()).map_err(at("the files folder"))
}
