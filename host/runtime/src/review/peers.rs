//! Fake peers: one listener on this machine that stands for every origin that the submission declares.
//!
//! How it behaves is switched between scenarios. It has a certificate authority of its own for one review; nothing
//! outside trusts it, and nothing outside is reached.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use futures::StreamExt as _;
use http::{Request, Response};
use http_body_util::{BodyExt as _, StreamBody, combinators::UnsyncBoxBody};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use soma_policy::Scheme;
use soma_policy::feed::{Reached, Scenario};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use super::{ReviewError, at};

/// Requests that are remembered, each once.
const REACHED_MAX: usize = 256;
/// Connections at one time; more wait.
const CONNECTIONS_MAX: usize = 64;
const PATH_CHARS_MAX: usize = 200;
/// The name of the anchor beside `peers.toml`.
const ANCHOR: &str = "review-ca.pem";

type Body = UnsyncBoxBody<Bytes, std::io::Error>;

/// An origin that stands for a declared one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Declared {
    pub(super) scheme: Scheme,
    pub(super) host: String,
    pub(super) port: u16,
}

/// The peers of one review; they end with the value.
#[derive(Debug)]
pub(super) struct Peers {
    state: Arc<State>,
    origins: Vec<(Declared, SocketAddr)>,
    anchor: String,
    tasks: Vec<tokio::task::JoinHandle<()>>,
}

#[derive(Debug)]
struct State {
    scenario: AtomicUsize,
    reached: Mutex<BTreeSet<Reached>>,
}

impl State {
    fn scenario(&self) -> Scenario {
        let at = self.scenario.load(Ordering::Acquire);
        Scenario::ALL.get(at).copied().unwrap_or(Scenario::Gone)
    }

    fn note(&self, request: &Request<Incoming>, scheme: Scheme) {
        let host = request.headers().get(http::header::HOST).and_then(|host| host.to_str().ok());
        let authority = request.uri().authority().map(http::uri::Authority::as_str).or(host);
        let reached = Reached {
            method: request.method().to_string(),
            origin: format!("{scheme}://{}", authority.unwrap_or_default()),
            path: request.uri().path().chars().take(PATH_CHARS_MAX).collect(),
        };
        let mut all = self.reached.lock();
        if all.len() < REACHED_MAX {
            all.insert(reached);
        }
    }
}

impl Peers {
    /// Starts listening for these origins.
    pub(super) async fn start(declared: Vec<Declared>) -> Result<Self, ReviewError> {
        let state = Arc::new(State { scenario: AtomicUsize::new(0), reached: Mutex::default() });
        let names = declared.iter().map(|origin| origin.host.clone()).collect();
        let (anchor, usual, astray) = certificates(names)?;
        let mut peers = Self { state, origins: Vec::new(), anchor, tasks: Vec::new() };
        for scheme in [Scheme::Https, Scheme::Http] {
            let here = declared.iter().filter(|origin| origin.scheme == scheme);
            let here: Vec<Declared> = here.cloned().collect();
            if here.is_empty() {
                continue;
            }
            let listener = TcpListener::bind(("127.0.0.1", 0)).await.map_err(at("a fake peer"))?;
            let address = listener.local_addr().map_err(at("a fake peer"))?;
            peers.origins.extend(here.into_iter().map(|origin| (origin, address)));
            let tls = (scheme == Scheme::Https).then(|| (usual.clone(), astray.clone()));
            peers.tasks.push(tokio::spawn(listen(listener, tls, Arc::clone(&peers.state))));
        }
        Ok(peers)
    }

    /// Whether anything was declared.
    pub(super) fn is_empty(&self) -> bool {
        self.origins.is_empty()
    }

    /// From now on the peers behave so.
    pub(super) fn play(&self, scenario: Scenario) {
        let at = Scenario::ALL.iter().position(|it| *it == scenario).unwrap_or_default();
        self.state.scenario.store(at, Ordering::Release);
    }

    /// What was asked for so far.
    pub(super) fn reached(&self) -> BTreeSet<Reached> {
        self.state.reached.lock().clone()
    }

    /// Writes the operator's mapping that leads here.
    pub(super) fn write(&self, policy: &Path) -> Result<(), ReviewError> {
        let mut text = String::from("# The fake peers of one review.\n");
        for (Declared { scheme, host, port }, address) in &self.origins {
            let _ = write!(text, "\n[[peer]]\norigin = \"{scheme}://{host}:{port}\"\n");
            let _ = writeln!(text, "address = \"{address}\"");
            if *scheme == Scheme::Https {
                let _ = writeln!(text, "anchor = \"{ANCHOR}\"");
            }
        }
        crate::home::write_private(&policy.join("peers.toml"), text.as_bytes())?;
        crate::home::write_private(&policy.join(ANCHOR), self.anchor.as_bytes())?;
        Ok(())
    }
}

impl Drop for Peers {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

/// The anchor, the certificate for the declared names, and one for somebody else.
fn certificates(names: Vec<String>) -> Result<(String, TlsAcceptor, TlsAcceptor), ReviewError> {
    let mut authority =
        rcgen::CertificateParams::new(Vec::new()).map_err(at("a certificate authority"))?;
    authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Constrained(0));
    authority.distinguished_name.push(rcgen::DnType::CommonName, "soma behaviour review");
    let key = rcgen::KeyPair::generate().map_err(at("a certificate authority"))?;
    let own = authority.self_signed(&key).map_err(at("a certificate authority"))?;
    let issuer = rcgen::Issuer::new(authority, key);
    let usual = acceptor(names, &issuer)?;
    let astray = acceptor(vec!["astray.invalid".to_owned()], &issuer)?;
    Ok((own.pem(), usual, astray))
}

fn acceptor(
    names: Vec<String>,
    issuer: &rcgen::Issuer<'_, rcgen::KeyPair>,
) -> Result<TlsAcceptor, ReviewError> {
    let key = rcgen::KeyPair::generate().map_err(at("a certificate"))?;
    let params = rcgen::CertificateParams::new(names).map_err(at("a certificate"))?;
    let leaf = params.signed_by(&key, issuer).map_err(at("a certificate"))?;
    let key = rustls_pki_types::PrivateKeyDer::Pkcs8(key.serialize_der().into());
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(at("TLS"))?
        .with_no_client_auth()
        .with_single_cert(vec![leaf.der().clone()], key)
        .map_err(at("TLS"))?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

async fn listen(listener: TcpListener, tls: Option<(TlsAcceptor, TlsAcceptor)>, state: Arc<State>) {
    let room = Arc::new(tokio::sync::Semaphore::new(CONNECTIONS_MAX));
    // Connections end with the listener's task.
    let mut open = tokio::task::JoinSet::new();
    while let Ok(place) = Arc::clone(&room).acquire_owned().await {
        let Ok((stream, _)) = listener.accept().await else { continue };
        while open.try_join_next().is_some() {}
        let (tls, state) = (tls.clone(), Arc::clone(&state));
        open.spawn(async move {
            connection(stream, tls, state).await;
            drop(place);
        });
    }
}

async fn connection(stream: TcpStream, tls: Option<(TlsAcceptor, TlsAcceptor)>, state: Arc<State>) {
    let scenario = state.scenario();
    if scenario == Scenario::Gone {
        return;
    }
    let Some((usual, astray)) = tls else { return talk(stream, Scheme::Http, state).await };
    let acceptor = if scenario == Scenario::Astray { astray } else { usual };
    if let Ok(stream) = acceptor.accept(stream).await {
        talk(stream, Scheme::Https, state).await;
    }
}

async fn talk(stream: impl AsyncRead + AsyncWrite + Unpin, scheme: Scheme, state: Arc<State>) {
    let service = service_fn(move |request: Request<Incoming>| {
        let state = Arc::clone(&state);
        async move {
            state.note(&request, scheme);
            Ok::<_, Infallible>(answer(state.scenario()).await)
        }
    });
    let server = hyper::server::conn::http1::Builder::new();
    // A guest that breaks off is part of what is watched.
    let _ = server.serve_connection(TokioIo::new(stream), service).await;
}

async fn answer(scenario: Scenario) -> Response<Body> {
    match scenario {
        Scenario::Errors => whole(503, "{\"message\":\"unavailable\"}"),
        Scenario::Broken => broken(),
        Scenario::Huge => huge(),
        Scenario::Slow | Scenario::Killed => std::future::pending().await,
        _ => whole(200, "{}"),
    }
}

fn respond(status: u16, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = http::StatusCode::from_u16(status).unwrap_or_default();
    let json = http::HeaderValue::from_static("application/json");
    response.headers_mut().insert(http::header::CONTENT_TYPE, json);
    response
}

fn whole(status: u16, text: &'static str) -> Response<Body> {
    let body = http_body_util::Full::new(Bytes::from_static(text.as_bytes()));
    respond(status, body.map_err(|never| match never {}).boxed_unsync())
}

/// As fast as the reader reads, without an end.
fn huge() -> Response<Body> {
    let piece = Bytes::from(vec![b' '; 64 * 1024]);
    let endless = futures::stream::repeat_with(move || Ok(Frame::data(piece.clone())));
    respond(200, StreamBody::new(endless).boxed_unsync())
}

/// Half of an object, and then an error.
fn broken() -> Response<Body> {
    let half = Ok(Frame::data(Bytes::from_static(b"{\"half\":")));
    let pieces = [half, Err(std::io::Error::other("broken off on purpose"))];
    respond(200, StreamBody::new(futures::stream::iter(pieces).boxed()).boxed_unsync())
}
