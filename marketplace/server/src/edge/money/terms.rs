//! Terms: what calls are charged by. And whether the ledger is what was metered.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::Value;
use soma_policy::Timestamp;
use soma_policy::price::Terms;
use utoipa::ToSchema;

use super::super::body::Body;
use super::super::once::Once;
use super::super::page::Listed;
use super::super::problem::Problem;
use super::super::reply::Reply;
use crate::identity::{Cap, Principal};
use crate::money::Checked;
use crate::server::Server;
use crate::store::{PlatformScope, TermsRow};

/// An edition.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::edge) struct Edition {
    /// What leases name.
    digest: String,
    /// Whether it holds for new leases.
    active: bool,
    /// Book, outcome table, split and taxes.
    #[schema(value_type = Object)]
    terms: Value,
    /// The same, signed: a DSSE envelope.
    envelope: String,
    /// Who put it.
    put_by: String,
    /// When (milliseconds).
    #[schema(value_type = String)]
    created: Timestamp,
}

impl From<TermsRow> for Edition {
    fn from(row: TermsRow) -> Self {
        Self {
            digest: row.digest.to_string(),
            active: row.active,
            terms: serde_json::to_value(&row.terms).unwrap_or(Value::Null),
            envelope: row.envelope,
            put_by: row.put_by,
            created: row.created,
        }
    }
}

/// Editions of the terms, the newest first.
#[utoipa::path(get, path = "/v1/billing/terms", tag = "billing",
    responses((status = 200, description = "editions", body = Listed<Edition>)), security(("token" = [])))]
pub(in crate::edge) async fn list(
    State(server): State<Server>,
    principal: Principal,
) -> Result<Response, Problem> {
    principal.must(&Cap::BillingRead)?;
    let mut unit = server.store.survey(PlatformScope::of("terms")).await?;
    let items: Vec<Edition> = unit.editions().await?.into_iter().map(Edition::from).collect();
    Ok(Reply::ok(&Listed { items, next: None }).into_response())
}

/// Puts an edition, which holds for new leases of its currency. For the platform, with two fresh factors.
#[utoipa::path(put, path = "/v1/billing/terms", tag = "billing", request_body = Object,
    params(("Idempotency-Key" = String, Header, description = "one effect, however often it is sent")),
    responses((status = 200, description = "the edition", body = Edition)), security(("token" = [])))]
pub(in crate::edge) async fn put(
    State(server): State<Server>,
    principal: Principal,
    once: Once,
    Body { value, digest }: Body<Terms>,
) -> Result<Response, Problem> {
    let scope = principal.treasurer(&server)?;
    once.must_have_key()?;
    let mut work = once.platform(&server, principal.who(), scope, &digest).await?;
    let row = server.put_terms(&mut work, value, &principal.subject.to_string()).await?;
    work.done(Reply::ok(&Edition::from(row))).await
}

/// Prices every settled receipt again and compares it with its rows, balances with their sums, hashes with
/// what they cover. For the platform.
#[utoipa::path(get, path = "/v1/billing/check", tag = "billing",
    responses((status = 200, description = "what differs", body = Checked)), security(("token" = [])))]
pub(in crate::edge) async fn check(
    State(server): State<Server>,
    principal: Principal,
) -> Result<Response, Problem> {
    principal.auditing(&server)?;
    Ok(Reply::ok(&server.check_ledger().await?).into_response())
}
