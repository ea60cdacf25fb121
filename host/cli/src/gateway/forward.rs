//! From a client's request to an upstream's answer. Bodies pass as they come, both ways.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::IpAddr;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use http::{HeaderValue, Method, Request, Response, Version, header};
use http_body_util::{LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper_util::client::legacy;
use soma_host::edge::Site;
use soma_policy::Code;

use super::answer::{Answer, forwarded, problem};
use super::route::{Side, side};
use super::{Gateway, Upload, Upstream, fields};

/// Largest body of a request: a component of 32 MiB with its papers, in base64.
const BODY_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Longest path with its query.
const URI_BYTES_MAX: usize = 8 * 1024;
/// How long the server may take to begin its answer. A host's calls have limits of their own.
const SERVER: Duration = Duration::from_secs(120);

impl Gateway {
    /// Answers one request of a client.
    pub(super) async fn answer(&self, request: Request<Incoming>, client: IpAddr) -> Answer {
        let begun = Instant::now();
        let (side, answer) = match self.admit(&request) {
            Err(refused) => (Side::Own, *refused),
            Ok(Side::Own) => (Side::Own, self.own(&request).await),
            Ok(Side::Server) => (Side::Server, self.to_server(request, client).await),
            Ok(side) => (side, self.to_host(side, request).await),
        };
        self.figures.request(side, answer.status(), begun.elapsed());
        answer
    }

    /// Which side the request is for, or why it goes nowhere.
    fn admit(&self, request: &Request<Incoming>) -> Result<Side, Box<Answer>> {
        let refuse = |code, words: &str| Err(Box::new(problem(code, words)));
        if matches!(*request.method(), Method::CONNECT | Method::TRACE) {
            return refuse(Code::MethodNotAllowed, "CONNECT and TRACE are not served");
        }
        if request.headers().contains_key(header::UPGRADE) {
            return refuse(
                Code::NotAcceptable,
                "no connection is upgraded here; leave `upgrade` out",
            );
        }
        if request.uri().path_and_query().map_or(0, |it| it.as_str().len()) > URI_BYTES_MAX {
            return refuse(Code::UriTooLong, "path and query have at most 8 KiB");
        }
        let Some(named) = authority(request) else {
            return refuse(Code::HostUnknown, "the request names no host, or more than one");
        };
        match self.domains.site(named) {
            Ok(Site::App(_)) => Ok(Side::App),
            Ok(Site::Api) => Ok(side(request.method(), request.uri().path(), self.kept)),
            Err(error) => refuse(Code::HostUnknown, &error.to_string()),
        }
    }

    async fn to_server(&self, request: Request<Incoming>, client: IpAddr) -> Answer {
        let prepared = prepared(Side::Server, request, &self.server);
        let Some(mut request) = prepared else { return not_an_address() };
        fields::speak_for(client, request.headers_mut());
        match tokio::time::timeout(SERVER, self.send(request)).await {
            Ok(Ok(answer)) => forwarded(answer),
            Ok(Err(error)) => failed(&error, "the server"),
            Err(_) => problem(Code::HostUnreachable, "the server did not answer in time"),
        }
    }

    async fn to_host(&self, side: Side, request: Request<Incoming>) -> Answer {
        let Some(host) = self.host_for(&request) else {
            return problem(Code::HostUnreachable, "no host is behind this gateway");
        };
        let Some(request) = prepared(side, request, host) else { return not_an_address() };
        match self.send(request).await {
            Ok(answer) => forwarded(answer),
            Err(error) => failed(&error, "the host"),
        }
    }

    /// A repeat under the same key goes to the host that had it first; all else in turn.
    fn host_for(&self, request: &Request<Incoming>) -> Option<&Upstream> {
        let turn = match request.headers().get("idempotency-key") {
            Some(key) => {
                let mut hasher = DefaultHasher::new();
                key.as_bytes().hash(&mut hasher);
                usize::try_from(hasher.finish() % (1 << 31)).unwrap_or_default()
            }
            None => self.turn.fetch_add(1, Ordering::Relaxed),
        };
        self.hosts.get(turn.checked_rem(self.hosts.len())?)
    }

    async fn send(&self, request: Request<Upload>) -> Result<Response<Incoming>, legacy::Error> {
        let mut answer = self.client.request(request).await?;
        fields::release(answer.headers_mut());
        Ok(answer)
    }
}

/// The one host name of a request. An absolute target must not say another one.
fn authority<B>(request: &Request<B>) -> Option<&str> {
    let mut hosts = request.headers().get_all(header::HOST).iter();
    let (Some(only), None) = (hosts.next(), hosts.next()) else { return None };
    let named = only.to_str().ok()?;
    match request.uri().authority() {
        Some(target) if !target.as_str().eq_ignore_ascii_case(named) => None,
        _ => Some(named),
    }
}

/// The request as the upstream gets it. The host name passes only where it says which capsule is meant; the
/// interface answers to the upstream's own.
fn prepared(side: Side, request: Request<Incoming>, to: &Upstream) -> Option<Request<Upload>> {
    let (mut parts, body) = request.into_parts();
    parts.uri = to.at(parts.uri.path_and_query()).ok()?;
    parts.version = Version::HTTP_11;
    parts.extensions.clear();
    fields::admit(&mut parts.headers);
    if side != Side::App {
        parts.headers.insert(header::HOST, HeaderValue::from_str(to.authority()).ok()?);
    }
    Some(Request::from_parts(parts, Limited::new(body, BODY_BYTES_MAX)))
}

fn not_an_address() -> Answer {
    problem(Code::RouteUnknown, "the path does not parse")
}

fn failed(error: &legacy::Error, who: &str) -> Answer {
    if is_too_large(error) {
        return problem(Code::BodyTooLarge, "the body is larger than 64 MiB");
    }
    tracing::warn!(%error, who, "an upstream did not answer");
    let words =
        if error.is_connect() { "cannot be reached" } else { "broke off before it answered" };
    problem(Code::HostUnreachable, &format!("{who} {words}"))
}

fn is_too_large(error: &legacy::Error) -> bool {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(inner) = cause {
        if inner.is::<LengthLimitError>() {
            return true;
        }
        cause = inner.source();
    }
    false
}
