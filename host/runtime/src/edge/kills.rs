//! Kill orders over HTTP. What authorises a write is the operators' signatures in the document, not a
//! token; reading takes an operator's token.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use http::StatusCode;
use serde::Deserialize;
use soma_policy::{Code, KillScope, OrderId};
use utoipa::{IntoParams, ToSchema};

use super::auth::Bearer;
use super::problem::{Problem, ProblemBody};
use super::refusal;
use super::schema::{Envelope, KillBody};
use super::shape::{Draining, KillAnswer, KillDone, KillItem, KillPage, KillRadius, ReceiptPage};
use crate::host::Host;
use crate::kill::{Accepted, OrderView, Radius, StoppedCall};
use crate::token::Scope;

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct Mode {
    /// Only say what `{"scope": …}` would stop. Takes an operator's token.
    dry_run: Option<bool>,
}

/// What a dry run is asked about.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = DryRun)]
pub(super) struct Asked {
    #[schema(value_type = String)]
    scope: KillScope,
}

/// Takes a signed order (a DSSE envelope of kind `kill-order`) and carries it out.
#[utoipa::path(post, path = "/v1/kill-orders", tag = "kill", params(Mode),
    request_body(content = KillBody, description = "a signed order; with `dry_run`, a scope"),
    responses((status = 200, description = "what it stopped, with the host's signed receipt, or what it would stop", body = KillAnswer),
        (status = 401, description = "a dry run without an operator's token", body = ProblemBody, content_type = "application/problem+json"),
        refusal::Document), security((), ("token" = [])))]
pub(super) async fn give(
    State(host): State<Arc<Host>>,
    bearer: Result<Bearer, Problem>,
    mode: Result<Query<Mode>, QueryRejection>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<KillAnswer>, Problem> {
    let Query(mode) = mode.map_err(|error| Problem::new(Code::InputType, error.body_text()))?;
    let body = read(body)?;
    if mode.dry_run != Some(true) {
        let done = taken(&host, body).await?;
        return Ok(Json(KillAnswer::Done(Box::new(done))));
    }
    bearer?.must(&Scope::Operate)?;
    let asked: Asked = serde_json::from_slice(&body)
        .map_err(|error| Problem::new(Code::KillScope, error.to_string()))?;
    Ok(Json(KillAnswer::Radius(radius(host.blast_radius(&asked.scope)))))
}

/// Every order that this host knows, with its state.
#[utoipa::path(get, path = "/v1/kill-orders", tag = "kill",
    responses((status = 200, description = "the orders", body = KillPage), refusal::Token), security(("token" = [])))]
pub(super) async fn list(
    State(host): State<Arc<Host>>,
    bearer: Bearer,
) -> Result<Json<KillPage>, Problem> {
    bearer.must(&Scope::Operate)?;
    let items = host.kills().list().into_iter().map(item).collect();
    Ok(Json(KillPage { items, next: None }))
}

fn item(view: OrderView) -> KillItem {
    let OrderView { order, state, persons, needed, lapses_in_ms, receipts } = view;
    KillItem { order, state, persons, needed, lapses_in_ms, receipts }
}

fn radius(radius: Radius) -> KillRadius {
    let Radius { scope, needed, tenants, installations, calls, reserved } = radius;
    let (tenants, installations) =
        (tenants.into_iter().collect(), installations.into_iter().collect());
    KillRadius { scope, needed, tenants, installations, calls, reserved }
}

/// Takes a further signature: the same order, signed by another operator.
#[utoipa::path(post, path = "/v1/kill-orders/{id}/sign", tag = "kill", params(("id" = String, Path)),
    request_body(content = Envelope), responses((status = 200, description = "the order's state", body = KillDone),
        refusal::Document, refusal::Named))]
pub(super) async fn sign(
    State(host): State<Arc<Host>>,
    Path(id): Path<String>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<KillDone>, Problem> {
    same_order(&host, &id)?;
    taken(&host, read(body)?).await.map(Json)
}

/// Takes a signed lift (a DSSE envelope of kind `kill-lift`).
#[utoipa::path(delete, path = "/v1/kill-orders/{id}", tag = "kill", params(("id" = String, Path)),
    request_body(content = Envelope), responses((status = 200, description = "the order's state", body = KillDone),
        refusal::Document, refusal::Named))]
pub(super) async fn lift(
    State(host): State<Arc<Host>>,
    Path(id): Path<String>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<KillDone>, Problem> {
    same_order(&host, &id)?;
    taken(&host, read(body)?).await.map(Json)
}

/// This host's signed receipts for an order.
#[utoipa::path(get, path = "/v1/kill-orders/{id}/receipts", tag = "kill", params(("id" = String, Path)),
    responses((status = 200, description = "DSSE envelopes of kind `kill-receipt`", body = ReceiptPage),
        refusal::Token, refusal::Named), security(("token" = [])))]
pub(super) async fn receipts(
    State(host): State<Arc<Host>>,
    bearer: Bearer,
    Path(id): Path<String>,
) -> Result<Json<ReceiptPage>, Problem> {
    bearer.must(&Scope::Operate)?;
    let id = same_order(&host, &id)?;
    Ok(Json(ReceiptPage { items: host.kills().receipts(id), next: None }))
}

async fn taken(host: &Arc<Host>, document: Bytes) -> Result<KillDone, Problem> {
    let accepted = host
        .kill(document.to_vec())
        .await
        .map_err(|refused| Problem::new(refused.code(), refused.to_string()))?;
    let Accepted { order, state, signed, needed, killed, took_ms, draining, durable, receipt } =
        accepted;
    let draining = draining.into_iter().map(still).collect();
    let installations = host.stopped_installations(order);
    Ok(KillDone {
        order,
        state,
        signed,
        needed,
        killed,
        took_ms,
        draining,
        durable,
        receipt,
        installations,
    })
}

fn still(call: StoppedCall) -> Draining {
    let StoppedCall { call, draining, function, installation, stopped_us } = call;
    let stopped_us = stopped_us.map(|us| us.0.to_string());
    Draining { call, draining, function, installation, stopped_us }
}

fn same_order(host: &Host, id: &str) -> Result<OrderId, Problem> {
    let unknown = || Problem::new(Code::KillUnknown, format!("this host knows no order `{id}`"));
    let id: OrderId = id.parse().map_err(|_| unknown())?;
    host.kills().order(id).map(|order| order.id).ok_or_else(unknown)
}

fn read(body: Result<Bytes, BytesRejection>) -> Result<Bytes, Problem> {
    body.map_err(|error| match error.status() {
        StatusCode::PAYLOAD_TOO_LARGE => Problem::new(Code::BodyTooLarge, "the body is too large"),
        _ => Problem::new(Code::KillMalformed, "the body could not be read"),
    })
}
