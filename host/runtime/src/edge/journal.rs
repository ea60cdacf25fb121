//! `GET /v1/journal`: the durable prefix of the journal, by cursor. For operators: it spans tenants.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use serde::Deserialize;
use serde_json::{Value, json};
use soma_policy::Code;
use utoipa::IntoParams;

use super::auth::Bearer;
use super::problem::{Problem, ProblemBody};
use crate::host::Host;
use crate::token::Scope;

const PAGE_MAX: usize = 1000;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(super) struct From {
    /// The number of the first line wanted (default: the first there is).
    cursor: Option<String>,
    /// At most this many lines (default 100, most 1000).
    limit: Option<usize>,
}

/// Lines of the journal: only what is durable.
#[utoipa::path(get, path = "/v1/journal", tag = "audit", params(From),
    responses((status = 200, description = "`items`, and `next` as the cursor of what follows", body = Object),
        (status = "4XX", description = "a problem", body = ProblemBody)), security(("token" = [])))]
pub(super) async fn read(
    State(host): State<Arc<Host>>,
    bearer: Bearer,
    from: Result<Query<From>, QueryRejection>,
) -> Result<Json<Value>, Problem> {
    bearer.must(&Scope::Operate)?;
    let Query(from) = from.map_err(|error| Problem::new(Code::InputType, error.body_text()))?;
    let cursor = from.cursor.as_deref().map_or(Ok(0), str::parse::<u64>);
    let cursor =
        cursor.map_err(|_| Problem::new(Code::JournalCursor, "a cursor is a line number"))?;
    let limit = from.limit.unwrap_or(100).clamp(1, PAGE_MAX);
    let journal = host.journal().clone();
    let read = tokio::task::spawn_blocking(move || journal.read(cursor, limit)).await;
    let page = read
        .map_err(|error| Problem::new(Code::HostFailure, error.to_string()))?
        .map_err(|error| Problem::new(error.code(), error.to_string()))?;
    Ok(Json(
        json!({ "journal": host.journal().id(), "host": host.id(), "items": page.records, "next": page.next.to_string() }),
    ))
}
