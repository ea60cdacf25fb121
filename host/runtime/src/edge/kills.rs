//! Kill orders over HTTP. What authorises a write is the operators' signatures in the document, not a
//! token; reading takes an operator's token.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use serde::Deserialize;
use serde_json::{Value, json};
use soma_policy::{Code, KillScope, OrderId};
use utoipa::IntoParams;

use super::auth::Bearer;
use super::problem::{Problem, ProblemBody};
use crate::host::Host;
use crate::kill::Accepted;
use crate::token::Scope;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(super) struct Mode {
    /// Only say what `{"scope": …}` would stop. Takes an operator's token.
    dry_run: Option<bool>,
}

#[derive(Debug, Deserialize)]
struct Asked {
    scope: KillScope,
}

/// Takes a signed order (a DSSE envelope of kind `kill-order`) and carries it out.
#[utoipa::path(post, path = "/v1/kill-orders", tag = "kill", params(Mode),
    request_body(content = Object, description = "a DSSE envelope, or {\"scope\": …} with dry_run"),
    responses((status = 200, description = "what it stopped, with the host's signed receipt", body = Object),
        (status = "4XX", description = "a problem", body = ProblemBody)))]
pub(super) async fn give(
    State(host): State<Arc<Host>>,
    bearer: Result<Bearer, Problem>,
    mode: Result<Query<Mode>, QueryRejection>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<Value>, Problem> {
    let Query(mode) = mode.map_err(|error| Problem::new(Code::InputType, error.body_text()))?;
    let body = read(body)?;
    if mode.dry_run != Some(true) {
        return taken(&host, body).await;
    }
    bearer?.must(&Scope::Operate)?;
    let asked: Asked = serde_json::from_slice(&body)
        .map_err(|error| Problem::new(Code::KillScope, error.to_string()))?;
    Ok(Json(json!(host.blast_radius(&asked.scope))))
}

/// Every order that this host knows, with its state.
#[utoipa::path(get, path = "/v1/kill-orders", tag = "kill",
    responses((status = 200, description = "`items`", body = Object),
        (status = "4XX", description = "a problem", body = ProblemBody)), security(("token" = [])))]
pub(super) async fn list(
    State(host): State<Arc<Host>>,
    bearer: Bearer,
) -> Result<Json<Value>, Problem> {
    bearer.must(&Scope::Operate)?;
    Ok(Json(json!({ "items": host.kills().list(), "next": null })))
}

/// Takes a further signature: the same order, signed by another operator.
#[utoipa::path(post, path = "/v1/kill-orders/{id}/sign", tag = "kill", params(("id" = String, Path)),
    request_body(content = Object), responses((status = 200, description = "the order's state", body = Object),
        (status = "4XX", description = "a problem", body = ProblemBody)))]
pub(super) async fn sign(
    State(host): State<Arc<Host>>,
    Path(id): Path<String>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<Value>, Problem> {
    same_order(&host, &id)?;
    taken(&host, read(body)?).await
}

/// Takes a signed lift (a DSSE envelope of kind `kill-lift`).
#[utoipa::path(delete, path = "/v1/kill-orders/{id}", tag = "kill", params(("id" = String, Path)),
    request_body(content = Object), responses((status = 200, description = "the order's state", body = Object),
        (status = "4XX", description = "a problem", body = ProblemBody)))]
pub(super) async fn lift(
    State(host): State<Arc<Host>>,
    Path(id): Path<String>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<Value>, Problem> {
    same_order(&host, &id)?;
    taken(&host, read(body)?).await
}

/// This host's signed receipts for an order.
#[utoipa::path(get, path = "/v1/kill-orders/{id}/receipts", tag = "kill", params(("id" = String, Path)),
    responses((status = 200, description = "`items`: DSSE envelopes of kind `kill-receipt`", body = Object),
        (status = "4XX", description = "a problem", body = ProblemBody)), security(("token" = [])))]
pub(super) async fn receipts(
    State(host): State<Arc<Host>>,
    bearer: Bearer,
    Path(id): Path<String>,
) -> Result<Json<Value>, Problem> {
    bearer.must(&Scope::Operate)?;
    let id = same_order(&host, &id)?;
    Ok(Json(json!({ "items": host.kills().receipts(id), "next": null })))
}

async fn taken(host: &Arc<Host>, document: Bytes) -> Result<Json<Value>, Problem> {
    let accepted: Accepted = host
        .kill(document.to_vec())
        .await
        .map_err(|refused| Problem::new(refused.code(), refused.to_string()))?;
    let installations = host.stopped_installations(accepted.order);
    let mut answer = json!(accepted);
    if let Some(answer) = answer.as_object_mut() {
        answer.insert("installations".to_owned(), json!(installations));
    }
    Ok(Json(answer))
}

fn same_order(host: &Host, id: &str) -> Result<OrderId, Problem> {
    let unknown = || Problem::new(Code::KillUnknown, format!("this host knows no order `{id}`"));
    let id: OrderId = id.parse().map_err(|_| unknown())?;
    host.kills().order(id).map(|order| order.id).ok_or_else(unknown)
}

fn read(body: Result<Bytes, BytesRejection>) -> Result<Bytes, Problem> {
    body.map_err(|_| Problem::new(Code::KillMalformed, "the body could not be read"))
}
