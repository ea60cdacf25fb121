//! `GET /v1/journal`: the durable prefix of the journal, by cursor. For operators: it spans tenants.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use serde::Deserialize;
use soma_policy::Code;
use utoipa::IntoParams;

use super::auth::Bearer;
use super::problem::Problem;
use super::refusal;
use super::shape::{JournalLine, JournalPage};
use crate::host::Host;
use crate::journal::Line;
use crate::token::Scope;

const PAGE_MAX: usize = 1000;

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct From {
    /// The number of the first line wanted (default: the first there is).
    cursor: Option<String>,
    /// At most this many lines (default 100, most 1000).
    limit: Option<usize>,
}

/// Lines of the journal: only what is durable.
#[utoipa::path(get, path = "/v1/journal", tag = "audit", params(From),
    responses((status = 200, description = "some lines, and where to go on", body = JournalPage),
        refusal::Token, refusal::Query), security(("token" = [])))]
pub(super) async fn read(
    State(host): State<Arc<Host>>,
    bearer: Bearer,
    from: Result<Query<From>, QueryRejection>,
) -> Result<Json<JournalPage>, Problem> {
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
    let line = |line: Line| JournalLine {
        seq: line.seq.to_string(),
        hash: line.hash,
        head: line.head,
        record: line.record,
    };
    Ok(Json(JournalPage {
        journal: host.journal().id().to_string(),
        host: host.id().to_string(),
        items: page.records.into_iter().map(line).collect(),
        next: page.next.to_string(),
    }))
}
