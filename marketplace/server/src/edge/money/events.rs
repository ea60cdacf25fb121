//! Billing events: what people and providers enter, what is given back, and limits of credit.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use soma_market::Words;
use soma_market::ledger::{Cause, EventKind, ReversalKind};
use soma_policy::{Money, OrgId, Timestamp};
use utoipa::{IntoParams, ToSchema};

use super::super::body::{At, Body, Search};
use super::super::once::Once;
use super::super::page::{Listed, Paging};
use super::super::problem::Problem;
use super::super::reply::Reply;
use crate::identity::{Cap, Principal};
use crate::money::{NewEntry, NewRefund};
use crate::server::Server;
use crate::store::EventRow;

/// A new entry.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::edge) struct NewEvent {
    /// Whose account.
    #[schema(value_type = String)]
    org: OrgId,
    /// `top-up`, `withdrawal`, `credit`, `adjust-up` or `adjust-down`.
    #[schema(value_type = String)]
    kind: EventKind,
    /// How much, such as `25.00 EUR`.
    #[schema(value_type = String)]
    amount: Money,
    /// Why, or the provider's reference.
    #[schema(value_type = String)]
    reason: Words,
}

/// A refund or chargeback of something that was posted.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::edge) struct NewBack {
    /// `refund` or `chargeback`.
    #[schema(value_type = String)]
    kind: ReversalKind,
    /// The cause of the posting that is taken back, such as `receipt:JOURNAL:SEQ`.
    #[schema(value_type = String)]
    original: Cause,
    /// How much of it.
    #[schema(value_type = String)]
    amount: Money,
    /// Why.
    #[schema(value_type = String)]
    reason: Words,
}

/// A limit of credit.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::edge) struct Credit {
    /// How far below zero the account may go.
    #[schema(value_type = String)]
    limit: Money,
}

/// What was entered.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::edge) struct BillingEvent {
    /// Its id.
    id: String,
    /// Whose account.
    #[schema(value_type = String)]
    org: OrgId,
    /// What it is.
    kind: String,
    /// How much.
    #[schema(value_type = String)]
    amount: Money,
    /// Why.
    reason: String,
    /// What a refund takes back.
    original: Option<String>,
    /// Who entered it.
    entered_by: String,
    /// When (milliseconds).
    #[schema(value_type = String)]
    at: Timestamp,
}

impl From<EventRow> for BillingEvent {
    fn from(row: EventRow) -> Self {
        let EventRow { id, org, kind, amount, reason, original, entered_by, at } = row;
        Self { id: id.to_string(), org, kind, amount, reason, original, entered_by, at }
    }
}

/// Enters a top-up, withdrawal, credit or adjustment. For the platform, with two fresh factors.
#[utoipa::path(post, path = "/v1/billing/events", tag = "billing", request_body = NewEvent,
    params(("Idempotency-Key" = String, Header, description = "one effect, however often it is sent")),
    responses((status = 201, description = "what was entered", body = BillingEvent)), security(("token" = [])))]
pub(in crate::edge) async fn enter(
    State(server): State<Server>,
    principal: Principal,
    once: Once,
    Body { value, digest }: Body<NewEvent>,
) -> Result<Response, Problem> {
    let scope = principal.treasurer(&server)?;
    once.must_have_key()?;
    let mut work = once.platform(&server, principal.who(), scope, &digest).await?;
    let NewEvent { org, kind, amount, reason } = value;
    let new = NewEntry { org, kind, amount, reason };
    let entered = server.enter(&mut work, new, &principal.subject.to_string()).await?;
    let location = format!("/v1/billing/events?org={}", entered.row.org);
    work.done(Reply::created(location, &BillingEvent::from(entered.row))).await
}

/// Gives a part of what was paid back. For the platform, with two fresh factors.
#[utoipa::path(post, path = "/v1/billing/refunds", tag = "billing", request_body = NewBack,
    params(("Idempotency-Key" = String, Header, description = "one effect, however often it is sent")),
    responses((status = 201, description = "what was given back", body = BillingEvent)), security(("token" = [])))]
pub(in crate::edge) async fn refund(
    State(server): State<Server>,
    principal: Principal,
    once: Once,
    Body { value, digest }: Body<NewBack>,
) -> Result<Response, Problem> {
    let scope = principal.treasurer(&server)?;
    once.must_have_key()?;
    let mut work = once.platform(&server, principal.who(), scope, &digest).await?;
    let NewBack { kind, original, amount, reason } = value;
    let new = NewRefund { kind, original, amount, reason };
    let entered = server.refund(&mut work, new, &principal.subject.to_string()).await?;
    let location = format!("/v1/billing/events?org={}", entered.row.org);
    work.done(Reply::created(location, &BillingEvent::from(entered.row))).await
}

/// Which events.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(in crate::edge) struct EventQuery {
    /// At most so many, from 1 to 100.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<u32>,
    /// What the page before returned as `next`.
    cursor: Option<String>,
    /// One org's: for the platform.
    #[param(value_type = Option<String>)]
    org: Option<OrgId>,
}

/// What was entered for the org; for every org, if the platform asks.
#[utoipa::path(get, path = "/v1/billing/events", tag = "billing", params(EventQuery),
    responses((status = 200, description = "a page", body = Listed<BillingEvent>)), security(("token" = [])))]
pub(in crate::edge) async fn list(
    State(server): State<Server>,
    principal: Principal,
    Search(query): Search<EventQuery>,
) -> Result<Response, Problem> {
    principal.must(&Cap::BillingRead)?;
    let paging = Paging { limit: query.limit, cursor: query.cursor };
    let (after, limit) = (paging.after()?, paging.limit()? + 1);
    let rows = if principal.is_treasury(&server) {
        let org = query.org.map(|org| org.to_string()).unwrap_or_default();
        let mut unit = server.store.survey(principal.auditing(&server)?).await?;
        unit.events_everywhere(&org, &after, limit).await?
    } else if query.org.is_some_and(|org| org != principal.org) {
        return Err(Problem::not_found("org"));
    } else {
        server.store.read(&principal.scope()).await?.events(&after, limit).await?
    };
    let page = paging.page(rows, |row| row.id.to_string())?;
    let items: Vec<BillingEvent> = page.items.into_iter().map(BillingEvent::from).collect();
    Ok(Reply::ok(&Listed { items, next: page.next }).into_response())
}

/// Lets an org's account go below zero, to a limit. For the platform, with two fresh factors.
#[utoipa::path(put, path = "/v1/billing/credit/{org}", tag = "billing", request_body = Credit,
    params(("org" = String, Path), ("Idempotency-Key" = String, Header, description = "one effect, however often it is sent")),
    responses((status = 200, description = "the limit", body = Credit)), security(("token" = [])))]
pub(in crate::edge) async fn credit(
    State(server): State<Server>,
    principal: Principal,
    At(org): At<OrgId>,
    once: Once,
    Body { value, digest }: Body<Credit>,
) -> Result<Response, Problem> {
    let scope = principal.treasurer(&server)?;
    once.must_have_key()?;
    let mut work = once.platform(&server, principal.who(), scope, &digest).await?;
    let actor = principal.subject.to_string();
    server.set_credit(&mut work, (&org, value.limit), &actor).await?;
    work.done(Reply::ok(&value)).await
}
