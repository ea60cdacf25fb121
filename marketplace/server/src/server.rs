//! The server as one value: the open store, the keys, the limits. Flows and edges borrow from it.
//!
//! It decides nothing by itself. `serve` runs it; `chores` keeps it in order.

mod beside;
mod chores;
mod founding;
mod keys;
mod places;
mod rates;

use std::collections::HashSet;
use std::sync::Arc;

use parking_lot::Mutex;
use serde_json::Value;
use soma_capsule::KeyPair;
use soma_policy::feed;
use soma_policy::{CallId, OrgId, Timestamp, canonical};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

pub use beside::{BesideError, EnrolmentCode, Pass};
pub use founding::BootstrapCode;
pub(crate) use keys::audit_key;
pub(crate) use places::{Place, Places};
pub(crate) use rates::{RateLimiter, Verdict};

use crate::audit::Act;
use crate::clock::Clock;
use crate::config::{Network, ServerConfig};
use crate::edge::Metrics;
use crate::hosts::Nonces;
use crate::identity::{Keyring, Passwords, Sealer};
use crate::market::Market;
use crate::packages::{PackageError, Packages};
use crate::store::{
    IdempotencyScope, NewAudit, NewChange, PlatformScope, Store, StoreError, Stream,
};

/// The org that entries of the platform itself belong to.
pub(crate) const PLATFORM: &str = "platform";

/// Components that may be on their way to us at one time, and those of one org: each is a hundred MiB in memory.
const UPLOADS_MAX: usize = 8;
const UPLOADS_EACH: usize = 2;
/// So many times the attempts of one sender may come from all strangers together to one account.
const STRANGERS: u32 = 10;

/// The control plane, open.
#[derive(Clone)]
pub struct Server(Arc<Inner>);

/// What flows and edges borrow; nothing of it is for other crates.
pub struct Inner {
    pub(crate) store: Store,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) keyring: Keyring,
    pub(crate) sealer: Sealer,
    pub(crate) passwords: Passwords,
    pub(crate) peers: RateLimiter,
    pub(crate) orgs: RateLimiter,
    /// What one person or program asks, in whatever org.
    pub(crate) subjects: RateLimiter,
    pub(crate) logins: RateLimiter,
    /// Logins to one account from senders that it does not know.
    pub(crate) strangers: RateLimiter,
    /// How often unknown keys may make us look for new ones.
    pub(crate) reloads: RateLimiter,
    /// Components that are on their way to us.
    pub(crate) uploads: Places,
    pub(crate) metrics: Metrics,
    /// Keys of requests that are under way in this process.
    pub(crate) in_flight: Mutex<HashSet<IdempotencyScope>>,
    pub(crate) stopping: CancellationToken,
    /// Rung after each commit: there may be something to number.
    pub(crate) bell: Notify,
    /// Rung when what was committed has been numbered: installations may go on.
    pub(crate) followed: Notify,
    pub(crate) audit_key: KeyPair,
    /// Signs what hosts are told.
    pub(crate) feed_key: KeyPair,
    /// Proofs of hosts that were taken.
    pub(crate) nonces: Nonces,
    /// The last number of the feed that this process gave: whoever waits for changes listens here.
    pub(crate) numbered: tokio::sync::watch::Sender<u64>,
    /// The last snapshot for hosts.
    pub(crate) made: crate::feed::Made,
    /// Component files.
    pub(crate) packages: Packages,
    /// By what releases and installations are judged.
    pub(crate) market: Market,
    pub(crate) checkpoints: std::path::PathBuf,
    /// The folder with the root's public key and the signed list of operators.
    pub(crate) trust: std::path::PathBuf,
    pub(crate) deployment: String,
    pub(crate) platform: OrgId,
    pub(crate) key_overlap_ms: u64,
    pub(crate) tls: bool,
    /// Who may say for whom they speak.
    pub(crate) proxies: Vec<Network>,
}

impl std::ops::Deref for Server {
    type Target = Inner;
    fn deref(&self) -> &Inner {
        &self.0
    }
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Server({} on {})", self.deployment, self.store.kind())
    }
}

/// Why the server cannot start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The database.
    #[error("the database cannot be used: {0}")]
    Store(#[from] StoreError),
    /// A key file, or what is sealed with one.
    #[error("the server's keys cannot be used: {0}")]
    Keys(String),
    /// The folder of component files.
    #[error("the component files cannot be used: {0}")]
    Packages(String),
    /// The constitution that holds.
    #[error("the constitution cannot be followed: {0}")]
    Law(String),
    /// The configuration.
    #[error(transparent)]
    Config(#[from] crate::config::ConfigError),
}

impl From<PackageError> for OpenError {
    fn from(error: PackageError) -> Self {
        Self::Packages(error.to_string())
    }
}

impl Server {
    /// Opens database and keys; founds the deployment on the first start.
    ///
    /// The code that makes the first operator is returned until somebody has used it.
    ///
    /// # Errors
    /// When the database, its schema or a key cannot be used.
    pub async fn open(
        config: &ServerConfig,
        clock: Arc<dyn Clock>,
    ) -> Result<(Self, Option<BootstrapCode>), OpenError> {
        let store = Store::open(&config.database, clock.now()).await?;
        let keys = keys::Keys::load(&config.keys)?;
        let packages = Packages::open(&config.capsules)?;
        let market = Market::open(&config.market)?;
        let founded = founding::found(&store, &*clock).await?;
        let issuer = config.issuer.clone();
        let issuer = issuer.unwrap_or_else(|| format!("soma:{}", founded.deployment));
        let wrong = |error: &dyn std::fmt::Display| OpenError::Keys(error.to_string());
        let platform = PLATFORM.parse().map_err(|error: soma_policy::IdError| wrong(&error))?;
        let server = Self(Arc::new(Inner {
            keyring: Keyring::new(issuer, format!("soma:{}", founded.deployment)),
            sealer: keys.sealer,
            passwords: Passwords::new(config.passwords).map_err(|error| wrong(&error))?,
            peers: RateLimiter::per_minute(config.rates.peer),
            orgs: RateLimiter::per_minute(config.rates.org),
            subjects: RateLimiter::per_minute(config.rates.user),
            logins: RateLimiter::per_minute(config.rates.login),
            strangers: RateLimiter::per_minute(config.rates.login.saturating_mul(STRANGERS)),
            reloads: RateLimiter::per_minute(60),
            uploads: Places::new(UPLOADS_MAX, UPLOADS_EACH),
            metrics: Metrics::new(),
            in_flight: Mutex::new(HashSet::new()),
            stopping: CancellationToken::new(),
            bell: Notify::new(),
            followed: Notify::new(),
            audit_key: keys.audit,
            feed_key: keys.feed,
            nonces: Nonces::new(clock.now()),
            packages,
            numbered: tokio::sync::watch::Sender::new(0),
            made: crate::feed::Made::default(),
            market,
            checkpoints: config.checkpoints.clone(),
            trust: config.trust.clone(),
            deployment: founded.deployment,
            platform,
            key_overlap_ms: config.key_overlap_ms,
            tls: config.tls,
            proxies: config.proxies.clone(),
            clock,
            store,
        }));
        server.ensure_issuer_key().await?;
        let followed = server.follow_constitution().await;
        followed.map_err(|error| OpenError::Law(error.to_string()))?;
        Ok((server, founded.code))
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// A fresh id as text: later ones sort behind earlier ones.
    pub(crate) fn fresh_text(&self) -> String {
        CallId::from_u128(self.clock.fresh_id()).to_string()
    }

    /// An audit entry of an org. The detail names ids and never personal data.
    pub(crate) fn note(
        &self,
        org: &OrgId,
        actor: &str,
        act: Act,
        subject: impl ToString,
        detail: &Value,
    ) -> NewAudit {
        NewAudit {
            org: org.clone(),
            id: self.fresh_text(),
            at: self.now(),
            actor: actor.to_owned(),
            kind: act.as_str(),
            subject: subject.to_string(),
            detail: canonical_text(detail),
            trace: crate::edge::trace_id(),
        }
    }

    /// A change that hosts must be told.
    pub(crate) fn feed(
        &self,
        org: &OrgId,
        topic: &'static str,
        subject: impl ToString,
        payload: &Value,
    ) -> NewChange {
        self.told(Stream::Feed, org, topic, subject, payload)
    }

    /// An event for subscribers.
    pub(crate) fn event(
        &self,
        org: &OrgId,
        topic: &'static str,
        subject: impl ToString,
        payload: &Value,
    ) -> NewChange {
        self.told(Stream::Outbox, org, topic, subject, payload)
    }

    fn told(
        &self,
        stream: Stream,
        org: &OrgId,
        topic: &'static str,
        subject: impl ToString,
        payload: &Value,
    ) -> NewChange {
        NewChange {
            org: org.clone(),
            id: self.fresh_text(),
            stream,
            topic,
            subject: subject.to_string(),
            payload: feed::payload_text(payload).unwrap_or_else(|_| "{}".to_owned()),
            at: self.now(),
        }
    }

    /// Reads the issuer's keys again.
    pub(crate) async fn reload_keys(&self) -> Result<(), OpenError> {
        let mut unit = self.store.survey(PlatformScope::of("issuer keys")).await?;
        let rows = unit.issuer_keys(self.now()).await?;
        let replaced = self.keyring.replace(rows, &self.sealer);
        replaced.map_err(|error| OpenError::Keys(error.to_string()))
    }
}

fn canonical_text(value: &Value) -> String {
    let bytes = canonical::value_to_vec(value).unwrap_or_else(|_| b"{}".to_vec());
    String::from_utf8(bytes).unwrap_or_else(|_| "{}".to_owned())
}
