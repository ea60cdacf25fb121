//! What all calls of a host share on their way out: resolver, trust, counters of the day, secrets.
//!
//! It holds no connection and no answer of a name server. Each operation takes a permit of the gate.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use rustls::ClientConfig;
use soma_policy::{Digest, HttpRequest, PeerMap, Scheme};

use super::connect::Route;
use super::day::DayCounters;
use super::peer::{self, OwnAddresses, PeerError, Resolve, SystemResolver};
use super::secrets::SecretSource;
use super::trust::{self, TrustError};
use crate::clock::Clock;
use crate::gate::Permit;

/// Anchors that are kept parsed.
const ANCHORS_MAX: usize = 64;

/// The way out of a host.
pub(crate) struct HttpClient {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) days: DayCounters,
    pub(crate) secrets: Arc<dyn SecretSource>,
    resolver: Arc<dyn Resolve>,
    own: OwnAddresses,
    public: Arc<ClientConfig>,
    /// Anchors of the operator's map, by the hash of their PEM text: parsed once each.
    anchored: Mutex<HashMap<Digest, Arc<ClientConfig>>>,
    loopback: Vec<u16>,
    mapped_only: bool,
}

/// Where a permitted request goes.
pub(crate) struct Destination {
    pub(crate) route: Route,
    /// The operator's map chose the address and the anchor.
    pub(crate) mapped: bool,
}

/// An anchor file that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("trust anchor `{name}` is unusable")]
pub(crate) struct AnchorError {
    /// The file's name.
    pub name: String,
    /// What is wrong with it.
    #[source]
    pub source: TrustError,
}

/// Why there is no way to a permitted origin.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DestinationError {
    #[error(transparent)]
    Peer(#[from] PeerError),
    #[error("the trust anchor that the operator's map names for this origin is unusable")]
    Anchor(#[from] TrustError),
}

impl HttpClient {
    /// A client that asks the system's resolver.
    ///
    /// # Errors
    /// When the public roots cannot be used.
    pub(crate) fn new(
        clock: Arc<dyn Clock>,
        own: OwnAddresses,
        secrets: Arc<dyn SecretSource>,
    ) -> Result<Self, TrustError> {
        Ok(Self {
            clock,
            days: DayCounters::new(),
            secrets,
            resolver: Arc::new(SystemResolver::new()),
            own,
            public: trust::public()?,
            anchored: Mutex::default(),
            loopback: Vec::new(),
            mapped_only: false,
        })
    }

    /// The same with another resolver.
    #[cfg(test)]
    pub(crate) fn with_resolver(self, resolver: Arc<dyn Resolve>) -> Self {
        Self { resolver, ..self }
    }

    /// The same with ports of this machine's loopback that permitted requests may reach: an author's own server.
    #[must_use]
    pub(crate) fn with_loopback(self, ports: Vec<u16>) -> Self {
        Self { loopback: ports, ..self }
    }

    /// The same, but reaching only what the operator's map names: no name is resolved.
    #[must_use]
    pub(crate) fn mapped_only(self, mapped_only: bool) -> Self {
        Self { mapped_only, ..self }
    }

    /// Parses the trust anchors that the operator's map of peers may name (file name and PEM text of each) ahead of
    /// the first request, so that an unusable one is told when it is loaded.
    ///
    /// # Errors
    /// When one of them is unusable; then nothing changes.
    pub(crate) fn set_anchors(
        &self,
        files: impl IntoIterator<Item = (String, Vec<u8>)>,
    ) -> Result<(), AnchorError> {
        let parse = |(name, pem): (String, Vec<u8>)| match trust::anchored(&pem) {
            Ok(config) => Ok((Digest::of(&pem), config)),
            Err(source) => Err(AnchorError { name, source }),
        };
        let parsed = files.into_iter().map(parse).collect::<Result<HashMap<_, _>, _>>()?;
        *self.anchored.lock() = parsed;
        Ok(())
    }

    /// The counters of the day, to be restored at start.
    #[must_use]
    pub(crate) fn days(&self) -> &DayCounters {
        &self.days
    }

    /// Finds the addresses of a permitted request, and whom to trust there.
    pub(crate) async fn destination(
        &self,
        permit: &Permit<HttpRequest>,
        peers: &PeerMap,
        within: Duration,
    ) -> Result<Destination, DestinationError> {
        let origin = permit.origin();
        if let Some(mapped) = peers.get(origin) {
            let config = mapped.anchor().map(|pem| self.anchored(pem)).transpose()?;
            return Ok(self.to(permit, vec![mapped.address()], config, true));
        }
        let (host, port) = (&*origin.host, origin.port);
        if self.mapped_only {
            return Err(PeerError::Unmapped { host: host.to_owned() }.into());
        }
        let found = match self.author_loopback(host, port) {
            Some(found) => found,
            None => peer::checked(&*self.resolver, &self.own, host, port, within).await?,
        };
        Ok(self.to(permit, found, None, false))
    }

    fn to(
        &self,
        permit: &Permit<HttpRequest>,
        peers: Vec<SocketAddr>,
        config: Option<Arc<ClientConfig>>,
        mapped: bool,
    ) -> Destination {
        let origin = permit.origin();
        let tls = (origin.scheme == Scheme::Https).then(|| {
            let config = config.unwrap_or_else(|| Arc::clone(&self.public));
            (origin.host.to_string(), config)
        });
        Destination { route: Route { peers, tls }, mapped }
    }

    fn author_loopback(&self, host: &str, port: u16) -> Option<Vec<SocketAddr>> {
        if !self.loopback.contains(&port) {
            return None;
        }
        let (v4, v6) = (IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST));
        let ips: &[IpAddr] = match host {
            "localhost" => &[v4, v6],
            "127.0.0.1" => &[v4],
            "[::1]" | "::1" => &[v6],
            _ => return None,
        };
        Some(ips.iter().map(|ip| SocketAddr::new(*ip, port)).collect())
    }

    fn anchored(&self, pem: &str) -> Result<Arc<ClientConfig>, TrustError> {
        let digest = Digest::of(pem.as_bytes());
        if let Some(config) = self.anchored.lock().get(&digest) {
            return Ok(Arc::clone(config));
        }
        let config = trust::anchored(pem.as_bytes())?;
        let mut anchored = self.anchored.lock();
        if anchored.len() >= ANCHORS_MAX {
            anchored.clear();
        }
        anchored.insert(digest, Arc::clone(&config));
        Ok(config)
    }
}
