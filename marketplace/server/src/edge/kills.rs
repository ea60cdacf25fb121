//! Kill orders over HTTP, with the paths and shapes of a host. What authorises a write is the operators'
//! signatures in the document, not a token; reading takes an operator's token.

use std::collections::{BTreeMap, BTreeSet};

use axum::extract::{FromRequest, FromRequestParts as _, Request, State};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use soma_capsule::kill::StoppedCall;
use soma_policy::feed::PROOF_HEADER;
use soma_policy::{Code, Digest, KillOrder, KillScope, OrderId, OrgId};
use utoipa::{IntoParams, ToSchema};

use super::body::{At, Search, read};
use super::page::{Listed, Paging};
use super::problem::Problem;
use super::proven::ProvenBytes;
use super::reply::Reply;
use crate::identity::Principal;
use crate::kills::{Giver, KillsError, Radius, Taken};
use crate::server::Server;
use crate::store::KillReceiptRow;

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

/// What an order of a scope would stop. Calls and money are what hosts know: they are not in it.
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
    /// Which capsules, with the digests that are installed of each.
    #[schema(value_type = Object)]
    capsules: BTreeMap<String, BTreeSet<Digest>>,
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
    let Radius { scope, needed, wide, tenants, installations, capsules } =
        server.kill_radius(&asked.scope).await?;
    let radius = KillRadius { scope, needed, wide, tenants, installations, capsules };
    Ok(Reply::ok(&radius).into_response())
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
