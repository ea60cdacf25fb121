//! Serving capsules that export `wasi:http/incoming-handler`, each on a host name of its own.
//!
//! A request is named, its caller known, its fields thinned out, and then it is a call like any other: authorised, leased,
//! registered, recorded, metered. The response is the guest's, thinned out too, and ends cleanly only when its receipt is
//! durable. Deliberately absent: TLS, the listener, and the routes of the host itself.

mod answer;
mod body;
mod call;
mod caller;
mod connection;
mod fields;
mod handed;
mod name;
mod upload;

use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use http::{Method, Request, Response, StatusCode, header};
use http_body::Body as _;
use hyper::body::Incoming;
use soma_policy::{Code, InstallationKey, LimitKind, Outcome};
use wasmtime_wasi_http::p2::bindings::http::types::Scheme;
use wasmtime_wasi_http::p2::body::HyperOutgoingBody;

pub(crate) use self::caller::caller as caller_of;
pub(crate) use self::connection::serve as serve_connection;
pub use self::fields::passes;
pub use self::name::{AppDomains, NameError, Site};

use self::answer::{Answer, name_call, problem, refusal};
use self::body::{Ahead, Gathered, Streamed};
use self::call::{Head, Served};
use crate::capability::http::headers::{FIELD_BYTES_MAX, measure};
use crate::host::Host;
use crate::invoke::CallReply;
use crate::running::{Cut, Running};

/// Bytes of a response that are read ahead, so that a short one goes out in one piece.
const AHEAD_BYTES: usize = 64 * 1024;
/// How long a response may stay unfinished before its head is sent.
const AHEAD: Duration = Duration::from_millis(1);

/// What all connections of a port share.
pub(crate) struct Apps {
    host: Arc<Host>,
    domains: AppDomains,
    https: bool,
}

impl Apps {
    /// `https` says whether clients reach the apps domains over TLS.
    pub(crate) fn new(host: Arc<Host>, domains: AppDomains, https: bool) -> Self {
        Self { host, domains, https }
    }

    /// Which side of the port a request is for.
    pub(crate) fn site<B>(&self, request: &Request<B>) -> Result<Site, NameError> {
        let mut hosts = request.headers().get_all(header::HOST).iter();
        let named = match (hosts.next(), hosts.next()) {
            (Some(only), None) => only.to_str().map_err(|_| NameError::Authority)?,
            _ => return Err(NameError::Authority),
        };
        // An absolute target must not say another name than the one that is decided by.
        match request.uri().authority() {
            Some(target) if !target.as_str().eq_ignore_ascii_case(named) => {
                Err(NameError::Authority)
            }
            _ => self.domains.site(named),
        }
    }

    /// Answers one request of an app.
    pub(crate) async fn answer(
        &self,
        key: InstallationKey,
        request: Request<Incoming>,
    ) -> Response<Answer> {
        if let Err(refused) = admissible(&request) {
            return *refused;
        }
        let caller = match caller::of(&self.host, &key, &request) {
            Ok(caller) => caller,
            Err(refused) => return *refused,
        };
        let head_only = request.method() == Method::HEAD;
        let scheme = if self.https { Scheme::Https } else { Scheme::Http };
        let known = !caller.is_anonymous();
        match Served::start(&self.host, key, caller, request, scheme).await {
            Ok(served) => served.respond(head_only, known).await,
            Err(reply) => unanswered(&reply, known),
        }
    }
}

/// Refuses what no guest is asked about.
fn admissible<B>(request: &Request<B>) -> Result<(), Box<Response<Answer>>> {
    let refuse = |code, words: &str| Err(Box::new(refusal(code, words)));
    if matches!(*request.method(), Method::CONNECT | Method::TRACE) {
        return refuse(Code::MethodNotAllowed, "CONNECT and TRACE are not served");
    }
    if measure(request.headers()).is_err() || request.uri().path().len() > FIELD_BYTES_MAX {
        return refuse(Code::HeadersTooLarge, "the header section is too large");
    }
    Ok(())
}

/// What a client gets for a name under an apps domain that is none.
pub(crate) fn misnamed(error: NameError) -> Response<Answer> {
    refusal(Code::HostUnknown, &error.to_string())
}

impl Served {
    async fn respond(self, head_only: bool, known: bool) -> Response<Answer> {
        let Self { head, running, ending } = self;
        match head.await {
            Ok(Head::Response(response)) => {
                let released = release(response, running, ending, head_only).await;
                released.unwrap_or_else(|reply| unanswered(&reply, known))
            }
            // The guest chose an error, or ended without a response: the end of the call says which.
            Ok(Head::Error) | Err(_) => unanswered(&ending.await, known),
        }
    }
}

/// A guest's response becomes the client's, or the call's end takes its place.
async fn release(
    response: Response<HyperOutgoingBody>,
    running: Arc<Running>,
    ending: BoxFuture<'static, CallReply>,
    head_only: bool,
) -> Result<Response<Answer>, Box<CallReply>> {
    let (mut parts, body) = response.into_parts();
    parts.extensions.clear();
    fields::release(&mut parts.headers);
    let bytes = measure(&parts.headers).unwrap_or(FIELD_BYTES_MAX + 1);
    if bytes > FIELD_BYTES_MAX || running.charge(LimitKind::Output, bytes as u64).is_err() {
        running.cut(Cut::Limit(LimitKind::Output));
        return Err(Box::new(ending.await));
    }
    if parts.status.is_informational() {
        // No final response, and 101 would hand the connection over.
        drop(body);
        return Err(Box::new(ending.await));
    }
    let length = stated_length(&parts.headers);
    let bodiless =
        head_only || has_no_body(parts.status) || length == Some(0) || body.is_end_stream();
    let call = running.ids.call;
    let streamed = Streamed::new(body, Arc::clone(&running), ending, length);
    let gathered = if bodiless {
        streamed.gather(Ahead::Discard, std::future::pending()).await
    } else {
        streamed.gather(Ahead::Keep(AHEAD_BYTES), a_bit_and_started(&running)).await
    };
    let answer = match gathered {
        Gathered::Whole(bytes, trailers) => Answer::Whole(Some(bytes), trailers),
        Gathered::Streaming(streamed) => match running.before_effect().await {
            Ok(()) => Answer::Streamed(Box::new(streamed)),
            Err(_) => return Err(Box::new(streamed.into_reply().await)),
        },
        Gathered::Failed(streamed) => return Err(Box::new(streamed.into_reply().await)),
    };
    let mut response = Response::from_parts(parts, answer);
    name_call(&mut response, call);
    Ok(response)
}

/// Over when a quick guest had the time to finish and the start record is durable; a cut is seen by the body itself.
/// In this order: a quick guest's start and receipt share one sync.
async fn a_bit_and_started(running: &Running) {
    tokio::time::sleep(AHEAD).await;
    if running.before_effect().await.is_err() {
        tracing::debug!(call = %running.ids.call, "the start is not on record: the body ends with the call");
    }
}

fn stated_length(fields: &http::HeaderMap) -> Option<u64> {
    fields.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

fn has_no_body(status: StatusCode) -> bool {
    status.is_informational()
        || status == StatusCode::NO_CONTENT
        || status == StatusCode::NOT_MODIFIED
}

/// The host's own words for a call that gave no response of its own. A stranger learns the kind alone; denials,
/// traces and words of the inside are for the tenant's `soma show`.
fn unanswered(reply: &CallReply, known: bool) -> Response<Answer> {
    let outcome = reply.outcome;
    let denial = reply.denials.first().filter(|_| is_refusal(outcome));
    let code = denial.map(|denial| denial.code).or(reply.code).or_else(|| outcome.code());
    match code.unwrap_or(Code::GuestTrapped) {
        Code::InstallationUnknown => refusal(Code::HostUnknown, "no app is served at this name"),
        // What is wrong with an installation that does not run is for its tenant.
        _ if !known && outcome == Outcome::Denied && reply.code.is_some() => {
            refusal(Code::HostUnknown, "no app is served at this name")
        }
        code => {
            // A guest that ended well without an answer has still not answered.
            let status = if outcome == Outcome::Ok { 502 } else { outcome.http_status() };
            let denials = if known && is_refusal(outcome) { reply.denials.as_slice() } else { &[] };
            problem(code, status, code.entry().explain, denials, Some(reply.call))
        }
    }
}

fn is_refusal(outcome: Outcome) -> bool {
    matches!(outcome, Outcome::Denied | Outcome::Budget | Outcome::Killed(_))
}
