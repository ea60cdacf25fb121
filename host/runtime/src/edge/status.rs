//! What is installed, and how the host is: alive, ready, which version, which keys, which figures.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::{StatusCode, header};
use soma_policy::Installation;

use super::auth::Bearer;
use super::problem::Problem;
use super::refusal;
use super::shape::{
    FeedState, Health, InstallationItem, InstallationPage, PurgeDone, Ready, Version,
};
use crate::feed::FeedStatus;
use crate::host::{Host, Purged};
use crate::installations::Entry;
use crate::token::{KeySet, Scope};

/// Installations of the token's environment; an operator's token sees all.
#[utoipa::path(get, path = "/v1/installations", tag = "installations",
    responses((status = 200, description = "what is installed", body = InstallationPage), refusal::Token),
    security(("token" = [])))]
pub(super) async fn installations(
    State(host): State<Arc<Host>>,
    bearer: Bearer,
) -> Result<Json<InstallationPage>, Problem> {
    if !bearer.operates() {
        bearer.must(&Scope::ReadCalls)?;
    }
    let snapshot = host.snapshot();
    let mut entries: Vec<_> = snapshot.entries().cloned().collect();
    entries.retain(|entry| bearer.operates() || bearer.owns(&entry.key));
    entries.sort_by(|a, b| a.key.cmp(&b.key));
    let problems = snapshot.problems.iter().map(ToString::to_string);
    Ok(Json(InstallationPage {
        items: entries.iter().map(|entry| item(&host, entry)).collect(),
        problems: problems.filter(|_| bearer.operates()).collect(),
        load: snapshot.load.to_string(),
        next: None,
    }))
}

/// Removes what an installation kept (key-value entries, files) that is installed no longer.
#[utoipa::path(delete, path = "/v1/installations/{id}/data", tag = "installations", params(("id" = String, Path)),
    responses((status = 200, description = "what was removed", body = PurgeDone), refusal::Token, refusal::Purge),
    security(("token" = [])))]
pub(super) async fn purge(
    State(host): State<Arc<Host>>,
    bearer: Bearer,
    Path(id): Path<String>,
) -> Result<Json<PurgeDone>, Problem> {
    bearer.must(&Scope::Operate)?;
    let installation = bearer.installation(super::invoke::installation(&id)?);
    let purged = host.purge(installation.clone()).await;
    let Purged { kv_entries, files } =
        purged.map_err(|error| Problem::new(error.code(), error.to_string()))?;
    Ok(Json(PurgeDone { installation, kv_entries: kv_entries.to_string(), files }))
}

fn item(host: &Host, entry: &Entry) -> InstallationItem {
    let running = entry.running.as_deref();
    let leases = host.leases().standing(&entry.key, host.clock().now());
    let lease = leases.first();
    let killed = running.and_then(|it| host.kills().judge(it));
    let granted = |it: &Installation| it.rights().granted().map(ToString::to_string).collect();
    InstallationItem {
        id: entry.key.id.clone(),
        tenant: entry.key.org.clone(),
        environment: entry.key.environment.clone(),
        state: killed.map_or_else(
            || entry.state().as_str().to_owned(),
            |order| format!("killed by {order}"),
        ),
        capsule: running.map(|it| it.capsule.to_string()),
        version: running.map(|it| it.version.to_string()),
        digest: running.map(|it| it.digest),
        revision: running.map(|it| it.revision.to_string()),
        budget: running.and_then(|it| it.budget),
        spent: lease.map(|lease| lease.spent),
        reserved: lease.map(|lease| lease.reserved),
        running: lease.map_or(0, |lease| lease.running),
        loaded: running.is_some_and(|it| host.is_loaded(it)),
        granted: running.map(granted),
        problems: entry.problems.iter().map(ToString::to_string).collect(),
    }
}

/// Whether the process lives.
#[utoipa::path(get, path = "/health", tag = "host", responses((status = 200, description = "alive", body = Health)))]
pub(super) async fn health() -> Json<Health> {
    Json(Health { status: "alive" })
}

/// Whether calls are taken, with the state of what they need.
#[utoipa::path(get, path = "/ready", tag = "host",
    responses((status = 200, description = "ready", body = Ready), (status = 503, description = "not ready", body = Ready)))]
pub(super) async fn ready(State(host): State<Arc<Host>>) -> (StatusCode, Json<Ready>) {
    let (journal, feed) = (host.journal().health(), feed(&host));
    let ready = journal.is_ok() && feed.as_ref().is_none_or(|feed| feed.fresh);
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let body = Ready {
        ready,
        journal: journal.err().map_or_else(|| "writing".to_owned(), |error| error.to_string()),
        policy: host.snapshot().policy.hash(),
        running: host.admission().running(),
        feed,
        push: host.push_fault().map(|fault| String::clone(&fault)),
    };
    (status, Json(body))
}

fn feed(host: &Host) -> Option<FeedState> {
    let FeedStatus { head, age_ms, alarm, fresh } = host.feed_status()?;
    let (epoch, n) = (head.epoch.to_string(), head.n.to_string());
    Some(FeedState { fresh, epoch, n, age_ms: age_ms.map(|age| age.to_string()), alarm })
}

/// Version of the program and of its engine; which host this is.
#[utoipa::path(get, path = "/version", tag = "host", responses((status = 200, description = "versions", body = Version)))]
pub(super) async fn version(State(host): State<Arc<Host>>) -> Json<Version> {
    Json(Version {
        version: env!("CARGO_PKG_VERSION"),
        engine: format!("wasmtime {}", crate::engine::WASMTIME),
        host: host.id().to_string(),
        boot: host.boot().to_string(),
    })
}

/// Figures in the OpenMetrics text format.
#[utoipa::path(get, path = "/metrics", tag = "host",
    responses((status = 200, description = "OpenMetrics", body = String, content_type = "application/openmetrics-text")))]
pub(super) async fn metrics(State(host): State<Arc<Host>>) -> Response {
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(header::CONTENT_TYPE, kind)], host.metrics().text(&host)).into_response()
}

/// The keys of the issuers whose tokens this host takes.
#[utoipa::path(get, path = "/.well-known/jwks.json", tag = "host", responses((status = 200, description = "a JWK set", body = KeySet)))]
pub(super) async fn jwks(State(host): State<Arc<Host>>) -> Json<KeySet> {
    Json(host.tokens().published())
}
