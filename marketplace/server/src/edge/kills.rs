//! Kill orders over HTTP, with the paths and shapes of a host. What authorises a write is the operators'
//! signatures in the document, not a token; reading takes an operator's token.

use std::collections::{BTreeMap, BTreeSet};

use axum::extract::{FromRequest, FromRequestParts as _, Request, State};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::StatusCode;
use semver::Version;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use soma_capsule::kill::StoppedCall;
use soma_policy::feed::PROOF_HEADER;
use soma_policy::{
    CapsuleName, Code, Digest, HostId, KillOrder, KillScope, Money, OrderId, OrgId, RegionId,
    Timestamp,
};
use utoipa::{IntoParams, ToSchema};

use super::body::{At, Search, read};
use super::page::{Listed, Paging};
use super::problem::Problem;
use super::proven::ProvenBytes;
use super::reply::Reply;
use crate::identity::Principal;
use crate::kills::{Giver, KillsError, Live, Radius, Taken, Wanted};
use crate::server::Server;
use crate::store::{HeldMoney, KillReceiptRow};

/// One order with its state.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = KillItem)]
pub(super) struct KillView {
    /// The order, as it was signed.
    #[schema(value_type = Object)]
    order: KillOrder,
    /// `complete`, `suspended`, `lapsed` or `lifted`.
    state: &'static str,
    /// Present operators who signed it.
    persons: Vec<String>,
    /// How many persons must.
    needed: usize,
    /// How long a suspension still runs, by the server's clock; each host counts its own uptime.
    #[serde(skip_serializing_if = "Option::is_none")]
    lapses_in_ms: Option<String>,
    /// How many receipts hosts gave for it.
    receipts: u64,
}

/// What became of an order or a lift.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct KillDone {
    /// The order.
    #[schema(value_type = String)]
    order: OrderId,
    /// `complete`, `suspended`, `lapsed`, `lifted`; `unknown` for a lift that came before its order.
    state: &'static str,
    /// Persons who signed it.
    signed: usize,
    /// Persons who must.
    needed: usize,
    /// Calls that hosts ended, by the receipts that are here.
    killed: u64,
    /// The longest that one host took (milliseconds), by the receipts that are here.
    took_ms: u64,
    /// Calls that had not ended, or that left blocking work behind, by the receipts that are here.
    #[schema(value_type = Vec<Object>)]
    draining: Vec<StoppedCall>,
    /// Always true: what is answered is in the database.
    durable: bool,
    /// The server stops nothing itself; hosts' receipts have a route of their own.
    #[schema(value_type = Option<Object>)]
    receipt: Option<Value>,
}

/// Which of the two is asked.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Mode {
    /// Only say what `{"scope": …}` would stop. Takes an operator's token.
    dry_run: Option<bool>,
}

/// What a dry run is asked about.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    scope: KillScope,
}

/// What an order of a scope would stop, as far as this server knows it: each host's own dry run counts its calls and
/// what they have reserved.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct KillRadius {
    /// The scope.
    #[schema(value_type = String)]
    scope: KillScope,
    /// How many persons must sign it.
    needed: usize,
    /// Whether one signature only suspends for an hour.
    wide: bool,
    /// Whose installations.
    #[schema(value_type = Vec<String>)]
    tenants: BTreeSet<OrgId>,
    /// Which installations.
    installations: BTreeSet<String>,
    /// Those of them with a revision at its health gate that it would stop.
    candidates: BTreeSet<String>,
    /// Which capsules, with the digests that are installed of each, at a gate or active.
    #[schema(value_type = Object)]
    capsules: BTreeMap<String, BTreeSet<Digest>>,
    /// Live hosts that would be reached, with what each said last.
    hosts: Vec<RadiusHost>,
    /// Money of these installations in leases that are not closed: what their calls may have reserved at most.
    held: Vec<RadiusHeld>,
}

/// A live host, by its last report.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct RadiusHost {
    /// The host.
    #[schema(value_type = String)]
    host: HostId,
    /// Where it stands.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    region: Option<RegionId>,
    /// All calls that ran there by its last report: of these installations and of others.
    running: u32,
    /// When it reported (milliseconds).
    #[schema(value_type = Option<String>)]
    seen: Option<Timestamp>,
}

/// Money in leases.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct RadiusHeld {
    /// How much.
    #[schema(value_type = String)]
    money: Money,
    /// In how many leases.
    leases: u64,
}

/// A release that was revoked and that no complete order names yet.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct WantedOrder {
    /// The capsule.
    #[schema(value_type = String)]
    capsule: CapsuleName,
    /// The version.
    #[schema(value_type = String)]
    version: Version,
    /// What the order is to be about.
    #[schema(value_type = String)]
    scope: KillScope,
    /// Why it was revoked.
    reason: String,
    /// When it was revoked (milliseconds).
    #[schema(value_type = String)]
    revoked: Timestamp,
    /// What an operator runs, with a reason code of their own choice.
    command: String,
}

/// Takes a signed order (a DSSE envelope of kind `kill-order`, or a lift of one) and tells every host.
///
/// A host hands on what it took directly by the same route, with its proof.
#[utoipa::path(post, path = "/v1/kill-orders", tag = "kill", params(Mode), request_body = Object,
    responses((status = 200, description = "the order's state; with `dry_run`, what it would stop", body = KillDone)), security((), ("token" = []), ("host" = [])))]
pub(super) async fn give(
    State(server): State<Server>,
    Search(mode): Search<Mode>,
    request: Request,
) -> Result<Response, Problem> {
    if mode.dry_run == Some(true) {
        return dry_run(&server, request).await;
    }
    let (giver, body) = given(&server, request).await?;
    let taken = server.take_kill(&body, giver, None).await?;
    done(&server, taken).await
}

async fn dry_run(server: &Server, request: Request) -> Result<Response, Problem> {
    let (mut parts, body) = request.into_parts();
    Principal::from_request_parts(&mut parts, server).await?.operating()?;
    let body = read(Request::from_parts(parts, body), server).await?;
    let asked: Asked = serde_json::from_slice(&body)
        .map_err(|error| Problem::new(Code::KillScope, error.to_string()))?;
    let radius = shown(server.kill_radius(&asked.scope).await?);
    Ok(Reply::ok(&radius).into_response())
}

fn shown(radius: Radius) -> KillRadius {
    let Radius { scope, needed, wide, tenants, installations, candidates, capsules, hosts, held } =
        radius;
    let host = |it: Live| {
        let Live { host, region, running, seen } = it;
        RadiusHost { host, region, running, seen }
    };
    let hosts = hosts.into_iter().map(host).collect();
    let held = held.into_iter().map(|HeldMoney { money, leases }| RadiusHeld { money, leases });
    KillRadius {
        scope,
        needed,
        wide,
        tenants,
        installations,
        candidates,
        capsules,
        hosts,
        held: held.collect(),
    }
}

/// Releases that were revoked and that no operator has signed an order for: hosts of this server stop them already. For
/// operators.
#[utoipa::path(get, path = "/v1/kill-orders/wanted", tag = "kill", params(Paging),
    responses((status = 200, description = "a page", body = Listed<WantedOrder>)), security(("token" = [])))]
pub(super) async fn wanted(
    State(server): State<Server>,
    principal: Principal,
    Search(paging): Search<Paging>,
) -> Result<Response, Problem> {
    principal.operating()?;
    let after = paging.after()?;
    let place = after.split_once('@').unwrap_or((&after, ""));
    let limit = usize::try_from(paging.limit()?).unwrap_or(1) + 1;
    let found = server.wanted_kills(place, limit).await?;
    let line = |it: Wanted| {
        let record = it.release.record();
        let scope = KillScope::Digest(it.digest);
        WantedOrder {
            capsule: record.name.clone(),
            version: record.version.clone(),
            command: format!("soma kill {scope} --reason CODE"),
            scope,
            reason: record.reason.as_ref().map(ToString::to_string).unwrap_or_default(),
            revoked: it.revoked,
        }
    };
    let items = found.into_iter().map(line).collect();
    let page = paging.page(items, |it: &WantedOrder| format!("{}@{}", it.capsule, it.version))?;
    Ok(Reply::ok(&page).into_response())
}

/// Every order that this server knows, with its state. For operators.
#[utoipa::path(get, path = "/v1/kill-orders", tag = "kill", params(Paging),
    responses((status = 200, description = "a page", body = Listed<KillView>)), security(("token" = [])))]
pub(super) async fn list(
    State(server): State<Server>,
    principal: Principal,
    Search(paging): Search<Paging>,
) -> Result<Response, Problem> {
    principal.operating()?;
    let views = server.kill_views(&paging.after()?, paging.limit()? + 1).await?;
    let items = views.into_iter().map(|(view, receipts)| KillView {
        order: view.order,
        state: view.state,
        persons: view.persons.into_iter().collect(),
        needed: view.needed,
        lapses_in_ms: view.lapses_in_ms.map(|ms| ms.to_string()),
        receipts,
    });
    Ok(Reply::ok(&paging.page(items.collect(), |it| it.order.id.to_string())?).into_response())
}

/// Takes a further signature: the same order, signed by another operator.
#[utoipa::path(post, path = "/v1/kill-orders/{id}/sign", tag = "kill", params(("id" = String, Path)), request_body = Object,
    responses((status = 200, description = "the order's state", body = KillDone)), security(()))]
pub(super) async fn sign(
    State(server): State<Server>,
    At(id): At<OrderId>,
    request: Request,
) -> Result<Response, Problem> {
    let body = read(request, &server).await?;
    let taken = server.take_kill(&body, Giver::Person, Some(id)).await?;
    done(&server, taken).await
}

/// Takes a signed lift (a DSSE envelope of kind `kill-lift`).
#[utoipa::path(delete, path = "/v1/kill-orders/{id}", tag = "kill", params(("id" = String, Path)), request_body = Object,
    responses((status = 200, description = "the order's state", body = KillDone)), security(()))]
pub(super) async fn lift(
    State(server): State<Server>,
    At(id): At<OrderId>,
    request: Request,
) -> Result<Response, Problem> {
    let body = read(request, &server).await?;
    let taken = server.take_kill(&body, Giver::Person, Some(id)).await?;
    done(&server, taken).await
}

/// Hosts' signed receipts for an order. For operators.
#[utoipa::path(get, path = "/v1/kill-orders/{id}/receipts", tag = "kill", params(("id" = String, Path), Paging),
    responses((status = 200, description = "DSSE envelopes of kind `kill-receipt`", body = Listed<Object>)), security(("token" = [])))]
pub(super) async fn receipts(
    State(server): State<Server>,
    principal: Principal,
    At(id): At<OrderId>,
    Search(paging): Search<Paging>,
) -> Result<Response, Problem> {
    principal.operating()?;
    let after = paging.after()?;
    let (host, hash) = after.split_once('/').unwrap_or((&after, ""));
    let rows = server.receipts(id, (host, hash), paging.limit()? + 1).await?;
    let page = paging.page(rows, |row| format!("{}/{}", row.host, row.hash))?;
    let envelope = |row: KillReceiptRow| serde_json::from_str::<Value>(&row.envelope).ok();
    let items = page.items.into_iter().filter_map(envelope).collect();
    Ok(Reply::ok(&Listed { items, next: page.next }).into_response())
}

/// Takes a receipt that the asking host signed (a DSSE envelope of kind `kill-receipt`).
#[utoipa::path(post, path = "/v1/feed/kill-receipts", tag = "feed", request_body = Object,
    responses((status = 204, description = "it is kept")), security(("host" = [])))]
pub(super) async fn take_receipt(
    State(server): State<Server>,
    ProvenBytes { host, body }: ProvenBytes,
) -> Result<StatusCode, Problem> {
    server.take_receipt(&host, &body).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The document, and who brings it: a host that proves itself, or somebody.
async fn given(server: &Server, request: Request) -> Result<(Giver, Bytes), Problem> {
    if request.headers().contains_key(PROOF_HEADER) {
        let ProvenBytes { host, body } = ProvenBytes::from_request(request, server).await?;
        return Ok((Giver::Host(host.host), body));
    }
    Ok((Giver::Person, read(request, server).await?))
}

async fn done(server: &Server, taken: Taken) -> Result<Response, Problem> {
    let stopped = server.stopped(taken.order).await?;
    let Taken { order, state, signed, needed, .. } = taken;
    let (killed, took_ms, draining) = (stopped.calls, stopped.took_ms, stopped.draining);
    let (durable, receipt) = (true, None);
    let done =
        KillDone { order, state, signed, needed, killed, took_ms, draining, durable, receipt };
    Ok(Reply::ok(&done).into_response())
}

impl From<KillsError> for Problem {
    fn from(error: KillsError) -> Self {
        match error {
            KillsError::Store(error) => error.into(),
            other => Self::new(other.code(), other.to_string()),
        }
    }
}
