//! The record: pages of it for who may read it, and the proof that nothing in it was changed.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use soma_policy::{Code, Timestamp};
use utoipa::{IntoParams, ToSchema};

use super::body::Search;
use super::page::{Listed, Paging};
use super::problem::Problem;
use super::reply::Reply;
use crate::audit::Verification;
use crate::identity::{Cap, Principal};
use crate::server::Server;
use crate::store::{AuditFilter, AuditRow};

/// Which entries.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct AuditQuery {
    /// At most so many, from 1 to 100.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<u32>,
    /// What the page before returned as `next`.
    cursor: Option<String>,
    /// One kind, such as `logged-in`.
    kind: Option<String>,
    /// Every org's entries; for operators.
    #[serde(default)]
    everywhere: bool,
}

/// One entry.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AuditEntry {
    /// Its id.
    id: String,
    /// The org.
    org: String,
    /// When (milliseconds).
    at: String,
    /// Who did it.
    actor: String,
    /// What happened.
    kind: String,
    /// What it is about.
    subject: String,
    /// More of it.
    detail: Value,
    /// The request, for logs.
    trace_id: String,
    /// Its place in the chain; none until it is chained.
    seq: Option<String>,
    /// Its hash, with the place.
    hash: Option<String>,
}

impl From<AuditRow> for AuditEntry {
    fn from(row: AuditRow) -> Self {
        let detail = serde_json::from_str(&row.detail).unwrap_or(Value::Null);
        let (seq, hash) = row.link.map(|link| (link.seq.to_string(), link.hash)).unzip();
        Self {
            id: row.id,
            org: row.org,
            at: row.at.0.to_string(),
            actor: row.actor,
            kind: row.kind,
            subject: row.subject,
            detail,
            trace_id: row.trace,
            seq,
            hash,
        }
    }
}

/// The org's entries, newest first.
#[utoipa::path(get, path = "/v1/audit", tag = "audit", params(AuditQuery),
    responses((status = 200, description = "a page", body = Listed<AuditEntry>)), security(("token" = [])))]
pub(super) async fn list(
    State(server): State<Server>,
    principal: Principal,
    Search(query): Search<AuditQuery>,
) -> Result<Response, Problem> {
    principal.must(&Cap::AuditRead)?;
    let paging = Paging { limit: query.limit, cursor: query.cursor };
    let kind = query.kind.filter(|kind| !kind.contains('\0'));
    let filter = AuditFilter { kind, before: before(&paging)?, limit: paging.limit()? + 1 };
    let rows = if query.everywhere {
        let mut unit = server.store.survey(principal.operating()?).await?;
        unit.audit_everywhere(&filter).await?
    } else {
        server.store.read(&principal.scope()).await?.audit_page(&filter).await?
    };
    let page = paging.page(rows, |row| format!("{} {}", row.at.0, row.id))?;
    let items: Vec<AuditEntry> = page.items.into_iter().map(AuditEntry::from).collect();
    Ok(Reply::ok(&Listed { items, next: page.next }).into_response())
}

fn before(paging: &Paging) -> Result<Option<(Timestamp, String)>, Problem> {
    let after = paging.after()?;
    if after.is_empty() {
        return Ok(None);
    }
    let bad = || Problem::new(Code::CursorBad, "the cursor is not one of this list");
    let (at, id) = after.split_once(' ').ok_or_else(bad)?;
    Ok(Some((Timestamp(at.parse().map_err(|_| bad())?), id.to_owned())))
}

/// Walks the whole chain and compares it with every signed head. For operators.
#[utoipa::path(get, path = "/v1/audit/verification", tag = "audit",
    responses((status = 200, description = "what was found", body = Verification)), security(("token" = [])))]
pub(super) async fn verify(
    State(server): State<Server>,
    principal: Principal,
) -> Result<Response, Problem> {
    principal.operating()?;
    Ok(Reply::ok(&server.verify_audit().await?).into_response())
}
