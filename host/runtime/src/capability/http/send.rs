//! One permitted request, from the start record to the first byte of its response.
//!
//! The order is fixed: start record durable → address found and checked → secrets placed → bytes accounted → connected →
//! sent. Whatever happens, the guest is told an error code; the reason, where it is a denial, is kept with the call.

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, HeaderValue, Request, Response, Uri, header};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use soma_capsule::crash_point;
use soma_policy::{Code, Denial, HttpRequest, Label, Layer, LimitKind, Origin};
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody};

use super::body::{Inbound, Outbound};
use super::client::{Destination, DestinationError, HttpClient};
use super::connect::Exchange;
use super::day::Direction;
use super::fault::{self, Fault};
use super::headers;
use super::peer::PeerError;
use super::place::{self, PlaceError};
use super::redact::{Needles, Redactor};
use super::secrets::{Placement, Revealed};
use super::tap::{Entry, Tap, over};
use crate::gate::{Gate, Permit};
use crate::running::Running;

/// Longest time to connect, if the guest names none.
const CONNECT: Duration = Duration::from_secs(10);
/// What a request under way holds of the host's memory, at most: buffers of the connection and two chunks each way.
const HELD_BYTES: u64 = 256 * 1024;

/// What `wasi:http` gets: the response, and what has to be polled for its body.
pub(crate) type Sent = (Response<WasiBody>, Box<dyn Future<Output = Result<(), Error>> + Send>);

/// A request that was permitted and is yet to be sent.
pub(crate) struct Job {
    pub(crate) gate: Gate,
    pub(crate) client: Arc<HttpClient>,
    pub(crate) permit: Permit<HttpRequest>,
    pub(crate) entry: Arc<Entry>,
    pub(crate) secrets: Vec<Placement>,
    pub(crate) slot: Slot,
}

/// A place among the requests that a call may have under way, with the memory that one holds.
pub(crate) struct Slot(Arc<Running>);

impl Slot {
    pub(crate) fn take(running: &Arc<Running>) -> Result<Self, Error> {
        running.charge(LimitKind::Requests, 1).map_err(over)?;
        if let Err(cut) = running.charge(LimitKind::Memory, HELD_BYTES) {
            running.meter.sub(LimitKind::Requests, 1);
            return Err(over(cut));
        }
        Ok(Self(Arc::clone(running)))
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.0.meter.sub(LimitKind::Memory, HELD_BYTES);
        self.0.meter.sub(LimitKind::Requests, 1);
    }
}

/// Times that the guest asked for, none beyond what is left of the call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Times {
    connect: Duration,
    first_byte: Duration,
    between: Duration,
}

impl Times {
    fn new(options: Option<RequestOptions>, left: Duration) -> Self {
        let options = options.unwrap_or_default();
        Self {
            connect: options.connect_timeout.unwrap_or(CONNECT).min(left),
            first_byte: options.first_byte_timeout.unwrap_or(left).min(left),
            between: options.between_bytes_timeout.unwrap_or(left).min(left),
        }
    }
}

impl Job {
    /// Does it, unless the call is cut first.
    pub(crate) async fn run(
        self,
        request: Request<WasiBody>,
        options: Option<RequestOptions>,
    ) -> Result<Sent, Error> {
        let running = Arc::clone(self.gate.running());
        running.waiting(Some(format!("http {}", self.permit.origin().host)));
        let sent = tokio::select! {
            biased;
            () = running.token().cancelled() => Err(over(running.cut_reason())),
            sent = self.go(request, options) => sent,
        };
        running.waiting(None);
        sent
    }

    async fn go(
        self,
        request: Request<WasiBody>,
        options: Option<RequestOptions>,
    ) -> Result<Sent, Error> {
        let running = self.gate.running();
        running.before_effect().await.map_err(over)?;
        let left = running.deadline.saturating_sub(self.client.clock.monotonic());
        let times = Times::new(options, left);
        let destination = self.destination(times.connect).await?;
        if destination.mapped {
            running.mapped_peer(&self.permit.origin().to_string());
        }
        let secrets = self.reveal().await?;
        let request = self.prepare(request, &secrets).await?;
        let connection =
            destination.route.open(times.connect).await.map_err(|error| Fault::from(error).0)?;
        tracing::debug!(peer = %connection.peer, mapped = destination.mapped, "outbound request");
        let exchange = connection
            .send(request, times.first_byte)
            .await
            .map_err(|error| Fault::from(error).0)?;
        crash_point!("host.effect.sent");
        self.receive(exchange, &secrets, times.between)
    }

    async fn destination(&self, within: Duration) -> Result<Destination, Error> {
        let peers = self.gate.policy().peers();
        let found = self.client.destination(&self.permit, peers, within).await;
        found.map_err(|error| match error {
            DestinationError::Peer(error) => {
                if matches!(error, PeerError::NotPublic { .. } | PeerError::Own { .. }) {
                    self.refuse(Code::HttpPeer, error.to_string(), self.mapping());
                }
                Fault::from(&error).0
            }
            error @ DestinationError::Anchor(_) => {
                let remedy = "replace the anchor's PEM file in policy/".to_owned();
                self.refuse(Code::HttpPeer, error.to_string(), remedy);
                Error::TlsCertificateError
            }
        })
    }

    fn mapping(&self) -> String {
        let origin = self.permit.origin();
        format!(
            "if this is meant, map `{origin}` to an exact address and trust anchor in policy/peers.toml"
        )
    }

    fn refuse(&self, code: Code, reason: String, remedy: String) {
        let denial = Denial::new(code, Layer::Operator, self.permit.to_string(), reason)
            .on(self.entry.capability.clone())
            .fix(remedy);
        // The refusal is kept with the call; what the guest gets is the caller's choice.
        let _ = self.gate.refuse(denial);
    }

    async fn reveal(&self) -> Result<Vec<Revealed>, Error> {
        let mut revealed = Vec::with_capacity(self.secrets.len());
        for placement in &self.secrets {
            match placement.reveal(&self.gate, &self.client).await {
                Ok(secret) => revealed.push(secret),
                Err(denial) => {
                    let _ = self.gate.refuse(denial);
                    return Err(Error::HttpRequestDenied);
                }
            }
        }
        Ok(revealed)
    }

    /// The request as it goes out: canonical target, the host's own fields, secrets in their places.
    async fn prepare(
        &self,
        request: Request<WasiBody>,
        secrets: &[Revealed],
    ) -> Result<Request<WasiBody>, Error> {
        let (mut parts, body) = request.into_parts();
        parts.extensions.clear();
        headers::strip(&mut parts.headers);
        self.frame(&mut parts.headers, !secrets.is_empty())?;
        let uri: Uri = self.permit.url().parse().map_err(|_| Error::HttpRequestUriInvalid)?;
        let head = headers::measure(&parts.headers).map_err(fault::request_fields)?;
        let tap = self.tap(Direction::Sent);
        tap.pass((head + self.permit.url().len() + 16) as u64)?;
        let body = Outbound::new(body, tap).boxed_unsync();
        parts.uri = uri;
        let mut request = Request::from_parts(parts, body);
        for secret in secrets {
            request =
                place_one(request, secret).await.map_err(|error| self.unplaced(secret, &error))?;
        }
        Ok(request)
    }

    fn frame(&self, fields: &mut HeaderMap, secret: bool) -> Result<(), Error> {
        let host = HeaderValue::from_str(&authority(self.permit.origin()))
            .map_err(|_| Error::HttpRequestUriInvalid)?;
        fields.insert(header::HOST, host);
        if secret {
            // An encoded body would hide an echo from the redactor.
            fields.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        }
        Ok(())
    }

    fn unplaced(&self, secret: &Revealed, error: &Unplaced) -> Error {
        match error {
            Unplaced::Place(error) => {
                let denial = secret.denial(self.permit.to_string(), error.to_string());
                let _ = self.gate.refuse(denial);
                Error::HttpRequestDenied
            }
            Unplaced::Body(Error::HttpRequestBodySize(max)) => Error::HttpRequestBodySize(*max),
            Unplaced::Body(_) => Error::HttpProtocolError,
        }
    }

    fn tap(&self, direction: Direction) -> Tap {
        let operation = self.permit.to_string().into();
        let (running, clock) = (Arc::clone(self.gate.running()), Arc::clone(&self.client.clock));
        Tap::new(running, clock, Arc::clone(&self.entry), direction, operation)
    }

    fn receive(
        self,
        exchange: Exchange,
        secrets: &[Revealed],
        between: Duration,
    ) -> Result<Sent, Error> {
        let Exchange { response, driver } = exchange;
        let (mut parts, body) = response.into_parts();
        if parts.status.is_informational() {
            return Err(Error::HttpUpgradeFailed);
        }
        let head = headers::measure(&parts.headers).map_err(fault::response_fields)?;
        let tap = self.tap(Direction::Received);
        tap.pass((head + 16) as u64)?;
        parts.extensions.clear();
        headers::strip(&mut parts.headers);
        if !secrets.is_empty() {
            // Before the guest sees the first byte of the answer.
            self.gate.label(Label::SecretDerived);
        }
        let redactor = redactor(&mut parts.headers, secrets)?;
        let running = Arc::clone(self.gate.running());
        let body = self.body(body, tap, redactor, between);
        let io = async move {
            tokio::select! {
                biased;
                () = running.token().cancelled() => Err(over(running.cut_reason())),
                ended = driver => ended.map_err(|_| Error::ConnectionTerminated),
            }
        };
        Ok((Response::from_parts(parts, body), Box::new(io)))
    }

    fn body(
        self,
        body: Incoming,
        tap: Tap,
        redactor: Option<Redactor>,
        between: Duration,
    ) -> WasiBody {
        Inbound::new(body, tap, redactor, between, self.slot).boxed_unsync()
    }
}

/// The host, with its port unless the scheme means it anyway.
fn authority(origin: &Origin) -> String {
    let host = if origin.host.contains(':') {
        format!("[{}]", origin.host)
    } else {
        origin.host.to_string()
    };
    if origin.port == origin.scheme.default_port() {
        host
    } else {
        format!("{host}:{}", origin.port)
    }
}

fn redactor(fields: &mut HeaderMap, secrets: &[Revealed]) -> Result<Option<Redactor>, Error> {
    if secrets.is_empty() {
        return Ok(None);
    }
    let needles = Needles::of(secrets.iter().map(Revealed::value));
    needles.mask_fields(fields);
    let plain = |value: &HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"identity");
    if !fields.get_all(header::CONTENT_ENCODING).iter().all(plain) {
        return Err(Error::HttpResponseContentCoding(None));
    }
    Ok(Some(Redactor::new(Arc::new(needles))))
}

enum Unplaced {
    Place(PlaceError),
    Body(Error),
}

async fn place_one(
    request: Request<WasiBody>,
    secret: &Revealed,
) -> Result<Request<WasiBody>, Unplaced> {
    let (mut parts, body) = request.into_parts();
    let text = secret.text();
    match &secret.spot {
        place::Spot::Header(name) => {
            place::into_header(&mut parts.headers, name, text).map_err(Unplaced::Place)?;
        }
        place::Spot::Query(name) => {
            parts.uri = place::into_query(&parts.uri, name, text).map_err(Unplaced::Place)?;
        }
        place::Spot::Body(name) => {
            // Bounded: every byte is accounted for as it is read.
            let whole = body.collect().await.map_err(Unplaced::Body)?.to_bytes();
            let whole =
                place::into_body(&parts.headers, &whole, name, text).map_err(Unplaced::Place)?;
            parts.headers.remove(header::CONTENT_LENGTH);
            let body = Full::new(whole).map_err(|never| match never {}).boxed_unsync();
            return Ok(Request::from_parts(parts, body));
        }
    }
    Ok(Request::from_parts(parts, body))
}
