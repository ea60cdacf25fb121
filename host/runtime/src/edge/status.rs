//! What is installed, and how the host is: alive, ready, which version, which keys, which figures.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{StatusCode, header};
use serde_json::{Value, json};

use super::auth::Bearer;
use super::problem::{Problem, ProblemBody};
use crate::host::Host;
use crate::installations::Entry;
use crate::token::Scope;

/// Installations of the token's environment; an operator's token sees all.
#[utoipa::path(get, path = "/v1/installations", tag = "installations",
    responses((status = 200, description = "`items`", body = Object),
        (status = "4XX", description = "a problem", body = ProblemBody)), security(("token" = [])))]
pub(super) async fn installations(
    State(host): State<Arc<Host>>,
    bearer: Bearer,
) -> Result<Json<Value>, Problem> {
    if !bearer.operates() {
        bearer.must(&Scope::ReadCalls)?;
    }
    let snapshot = host.snapshot();
    let mut entries: Vec<_> = snapshot.entries().cloned().collect();
    entries.retain(|entry| bearer.operates() || bearer.owns(&entry.key));
    entries.sort_by(|a, b| a.key.cmp(&b.key));
    let items: Vec<Value> = entries.iter().map(|entry| item(&host, entry)).collect();
    let problems: Vec<String> = snapshot.problems.iter().map(ToString::to_string).collect();
    let problems = if bearer.operates() { problems } else { Vec::new() };
    Ok(Json(
        json!({ "items": items, "problems": problems, "load": snapshot.load.to_string(), "next": null }),
    ))
}

fn item(host: &Host, entry: &Entry) -> Value {
    let running = entry.running.as_ref();
    let leases = host.leases().standing(&entry.key, host.clock().now());
    let lease = leases.first();
    let killed = running.and_then(|it| host.kills().judge(it));
    json!({
        "id": entry.key.id, "tenant": entry.key.org, "environment": entry.key.environment,
        "state": killed.map_or_else(|| entry.state().as_str().to_owned(), |order| format!("killed by {order}")),
        "capsule": running.map(|it| it.capsule.to_string()),
        "version": running.map(|it| it.version.to_string()),
        "digest": running.map(|it| it.digest),
        "revision": running.map(|it| it.revision.to_string()),
        "budget": running.and_then(|it| it.budget.as_ref()).map(|budget| json!(budget)),
        "spent": lease.map(|lease| lease.spent), "reserved": lease.map(|lease| lease.reserved),
        "running": lease.map_or(0, |lease| lease.running),
        "loaded": running.is_some_and(|it| host.is_loaded(it)),
        "granted": running.map(|it| it.rights().granted().map(ToString::to_string).collect::<Vec<_>>()),
        "problems": entry.problems.iter().map(ToString::to_string).collect::<Vec<_>>(),
    })
}

/// Whether the process lives.
#[utoipa::path(get, path = "/health", tag = "host", responses((status = 200, description = "alive", body = Object)))]
pub(super) async fn health() -> Json<Value> {
    Json(json!({ "status": "alive" }))
}

/// Whether calls are taken, with the state of what they need.
#[utoipa::path(get, path = "/ready", tag = "host",
    responses((status = 200, description = "ready", body = Object), (status = 503, description = "not ready", body = Object)))]
pub(super) async fn ready(State(host): State<Arc<Host>>) -> Response {
    let journal = host.journal().health();
    let ready = journal.is_ok();
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let body = json!({
        "ready": ready,
        "journal": journal.err().map_or_else(|| "writing".to_owned(), |error| error.to_string()),
        "policy": host.snapshot().policy.hash(),
        "running": host.admission().running(),
    });
    (status, Json(body)).into_response()
}

/// Version of the program and of the host's interfaces.
#[utoipa::path(get, path = "/version", tag = "host", responses((status = 200, description = "versions", body = Object)))]
pub(super) async fn version(State(host): State<Arc<Host>>) -> Json<Value> {
    Json(json!({ "version": env!("CARGO_PKG_VERSION"), "host": host.id(), "boot": host.boot() }))
}

/// Figures in the OpenMetrics text format.
#[utoipa::path(get, path = "/metrics", tag = "host",
    responses((status = 200, description = "OpenMetrics", body = String, content_type = "application/openmetrics-text")))]
pub(super) async fn metrics(State(host): State<Arc<Host>>) -> Response {
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(header::CONTENT_TYPE, kind)], host.metrics().text(&host)).into_response()
}

/// The keys that this host's own issuer signs tokens with.
#[utoipa::path(get, path = "/.well-known/jwks.json", tag = "host", responses((status = 200, description = "a JWK set", body = Object)))]
pub(super) async fn jwks(State(host): State<Arc<Host>>) -> Json<Value> {
    Json(host.tokens().published())
}
