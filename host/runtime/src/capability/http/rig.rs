//! Real servers on loopback for the tests of outbound HTTP: an own authority, TLS with either protocol, and a server
//! that says exactly the bytes it is told to.

use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls_pki_types::PrivateKeyDer;
use soma_policy::{
    CallId, CallScope, Caller, CapsuleFacts, Declarations, Digest, Fingerprint, Grants, HostId,
    Installation, InstallationSpec, JournalId, KillSet, Limits, LimitsAsk, OnUpdate,
    OperatorPolicy, PolicySources, Timestamp, authorise,
};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use crate::clock::FixedClock;
use crate::gate::Gate;
use crate::journal::{Journal, JournalOptions, test_key};
use crate::lease::{Ask, LeaseReplay, Leases, Reservation};
use crate::running::{CallIds, NewCall, Running};

/// The moment at which the tests' clocks stand.
pub(crate) const NOW: Timestamp = Timestamp(1_800_000_000_000);

/// A certificate authority that lives for one test.
pub(crate) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        Self { issuer }
    }

    pub(crate) fn pem(&self) -> String {
        self.issuer.pem()
    }

    fn server_config(&self, name: &str, alpn: &[&[u8]]) -> Arc<ServerConfig> {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        let leaf = params.signed_by(&key, &self.issuer).unwrap();
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![leaf.der().clone()], key)
            .unwrap();
        config.alpn_protocols = alpn.iter().map(|protocol| protocol.to_vec()).collect();
        Arc::new(config)
    }
}

async fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// An HTTPS server for `name` that answers with `answer`, over the protocols of `alpn`.
pub(crate) async fn https<A, F>(
    authority: &Authority,
    name: &str,
    alpn: &[&[u8]],
    answer: A,
) -> SocketAddr
where
    A: Fn(Request<Incoming>) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Response<Full<Bytes>>> + Send + 'static,
{
    let acceptor = TlsAcceptor::from(authority.server_config(name, alpn));
    let (listener, address) = listener().await;
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (acceptor, answer) = (acceptor.clone(), answer.clone());
            tokio::spawn(async move {
                let Ok(stream) = acceptor.accept(stream).await else { return };
                serve(stream, answer).await;
            });
        }
    });
    address
}

/// A plain server that answers with `answer`.
pub(crate) async fn http<A, F>(answer: A) -> SocketAddr
where
    A: Fn(Request<Incoming>) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Response<Full<Bytes>>> + Send + 'static,
{
    let (listener, address) = listener().await;
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream, answer.clone()));
        }
    });
    address
}

async fn serve<S, A, F>(stream: S, answer: A)
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Send + Unpin + 'static,
    A: Fn(Request<Incoming>) -> F + Send + Sync + 'static,
    F: Future<Output = Response<Full<Bytes>>> + Send + 'static,
{
    let answer = Arc::new(answer);
    let service = service_fn(move |request| {
        let answer = answer.clone();
        async move { Ok::<_, Infallible>(answer(request).await) }
    });
    // How a connection of a test ends is the test's business.
    let _ = hyper_util::server::conn::auto::Builder::new(TokioExecutor::new())
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

/// A server that reads one request head and then says `bytes`, once, and closes only if told to.
pub(crate) async fn says(bytes: &'static [u8], close: bool) -> SocketAddr {
    scripted(move |mut stream| async move {
        read_head(&mut stream).await;
        // The client may have gone by now.
        let _ = stream.write_all(bytes).await;
        if !close {
            std::future::pending::<()>().await;
        }
    })
    .await
}

/// A server that does with each connection what it is told to.
pub(crate) async fn scripted<S, F>(script: S) -> SocketAddr
where
    S: Fn(TcpStream) -> F + Send + 'static,
    F: Future<Output = ()> + Send + 'static,
{
    let (listener, address) = listener().await;
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(script(stream));
        }
    });
    address
}

/// Reads until the blank line, and gives what was read.
pub(crate) async fn read_head(stream: &mut TcpStream) -> Vec<u8> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read(&mut byte).await {
            Ok(1) => head.push(byte[0]),
            _ => break,
        }
    }
    head
}

/// An address at which nobody listens.
pub(crate) async fn closed_port() -> SocketAddr {
    let (listener, address) = listener().await;
    drop(listener);
    address
}

/// What differs from call to call.
#[derive(Default)]
pub(crate) struct Setup<'a> {
    /// The `[capabilities]` tables, without that prefix.
    pub(crate) declared: &'a str,
    /// The `[grants]` tables; as declared without.
    pub(crate) granted: Option<&'a str>,
    /// `peers.toml`.
    pub(crate) peers: &'a str,
    /// The text of `ca.pem` beside it.
    pub(crate) anchor: Option<&'a str>,
    pub(crate) limits: LimitsAsk,
    pub(crate) without_journal: bool,
}

/// A call that is about to run.
pub(crate) fn running(limits: Limits) -> Arc<Running> {
    let installation = Arc::new(installation(&Setup::default(), &policy(&Setup::default())));
    new_call(&installation, limits)
}

/// The gate of a call that is about to run, and the folder of its journal.
pub(crate) fn gate(setup: &Setup<'_>) -> (Gate, TempDir) {
    let policy = Arc::new(policy(setup));
    let installation = Arc::new(installation(setup, &policy));
    let running = new_call(&installation, installation.limits);
    running.set_start(Box::pin(std::future::ready(!setup.without_journal)));
    let key = &installation.key;
    let (org, environment) = (key.org.clone(), key.environment.clone());
    let caller = Caller::new(org, environment, "test", None, CallScope::All);
    let function = "run".parse().unwrap();
    let kills = KillSet::default();
    let authorised = authorise(&installation, &caller, &function, &policy, &kills, NOW).unwrap();
    let home = tempfile::tempdir().unwrap();
    let reservation = Arc::new(reservation(&installation, home.path()));
    (Gate::new(authorised, running, reservation), home)
}

/// Nothing is reserved: the probe has no price.
fn reservation(installation: &Installation, home: &Path) -> Reservation {
    let options = JournalOptions::new(
        home.join("journal"),
        home.join("head/journal"),
        JournalId::from_u128(1),
        HostId::from_u128(2),
        NOW,
    );
    let journal = Journal::open(options, test_key(), &mut |_| {}).unwrap();
    let clock = Arc::new(FixedClock::new(NOW, 0));
    let leases = Leases::new(clock, journal, LeaseReplay::default());
    let ask = Ask { key: &installation.key, price: None, budget: None };
    leases.take(ask, None, NOW).unwrap()
}

fn policy(setup: &Setup<'_>) -> OperatorPolicy {
    let anchors = setup.anchor.map(|pem| ("ca.pem".to_owned(), pem.to_owned()));
    let sources = PolicySources {
        anchors: anchors.into_iter().collect(),
        peers: Some(setup.peers.to_owned()),
        ..PolicySources::starter()
    };
    OperatorPolicy::load(&sources).unwrap()
}

fn installation(setup: &Setup<'_>, policy: &OperatorPolicy) -> Installation {
    let declared: Declarations = toml::from_str(setup.declared).unwrap();
    let grants = match setup.granted {
        Some(text) => toml::from_str(text).unwrap(),
        None => Grants::as_declared(&declared),
    };
    let facts = CapsuleFacts {
        name: "acme/probe".parse().unwrap(),
        version: "1.0.0".parse().unwrap(),
        digest: Digest::of(b"probe"),
        declarations: declared,
        limits_asked: setup.limits,
        price: None,
        signer: Fingerprint::of_spki(b"key"),
        imports: Vec::new(),
    };
    let spec = InstallationSpec {
        schema: InstallationSpec::SCHEMA,
        tenant: "local".parse().unwrap(),
        environment: "production".parse().unwrap(),
        capsule: facts.name.clone(),
        version: "*".parse().unwrap(),
        digest: facts.digest,
        on_update: OnUpdate::default(),
        config: std::collections::BTreeMap::new(),
        grants,
        budget: None,
        limits: LimitsAsk::default(),
        offer: None,
    };
    Installation::compile("probe".parse().unwrap(), spec, &facts, policy, 1).unwrap()
}

fn new_call(installation: &Arc<Installation>, limits: Limits) -> Arc<Running> {
    let call = CallId::from_u128(1);
    Running::new(NewCall {
        ids: CallIds { call, parent: None, root: call },
        installation: installation.clone(),
        function: "run".to_owned(),
        limits,
        // The fixed clock's monotonic time is its wall time.
        started: std::time::Duration::from_millis(NOW.0),
        parent_cut: None,
    })
}
