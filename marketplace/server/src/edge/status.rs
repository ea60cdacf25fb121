//! How the server is: alive, ready with each thing that it needs, which version, which keys, which figures.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{StatusCode, header};
use serde_json::{Value, json};

use crate::server::Server;
use crate::store::{PlatformScope, Stream};

/// Whether the process lives.
#[utoipa::path(get, path = "/health", tag = "server", responses((status = 200, description = "alive", body = Object)))]
pub(super) async fn health() -> Json<Value> {
    Json(json!({ "status": "alive" }))
}

/// Whether requests are taken, with the state of everything that they need.
#[utoipa::path(get, path = "/ready", tag = "server",
    responses((status = 200, description = "ready", body = Object), (status = 503, description = "not ready", body = Object)))]
pub(super) async fn ready(State(server): State<Server>) -> Response {
    let stopping = server.stopping.is_cancelled();
    let database = database(&server).await;
    let signs = server.keyring.signs(server.now());
    let ready = !stopping && database.is_ok() && signs;
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let (database, sequences) = match database {
        Ok(sequences) => ("answers", sequences),
        Err(()) => ("does not answer", Value::Null),
    };
    let body = json!({
        "ready": ready,
        "stopping": stopping,
        "database": { "kind": server.store.kind(), "state": database },
        "issuer": if signs { "signs" } else { "has no key" },
        "sequences": sequences,
    });
    (status, Json(body)).into_response()
}

async fn database(server: &Server) -> Result<Value, ()> {
    let mut unit = server.store.survey(PlatformScope::of("ready")).await.map_err(drop)?;
    let mut heads = serde_json::Map::new();
    for stream in [Stream::Audit, Stream::Feed, Stream::Outbox] {
        let head = unit.head(stream).await.map_err(drop)?;
        heads.insert(stream.as_str().to_owned(), json!(head.map(|head| head.seq.to_string())));
    }
    Ok(Value::Object(heads))
}

/// Version of the program, and which deployment this is.
#[utoipa::path(get, path = "/version", tag = "server", responses((status = 200, description = "versions", body = Object)))]
pub(super) async fn version(State(server): State<Server>) -> Json<Value> {
    Json(json!({ "version": env!("CARGO_PKG_VERSION"), "deployment": server.deployment,
        "issuer": server.keyring.issuer(), "audience": server.keyring.audience() }))
}

/// Figures in the OpenMetrics text format.
#[utoipa::path(get, path = "/metrics", tag = "server",
    responses((status = 200, description = "OpenMetrics", body = String, content_type = "application/openmetrics-text")))]
pub(super) async fn metrics(State(server): State<Server>) -> Response {
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(header::CONTENT_TYPE, kind)], server.metrics.text()).into_response()
}

/// The keys that sign tokens, and those that will or did.
#[utoipa::path(get, path = "/.well-known/jwks.json", tag = "server", responses((status = 200, description = "a JWK set", body = Object)))]
pub(super) async fn jwks(State(server): State<Server>) -> Json<Value> {
    Json(server.keyring.published(server.now()))
}
