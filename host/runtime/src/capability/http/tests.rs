//! Requests through the whole hook: decided, resolved, connected, answered, or refused at the right place.

use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use bytes::Bytes;
use futures::future::BoxFuture;
use http::{HeaderMap, Response, header};
use http_body_util::{BodyExt, Empty, Full};
use hyper::body::Incoming;
use soma_policy::{Code, InstallationKey, Label, LimitKind, LimitsAsk, OrderId, SecretName};
use zeroize::Zeroizing;

use super::peer::Resolve;
use super::rig::{self, Authority, Setup};
use super::*;
use crate::clock::FixedClock;
use crate::running::Cut;

mod secrets;

const API: &str = r#"
    [http.api]
    origin = "https://api.example.com:443"
    methods = ["GET", "POST"]
    paths = ["/repos/**", "/echo"]
"#;
const VALUE: &[u8] = b"s3cret/value+1";

/// A name server that says the same to everybody, and counts how often it is asked.
struct Answers {
    ips: Vec<IpAddr>,
    asked: AtomicUsize,
}

impl Resolve for Answers {
    fn resolve<'a>(&'a self, _host: &'a str) -> BoxFuture<'a, std::io::Result<Vec<IpAddr>>> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let ips = self.ips.clone();
        Box::pin(async move { Ok(ips) })
    }
}

struct OneSecret;

impl SecretSource for OneSecret {
    fn reveal<'a>(
        &'a self,
        _owner: &'a InstallationKey,
        name: &'a SecretName,
    ) -> BoxFuture<'a, Result<Option<Zeroizing<Vec<u8>>>, SecretUnavailable>> {
        let value = (name.as_str() == "token").then(|| Zeroizing::new(VALUE.to_vec()));
        Box::pin(std::future::ready(Ok(value)))
    }
}

/// A guest's side of the hook.
struct Guest {
    hooks: Hooks,
    resolver: Arc<Answers>,
    _home: tempfile::TempDir,
}

impl Guest {
    fn new(setup: &Setup<'_>, ips: &[&str]) -> Self {
        Self::with(setup, ips, Arc::new(OneSecret))
    }

    /// A guest whose secrets come from elsewhere.
    fn with(setup: &Setup<'_>, ips: &[&str], secrets: Arc<dyn SecretSource>) -> Self {
        let clock = Arc::new(FixedClock::new(rig::NOW, 0));
        let resolver = Arc::new(Answers {
            ips: ips.iter().map(|ip| ip.parse().unwrap()).collect(),
            asked: AtomicUsize::new(0),
        });
        let client = HttpClient::new(clock, OwnAddresses::default(), secrets).unwrap();
        let client = client.with_resolver(resolver.clone());
        let (gate, _home) = rig::gate(setup);
        let hooks = Hooks::new(gate, Arc::new(client));
        Self { hooks, resolver, _home }
    }

    /// A guest whose requests to the api go to `peer`.
    fn mapped(declared: &str, peer: SocketAddr, authority: &Authority) -> Self {
        let peers = peers(peer);
        let anchor = authority.pem();
        let anchor = Some(anchor.as_str());
        Self::new(&Setup { declared, peers: &peers, anchor, ..Setup::default() }, &[])
    }

    fn running(&self) -> &Arc<crate::running::Running> {
        self.hooks.gate.running()
    }

    fn codes(&self) -> Vec<Code> {
        self.running().denials().0.into_iter().map(|denial| denial.code).collect()
    }

    async fn fetch(&mut self, request: Request<WasiBody>) -> Result<Response<String>, Error> {
        let (response, io) = Pin::from(self.send(request)).await?;
        let io = tokio::spawn(Pin::from(io));
        let (parts, body) = response.into_parts();
        let body = body.collect().await?.to_bytes();
        io.abort();
        Ok(Response::from_parts(parts, String::from_utf8(body.to_vec()).unwrap()))
    }

    fn send(
        &mut self,
        request: Request<WasiBody>,
    ) -> Box<dyn Future<Output = Result<Sent, Error>> + Send> {
        self.hooks.send_request(request, None, Box::new(async { Ok(()) }))
    }

    async fn get(&mut self, url: &str) -> Result<Response<String>, Error> {
        self.fetch(get(url)).await
    }
}

fn peers(peer: SocketAddr) -> String {
    format!(
        "[[peer]]\norigin = \"https://api.example.com:443\"\naddress = \"{peer}\"\nanchor = \"ca.pem\""
    )
}

fn nothing() -> WasiBody {
    Empty::new().map_err(|never| match never {}).boxed_unsync()
}

fn get(url: &str) -> Request<WasiBody> {
    Request::get(url).body(nothing()).unwrap()
}

fn post(url: &str, content_type: &str, body: &'static str) -> Request<WasiBody> {
    let body = Full::new(Bytes::from(body)).map_err(|never| match never {}).boxed_unsync();
    Request::post(url).header("content-type", content_type).body(body).unwrap()
}

/// Says back everything that it was sent.
async fn echo(request: Request<Incoming>) -> Response<Full<Bytes>> {
    let (parts, body) = request.into_parts();
    let mut said = format!("{} {}\n", parts.method, parts.uri);
    for (name, value) in &parts.headers {
        said.push_str(&format!("{name}: {}\n", value.to_str().unwrap()));
    }
    said.push_str(&String::from_utf8_lossy(&body.collect().await.unwrap().to_bytes()));
    let authorization = parts.headers.get("authorization").cloned();
    let mut response = Response::new(Full::new(said.into()));
    if let Some(value) = authorization {
        response.headers_mut().insert("x-echo", value);
    }
    response.headers_mut().insert("connection-id", "1".parse().unwrap());
    response.headers_mut().insert("via", "1.1 inner".parse().unwrap());
    response
}

async fn api(authority: &Authority) -> SocketAddr {
    rig::https(authority, "api.example.com", &[b"http/1.1"], echo).await
}

#[tokio::test]
async fn a_granted_request_reaches_the_mapped_peer_in_its_canonical_form() {
    let authority = Authority::new();
    let mut guest = Guest::mapped(API, api(&authority).await, &authority);
    let mut request = get("https://API.example.com:443/repos/%7Eacme?q=1");
    request.headers_mut().insert(header::HOST, "elsewhere.example".parse().unwrap());
    request.headers_mut().insert("x-forwarded-for", "10.0.0.1".parse().unwrap());
    request.headers_mut().insert("accept", "text/plain".parse().unwrap());
    let response = guest.fetch(request).await.unwrap();
    assert_eq!(
        response.body(),
        "GET /repos/~acme?q=1\naccept: text/plain\nhost: api.example.com\n"
    );
    assert!(!response.headers().contains_key("via"), "the host's fields stay with the host");
    assert_eq!(guest.running().mapped_peers(), ["https://api.example.com:443"]);
    assert_eq!(guest.resolver.asked.load(Ordering::Relaxed), 0, "a mapped name is not looked up");
    let usage = guest.running().usage(guest.running().started);
    assert!(usage.http_sent > 40 && usage.http_received > 60, "{usage:?}");
    assert!(guest.codes().is_empty());
}

#[tokio::test]
async fn what_is_not_granted_is_denied_before_anything_is_looked_up() {
    let table = [
        ("GET", "https://other.example.com/repos/a", Code::HttpOrigin),
        ("GET", "https://api.example.com:8443/repos/a", Code::HttpOrigin),
        ("GET", "http://api.example.com/repos/a", Code::HttpOrigin),
        ("GET", "https://169.254.169.254/latest/meta-data", Code::HttpOrigin),
        ("GET", "https://api.example.com/other", Code::HttpPath),
        ("DELETE", "https://api.example.com/repos/a", Code::HttpMethod),
        ("CONNECT", "https://api.example.com/repos/a", Code::HttpForbidden),
        ("TRACE", "https://api.example.com/repos/a", Code::HttpForbidden),
        ("GET", "ftp://api.example.com/repos/a", Code::HttpScheme),
        ("GET", "https://api.example.com@evil.example/repos/a", Code::HttpAmbiguous),
        ("GET", "https://u:p@api.example.com/repos/a", Code::HttpAmbiguous),
        ("GET", "https://api.example.com./repos/a", Code::HttpAmbiguous),
        ("GET", "https://api.example.com/repos/../other", Code::HttpAmbiguous),
        ("GET", "https://api.example.com/repos/%2e%2e/other", Code::HttpAmbiguous),
        ("GET", "https://api.example.com/repos%2fa", Code::HttpAmbiguous),
        ("GET", "https://api.example.com/repos//a", Code::HttpAmbiguous),
    ];
    for (method, url, code) in table {
        let mut guest =
            Guest::new(&Setup { declared: API, ..Setup::default() }, &["93.184.216.34"]);
        let mut request = get(url);
        *request.method_mut() = method.parse().unwrap();
        let refused = guest.fetch(request).await;
        assert!(matches!(refused, Err(Error::HttpRequestDenied)), "{method} {url}: {refused:?}");
        assert_eq!(guest.codes(), [code], "{method} {url}");
        assert_eq!(guest.resolver.asked.load(Ordering::Relaxed), 0, "{url}: a name is a channel");
    }
}

#[tokio::test]
async fn a_grant_narrower_than_the_declaration_holds() {
    let granted = API.replace("\"GET\", \"POST\"", "\"GET\"");
    let setup = Setup { declared: API, granted: Some(&granted), ..Setup::default() };
    let mut guest = Guest::new(&setup, &[]);
    let refused = guest.fetch(post("https://api.example.com/echo", "text/plain", "x")).await;
    assert!(matches!(refused, Err(Error::HttpRequestDenied)));
    let denial = &guest.running().denials().0[0];
    assert_eq!((denial.code, denial.layer), (Code::HttpMethod, soma_policy::Layer::Grant));
}

#[tokio::test]
async fn a_permitted_name_at_an_address_of_the_inside_is_denied() {
    for ips in [
        &["127.0.0.1"] as &[&str],
        &["10.0.0.1"],
        &["100.64.0.1"],
        &["169.254.169.254"],
        &["64:ff9b::7f00:1"],
        &["::ffff:127.0.0.1"],
        &["93.184.216.34", "127.0.0.1"],
    ] {
        let mut guest = Guest::new(&Setup { declared: API, ..Setup::default() }, ips);
        let refused = guest.get("https://api.example.com/repos/a").await;
        assert!(matches!(refused, Err(Error::DestinationIpProhibited)), "{ips:?}: {refused:?}");
        assert_eq!(guest.codes(), [Code::HttpPeer], "{ips:?}");
        assert_eq!(guest.resolver.asked.load(Ordering::Relaxed), 1);
    }
}

#[tokio::test]
async fn a_redirect_comes_back_and_following_it_is_a_decision_of_its_own() {
    async fn redirect(_: Request<Incoming>) -> Response<Full<Bytes>> {
        let response = Response::builder().status(302);
        let to = "http://169.254.169.254/latest/meta-data";
        response.header("location", to).body(Full::default()).unwrap()
    }
    let authority = Authority::new();
    let peer = rig::https(&authority, "api.example.com", &[b"h2"], redirect).await;
    let mut guest = Guest::mapped(API, peer, &authority);
    let response = guest.get("https://api.example.com/repos/a").await.unwrap();
    assert_eq!(response.status(), 302);
    let to = response.headers()["location"].to_str().unwrap().to_owned();
    assert!(matches!(guest.get(&to).await, Err(Error::HttpRequestDenied)));
    assert_eq!(guest.codes(), [Code::HttpOrigin]);
}

#[tokio::test]
async fn nothing_leaves_before_the_start_record_is_durable() {
    let setup = Setup { declared: API, without_journal: true, ..Setup::default() };
    let mut guest = Guest::new(&setup, &["93.184.216.34"]);
    assert!(guest.get("https://api.example.com/repos/a").await.is_err());
    assert_eq!(guest.resolver.asked.load(Ordering::Relaxed), 0);
    assert_eq!(guest.running().cut_reason(), Cut::Interrupted);
}

#[tokio::test]
async fn a_killed_call_sends_nothing_and_one_that_waits_is_let_go() {
    let authority = Authority::new();
    let mut killed = Guest::mapped(API, api(&authority).await, &authority);
    killed.running().cut(Cut::Killed(OrderId::from_u128(1)));
    let refused = killed.get("https://api.example.com/repos/a").await;
    assert!(matches!(refused, Err(Error::ConnectionTerminated)));

    async fn never(_: Request<Incoming>) -> Response<Full<Bytes>> {
        std::future::pending().await
    }
    let peer = rig::https(&authority, "api.example.com", &[b"h2"], never).await;
    let mut guest = Guest::mapped(API, peer, &authority);
    let running = guest.running().clone();
    let waits = tokio::spawn(Pin::from(guest.send(get("https://api.example.com/repos/a"))));
    while running.waiting_for().is_none() {
        tokio::task::yield_now().await;
    }
    assert_eq!(running.waiting_for().as_deref(), Some("http api.example.com"));
    running.cut(Cut::Killed(OrderId::from_u128(1)));
    assert!(matches!(waits.await.unwrap(), Err(Error::ConnectionTerminated)));
}

#[tokio::test]
async fn bytes_of_all_requests_of_a_call_count_together() {
    let authority = Authority::new();
    let bounded = format!("{API}\nper_call = {{ request = \"150 B\", response = \"64 KiB\" }}");
    let mut guest = Guest::mapped(&bounded, api(&authority).await, &authority);
    assert!(guest.get("https://api.example.com/repos/a").await.is_ok());
    assert!(guest.get("https://api.example.com/repos/a").await.is_ok());
    let refused = guest.get("https://api.example.com/repos/a").await;
    assert!(matches!(refused, Err(Error::HttpRequestBodySize(Some(150)))), "{refused:?}");
    assert_eq!(guest.codes(), [Code::HttpPerCall]);
}

#[tokio::test]
async fn requests_beyond_the_limit_at_one_time_end_the_call() {
    let limits = LimitsAsk { requests: Some(2), ..LimitsAsk::default() };
    let setup = Setup { declared: API, limits, ..Setup::default() };
    let mut guest = Guest::new(&setup, &[]);
    let first = guest.send(get("https://api.example.com/repos/a"));
    let _second = guest.send(get("https://api.example.com/repos/a"));
    drop(first);
    let _third = guest.send(get("https://api.example.com/repos/a"));
    assert!(guest.running().live().is_ok(), "a request that is over gives its place back");
    let _fourth = guest.send(get("https://api.example.com/repos/a"));
    assert_eq!(guest.running().cut_reason(), Cut::Limit(LimitKind::Requests));
}

#[tokio::test]
async fn floods_of_fields_and_targets_are_refused() {
    let mut guest = Guest::new(&Setup { declared: API, ..Setup::default() }, &[]);
    let mut request = get("https://api.example.com/repos/a");
    for _ in 0..=headers::FIELDS_MAX {
        request.headers_mut().append("x-a", "1".parse().unwrap());
    }
    let refused = guest.fetch(request).await;
    assert!(matches!(refused, Err(Error::HttpRequestHeaderSectionSize(_))));
    let long = format!("https://api.example.com/repos/{}", "a".repeat(headers::TARGET_BYTES_MAX));
    assert!(matches!(guest.get(&long).await, Err(Error::HttpRequestUriTooLong)));
}

#[tokio::test]
async fn an_author_reaches_the_loopback_port_that_was_allowed_and_no_other() {
    let allowed = rig::http(echo).await;
    let other = rig::http(echo).await;
    for (port, reached) in [(allowed.port(), true), (other.port(), false)] {
        let declared = format!(
            "[http.own]\norigin = \"http://127.0.0.1:{port}\"\nmethods = [\"GET\"]\npaths = [\"/**\"]"
        );
        let clock = Arc::new(FixedClock::new(rig::NOW, 0));
        let client = HttpClient::new(clock, OwnAddresses::default(), Arc::new(NoSecrets)).unwrap();
        let client = Arc::new(client.with_loopback(vec![allowed.port()]));
        let (gate, _home) = rig::gate(&Setup { declared: &declared, ..Setup::default() });
        let resolver = Arc::new(Answers { ips: Vec::new(), asked: AtomicUsize::new(0) });
        let hooks = Hooks::new(gate, client);
        let mut guest = Guest { hooks, resolver, _home };
        let answer = guest.get(&format!("http://127.0.0.1:{port}/a")).await;
        assert_eq!(answer.is_ok(), reached, "{answer:?}");
    }
}

#[tokio::test]
async fn times_are_the_guests_but_never_longer_than_the_call() {
    let authority = Authority::new();
    async fn never(_: Request<Incoming>) -> Response<Full<Bytes>> {
        std::future::pending().await
    }
    let peer = rig::https(&authority, "api.example.com", &[b"h2"], never).await;
    let mut guest = Guest::mapped(API, peer, &authority);
    let options = RequestOptions {
        first_byte_timeout: Some(Duration::from_millis(30)),
        ..RequestOptions::default()
    };
    let request = get("https://api.example.com/repos/a");
    let sent = guest.hooks.send_request(request, Some(options), Box::new(async { Ok(()) }));
    assert!(matches!(Pin::from(sent).await, Err(Error::HttpResponseTimeout)));
    let limits = LimitsAsk { wall: Some(soma_policy::Millis(40)), ..LimitsAsk::default() };
    let peers = peers(peer);
    let anchor = authority.pem();
    let anchor = Some(anchor.as_str());
    let setup = Setup { declared: API, peers: &peers, anchor, limits, ..Setup::default() };
    let mut short = Guest::new(&setup, &[]);
    let ended = short.get("https://api.example.com/repos/a").await;
    assert!(
        matches!(ended, Err(Error::HttpResponseTimeout | Error::ConnectionTimeout)),
        "{ended:?}"
    );
}
