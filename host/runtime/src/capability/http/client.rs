//! What all calls of a host share on their way out: resolver, trust, counters of the day, secrets.
//!
//! It holds no connection and no answer of a name server. Each operation takes a permit of the gate.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use rustls::ClientConfig;
use soma_policy::{HttpRequest, PeerMap, Scheme};

use super::connect::Route;
use super::day::DayCounters;
use super::peer::{self, OwnAddresses, PeerError, Resolve, SystemResolver};
use super::secrets::SecretSource;
use super::trust::{self, TrustError};
use crate::clock::Clock;
use crate::gate::Permit;

/// The way out of a host.
pub struct HttpClient {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) days: DayCounters,
    pub(crate) secrets: Arc<dyn SecretSource>,
    resolver: Arc<dyn Resolve>,
    own: OwnAddresses,
    public: Arc<ClientConfig>,
    /// By the name that the operator's map of peers uses.
    anchors: ArcSwap<HashMap<String, Arc<ClientConfig>>>,
    loopback: Vec<u16>,
}

/// Where a permitted request goes.
pub(crate) struct Destination {
    pub(crate) route: Route,
    /// The operator's map chose the address and the anchor.
    pub(crate) mapped: bool,
}

/// An anchor file that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("trust anchor `{name}`: {source}")]
pub struct AnchorError {
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
    #[error("the operator's map of peers names the trust anchor `{0}`, which is not loaded")]
    Anchor(String),
}

impl HttpClient {
    /// A client that asks the system's resolver.
    ///
    /// # Errors
    /// When the public roots cannot be used.
    pub fn new(
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
            anchors: ArcSwap::default(),
            loopback: Vec::new(),
        })
    }

    /// The same with another resolver.
    #[must_use]
    pub fn with_resolver(self, resolver: Arc<dyn Resolve>) -> Self {
        Self { resolver, ..self }
    }

    /// The same with ports of this machine's loopback that permitted requests may reach: an author's own server.
    #[must_use]
    pub fn with_loopback(self, ports: Vec<u16>) -> Self {
        Self { loopback: ports, ..self }
    }

    /// Replaces the trust anchors that the operator's map of peers may name: file name and PEM text of each.
    ///
    /// # Errors
    /// When one of them is unusable; then the former ones stay.
    pub fn set_anchors(
        &self,
        files: impl IntoIterator<Item = (String, Vec<u8>)>,
    ) -> Result<(), AnchorError> {
        let load = |(name, pem): (String, Vec<u8>)| match trust::anchored(&pem) {
            Ok(config) => Ok((name, config)),
            Err(source) => Err(AnchorError { name, source }),
        };
        let anchors: HashMap<_, _> = files.into_iter().map(load).collect::<Result<_, _>>()?;
        self.anchors.store(Arc::new(anchors));
        Ok(())
    }

    fn anchor(&self, name: &str) -> Result<Arc<ClientConfig>, DestinationError> {
        let anchors = self.anchors.load();
        anchors.get(name).cloned().ok_or_else(|| DestinationError::Anchor(name.to_owned()))
    }

    /// The counters of the day, to be restored at start.
    #[must_use]
    pub fn days(&self) -> &DayCounters {
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
            let config = mapped.anchor.as_deref().map(|name| self.anchor(name)).transpose()?;
            return Ok(self.to(permit, vec![mapped.address], config, true));
        }
        let (host, port) = (&*origin.host, origin.port);
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
}
