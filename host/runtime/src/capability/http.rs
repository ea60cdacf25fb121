//! Outbound HTTP: `wasi:http/outgoing-handler` behind the gate.
//!
//! Every request is made canonical, decided, and sent in its canonical form to an address that was checked after the name
//! was permitted. Redirects go back to the guest, so that following one is a decision of its own. Deliberately absent:
//! pooling of connections, proxies, CONNECT and TRACE, decompression, and any request of the host's own.

mod body;
mod client;
mod connect;
mod day;
mod fault;
pub(crate) mod headers;
mod peer;
mod place;
mod redact;
mod secrets;
mod send;
mod tap;
mod trust;

#[cfg(test)]
pub(crate) mod rig;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use http::{HeaderName, Request};
use soma_policy::{
    CapabilityKind, CapabilityName, CapabilityRef, HostCall, HttpRequest, HttpRight,
};
use wasmtime_wasi_http::{
    Error, RequestOptions, WasiBody, WasiHttpCtx, WasiHttpCtxView, WasiHttpHooks,
};

pub(crate) use self::client::HttpClient;
pub(crate) use self::day::Moved;
pub(crate) use self::peer::OwnAddresses;
#[cfg(test)]
pub(crate) use self::secrets::NoSecrets;
pub(crate) use self::secrets::{SecretSource, SecretUnavailable};
pub(crate) use self::trust::{TrustError, anchored, public};

use self::secrets::Placement;
use self::send::{Job, Sent, Slot};
use self::tap::{Bound, Entry};
use crate::gate::{Gate, Refused};
use crate::state::Ctx;

/// Bytes that a guest may hand over in one write to a body.
const CHUNK_BYTES: usize = 64 * 1024;

/// The state of one call.
pub(crate) struct HttpState {
    ctx: WasiHttpCtx,
    hooks: Hooks,
}

impl HttpState {
    /// Starts with nothing; an entry is added when a request first uses it.
    pub(crate) fn new(gate: Gate, client: Arc<HttpClient>) -> Self {
        let mut ctx = WasiHttpCtx::new();
        // The table's own measure counts memory, about twice what travels.
        ctx.set_field_size_limit(headers::FIELD_BYTES_MAX * 2);
        Self { ctx, hooks: Hooks::new(gate, client) }
    }
}

/// The view that the linker hands to upstream's implementation.
pub(crate) fn view(ctx: &mut Ctx) -> WasiHttpCtxView<'_> {
    WasiHttpCtxView { hooks: &mut ctx.http.hooks, table: &mut ctx.table, ctx: &mut ctx.http.ctx }
}

struct Hooks {
    gate: Gate,
    client: Arc<HttpClient>,
    entries: Vec<Arc<Entry>>,
    gone: Arc<AtomicBool>,
    /// Read from the rights when a header or request first asks for them.
    placements: Option<Vec<(CapabilityName, Placement)>>,
}

impl Hooks {
    fn new(gate: Gate, client: Arc<HttpClient>) -> Self {
        Self { gate, client, entries: Vec::new(), gone: Arc::default(), placements: None }
    }

    fn placements(&mut self) -> &[(CapabilityName, Placement)] {
        self.placements.get_or_insert_with(|| placements(&self.gate))
    }

    fn job(&mut self, request: &Request<WasiBody>) -> Result<Job, Error> {
        let running = self.gate.running().clone();
        running.live().map_err(tap::over)?;
        headers::measure(request.headers()).map_err(fault::request_fields)?;
        let canonical = self.canonical(request)?;
        let (permit, entry) = self
            .gate
            .decide(
                canonical,
                |authorised, request| authorised.http(request).map(Rule::of),
                |request| HostCall::Http(request),
            )
            .map_err(refused)?;
        let slot = Slot::take(&running)?;
        let entry = self.entry(entry);
        let secrets = self.placements().iter().filter(|(http, _)| *http == entry.name);
        let secrets = secrets.map(|(_, placement)| placement.clone()).collect();
        Ok(Job {
            gate: self.gate.clone(),
            client: Arc::clone(&self.client),
            permit,
            entry,
            secrets,
            slot,
        })
    }

    fn canonical(&self, request: &Request<WasiBody>) -> Result<HttpRequest, Error> {
        let uri = request.uri();
        let target = uri.path_and_query().map_or("/", |target| target.as_str());
        if target.len() > headers::TARGET_BYTES_MAX {
            return Err(Error::HttpRequestUriTooLong);
        }
        let authority = uri.authority().map_or("", |authority| authority.as_str());
        let scheme = uri.scheme_str().unwrap_or("");
        HttpRequest::canonical(scheme, authority, target, request.method().as_str())
            .map_err(|denial| refused(self.gate.refuse(*denial)))
    }

    fn entry(&mut self, rule: Rule) -> Arc<Entry> {
        if let Some(entry) = self.entries.iter().find(|entry| entry.name == rule.name) {
            return Arc::clone(entry);
        }
        let key = &self.gate.running().installation.key;
        let entry = Arc::new(Entry {
            capability: CapabilityRef::named(CapabilityKind::Http, rule.name.clone()),
            name: rule.name,
            per_call: rule.per_call,
            per_day: rule.per_day,
            day: self.client.days.of(key, self.client.clock.now()),
            used: tap::Used::default(),
            lease: Arc::clone(self.gate.reservation()),
            gone: Arc::clone(&self.gone),
        });
        self.entries.push(Arc::clone(&entry));
        entry
    }
}

impl Drop for Hooks {
    /// The store goes: bodies that the guest has not ended until now are not ended by that.
    fn drop(&mut self) {
        self.gone.store(true, Ordering::SeqCst);
    }
}

/// The secrets that this installation grants, each with the http entry that carries it.
fn placements(gate: &Gate) -> Vec<(CapabilityName, Placement)> {
    let rights = gate.authorised().secrets().iter();
    let placement = |right: &soma_policy::SecretRight| {
        let capability = CapabilityRef::named(CapabilityKind::Secret, right.name().clone());
        let place = right.place();
        (place.http.clone(), Placement::new(capability, right.from().clone(), place))
    };
    rights.map(placement).collect()
}

/// What a matched right says beyond "yes".
struct Rule {
    name: CapabilityName,
    per_call: Bound,
    per_day: Bound,
}

impl Rule {
    fn of(right: &HttpRight) -> Self {
        Self {
            name: right.name().clone(),
            per_call: Bound::of(right.per_call()),
            per_day: Bound::of(right.per_day()),
        }
    }
}

fn refused(refused: Refused) -> Error {
    match refused {
        Refused::Denied(_) => Error::HttpRequestDenied,
        Refused::Cut(cut) => tap::over(cut),
    }
}

impl WasiHttpHooks for Hooks {
    fn is_forbidden_header(&mut self, name: &HeaderName) -> bool {
        headers::is_forbidden(name)
            || self.placements().iter().any(|(_, placement)| placement.header() == Some(name))
    }

    /// Any scheme gets as far as the gate, so that a refusal is a denial with its reason.
    fn is_supported_scheme(&mut self, _scheme: &http::uri::Scheme) -> bool {
        true
    }

    fn set_host_header(&mut self) -> bool {
        false
    }

    fn send_request(
        &mut self,
        request: Request<WasiBody>,
        options: Option<RequestOptions>,
        _processed: Box<dyn Future<Output = Result<(), Error>> + Send>,
    ) -> Box<dyn Future<Output = Result<Sent, Error>> + Send> {
        match self.job(&request) {
            Ok(job) => Box::new(job.run(request, options)),
            Err(error) => Box::new(std::future::ready(Err(error))),
        }
    }

    fn p2_outgoing_body_chunk_size(&mut self) -> usize {
        CHUNK_BYTES
    }

    fn p2_error_from_hyper(
        &mut self,
        _error: &hyper::Error,
    ) -> wasmtime_wasi_http::p2::bindings::http::types::ErrorCode {
        // Its text may quote what the peer sent; nothing of it is logged.
        wasmtime_wasi_http::p2::bindings::http::types::ErrorCode::HttpProtocolError
    }
}
