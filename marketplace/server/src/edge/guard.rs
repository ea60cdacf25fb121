//! What every request passes before its handler, and every answer after it: a name for the logs, the
//! rate of its sender, the length of its address, the figures.

use std::net::IpAddr;
use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::{HeaderName, HeaderValue};
use soma_policy::Code;

use super::hurry::hurried;
use super::problem::Problem;
use super::sender::named;
use crate::server::Server;

/// Routes that hash or guess: slower for each sender than the others.
const COSTLY: [&str; 6] = [
    "/v1/bootstrap",
    "/v1/auth/login",
    "/v1/auth/refresh",
    "/v1/auth/exchange",
    "/v1/auth/reset",
    "/v1/invitations/accept",
];
/// Longest path with its query.
const URI_BYTES_MAX: usize = 8 * 1024;
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

tokio::task_local! {
    static TRACE: String;
}

/// The name of the request that is under way; empty outside of one.
pub(crate) fn trace_id() -> String {
    TRACE.try_with(Clone::clone).unwrap_or_default()
}

/// Where a request came from; the listener notes it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer(pub(crate) IpAddr);

/// The one layer around all routes.
pub(super) async fn guard(State(server): State<Server>, request: Request, next: Next) -> Response {
    let trace = given_trace(&request).unwrap_or_else(|| server.fresh_text());
    let echoed = given_id(&request).unwrap_or_else(|| trace.clone());
    let begun = Instant::now();
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>();
    let route = route.map_or_else(|| "unmatched".to_owned(), |path| path.as_str().to_owned());
    let answered = TRACE.scope(trace, async {
        match admit(&server, &request) {
            Ok(()) => next.run(hurried(request)).await,
            Err(problem) => problem.into_response(),
        }
    });
    let mut response = answered.await;
    if let Ok(value) = HeaderValue::from_str(&echoed) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    server.metrics.request(method.as_str(), &route, response.status().as_u16(), begun.elapsed());
    response
}

fn admit(server: &Server, request: &Request) -> Result<(), Problem> {
    if request.uri().path_and_query().map_or(0, |it| it.as_str().len()) > URI_BYTES_MAX {
        return Err(Problem::new(Code::UriTooLong, "path and query have at most 8 KiB"));
    }
    if let Some(sender) = named(request.extensions(), request.headers(), server) {
        let now = server.now();
        let verdict = server.peers.ask(&sender, now);
        if !verdict.passes {
            return Err(Problem::too_fast(verdict));
        }
        if COSTLY.contains(&request.uri().path()) {
            let verdict = server.logins.ask(&format!("peer:{sender}"), now);
            if !verdict.passes {
                return Err(Problem::too_fast(verdict));
            }
        }
    }
    Ok(())
}

/// One sender: an IPv4 address, or the IPv6 network that one customer has.
pub(super) fn network(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            format!("{a:x}:{b:x}:{c:x}:{d:x}::/64")
        }
    }
}

/// The trace id of a `traceparent`, if it is a sound one.
fn given_trace(request: &Request) -> Option<String> {
    let text = request.headers().get("traceparent")?.to_str().ok()?;
    let mut parts = text.split('-');
    let (version, trace) = (parts.next()?, parts.next()?);
    let hex = |text: &str| text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
    let sound =
        version == "00" && trace.len() == 32 && hex(trace) && trace.bytes().any(|b| b != b'0');
    sound.then(|| trace.to_owned())
}

/// The sender's own name for the request, if it is short and plain.
fn given_id(request: &Request) -> Option<String> {
    let text = request.headers().get(REQUEST_ID)?.to_str().ok()?;
    let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_' || b == b'.';
    (!text.is_empty() && text.len() <= 64 && text.bytes().all(plain)).then(|| text.to_owned())
}
