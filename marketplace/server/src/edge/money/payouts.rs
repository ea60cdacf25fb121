//! Payouts: asked for by publishers, released by the platform, exported for a payment provider.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use soma_market::Words;
use soma_market::payout::PayoutCommand;
use soma_policy::{Money, OrgId, PayoutId, Timestamp};
use utoipa::{IntoParams, ToSchema};

use super::super::body::{At, Body, Search};
use super::super::once::Once;
use super::super::page::{Listed, Paging};
use super::super::problem::Problem;
use super::super::reply::Reply;
use crate::identity::{Cap, Principal};
use crate::money::PayoutMove;
use crate::server::Server;
use crate::store::{PayoutRow, PlatformScope};

/// A payout that is asked for.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::edge) struct NewPayout {
    /// How much, such as `25.00 EUR`.
    #[schema(value_type = String)]
    amount: Money,
}

/// What happens to a payout.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(in crate::edge) enum Move {
    /// It is agreed to.
    Approve,
    /// The provider paid it.
    Settle,
    /// It is refused or failed.
    Fail,
}

/// A move of a payout.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::edge) struct PayoutStep {
    /// What happens.
    step: Move,
    /// The provider's reference, or why it failed; left out to approve.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    note: Option<Words>,
}

/// A file for the provider.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::edge) struct PayoutFile {
    /// What the provider will call it.
    #[schema(value_type = String)]
    reference: Words,
}

/// A payout.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Payout)]
pub(in crate::edge) struct PayoutView {
    /// Its id.
    id: String,
    /// Whose earnings.
    #[schema(value_type = String)]
    org: OrgId,
    /// How much.
    #[schema(value_type = String)]
    amount: Money,
    /// `requested`, `approved`, `exported`, `settled` or `failed`.
    state: String,
    /// The file's or the provider's reference, or why it failed.
    note: Option<String>,
    /// Who asked for it.
    requested_by: String,
    /// When (milliseconds).
    #[schema(value_type = String)]
    created: Timestamp,
    /// Rises with each move.
    version: u64,
}

impl From<PayoutRow> for PayoutView {
    fn from(row: PayoutRow) -> Self {
        let PayoutRow { payout, requested_by, version, created } = row;
        Self {
            id: payout.id.to_string(),
            org: payout.author,
            amount: payout.amount,
            state: payout.state.to_string(),
            note: payout.note.map(|note| note.as_str().to_owned()),
            requested_by,
            created,
            version,
        }
    }
}

/// Which payouts.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(in crate::edge) struct PayoutQuery {
    /// At most so many, from 1 to 100.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<u32>,
    /// What the page before returned as `next`.
    cursor: Option<String>,
    /// Of one state: for the platform.
    state: Option<String>,
}

/// The org's payouts; everybody's for the platform.
#[utoipa::path(get, path = "/v1/billing/payouts", tag = "billing", params(PayoutQuery),
    responses((status = 200, description = "a page", body = Listed<PayoutView>)), security(("token" = [])))]
pub(in crate::edge) async fn list(
    State(server): State<Server>,
    principal: Principal,
    Search(query): Search<PayoutQuery>,
) -> Result<Response, Problem> {
    principal.must(&Cap::BillingRead)?;
    let paging = Paging { limit: query.limit, cursor: query.cursor };
    let (after, limit) = (paging.after()?, paging.limit()? + 1);
    let rows = if principal.is_treasury(&server) {
        let state = query.state.filter(|it| !it.contains('\0')).unwrap_or_default();
        let mut unit = server.store.survey(principal.auditing(&server)?).await?;
        unit.payouts_everywhere(&state, &after, limit).await?
    } else {
        server.store.read(&principal.scope()).await?.payouts(&after, limit).await?
    };
    let page = paging.page(rows, |row| row.payout.id.to_string())?;
    let items: Vec<PayoutView> = page.items.into_iter().map(PayoutView::from).collect();
    Ok(Reply::ok(&Listed { items, next: page.next }).into_response())
}

/// Asks for a payout of what is available, with two fresh factors.
#[utoipa::path(post, path = "/v1/billing/payouts", tag = "billing", request_body = NewPayout,
    params(("Idempotency-Key" = String, Header, description = "one effect, however often it is sent")),
    responses((status = 201, description = "the payout", body = PayoutView)), security(("token" = [])))]
pub(in crate::edge) async fn request(
    State(server): State<Server>,
    principal: Principal,
    once: Once,
    Body { value, digest }: Body<NewPayout>,
) -> Result<Response, Problem> {
    principal.must(&Cap::BillingWrite)?;
    principal.must_be_fresh(&server)?;
    once.must_have_key()?;
    let scope = PlatformScope::of("payouts");
    let mut work = once.platform(&server, principal.who(), scope, &digest).await?;
    let actor = principal.subject.to_string();
    let row = server.request_payout(&mut work, &principal.org, value.amount, &actor).await?;
    let location = "/v1/billing/payouts".to_owned();
    work.done(Reply::created(location, &PayoutView::from(row))).await
}

/// Approves, settles or fails a payout. For the platform, with two fresh factors.
#[utoipa::path(post, path = "/v1/billing/payouts/{payout}/steps", tag = "billing", request_body = PayoutStep,
    params(("payout" = String, Path), ("Idempotency-Key" = String, Header, description = "one effect, however often it is sent")),
    responses((status = 200, description = "the payout", body = PayoutView)), security(("token" = [])))]
pub(in crate::edge) async fn step(
    State(server): State<Server>,
    principal: Principal,
    At(id): At<PayoutId>,
    once: Once,
    Body { value, digest }: Body<PayoutStep>,
) -> Result<Response, Problem> {
    let scope = principal.treasurer(&server)?;
    once.must_have_key()?;
    let command = command(value)?;
    let mut work = once.platform(&server, principal.who(), scope, &digest).await?;
    let actor = principal.subject.to_string();
    let row = server.move_payout(&mut work, PayoutMove { id, command }, &actor).await?;
    work.done(Reply::ok(&PayoutView::from(row))).await
}

fn command(step: PayoutStep) -> Result<PayoutCommand, Problem> {
    let missing = || Problem::field("note", "the provider's reference, or why it failed");
    Ok(match (step.step, step.note) {
        (Move::Approve, _) => PayoutCommand::Approve,
        (Move::Settle, note) => PayoutCommand::Settle(note.ok_or_else(missing)?),
        (Move::Fail, note) => PayoutCommand::Fail(note.ok_or_else(missing)?),
    })
}

/// Puts every approved payout into a file for the provider. For the platform, with two fresh factors.
#[utoipa::path(post, path = "/v1/billing/payouts/export", tag = "billing", request_body = PayoutFile,
    params(("Idempotency-Key" = String, Header, description = "one effect, however often it is sent")),
    responses((status = 200, description = "the payouts of the file", body = Listed<PayoutView>)), security(("token" = [])))]
pub(in crate::edge) async fn export(
    State(server): State<Server>,
    principal: Principal,
    once: Once,
    Body { value, digest }: Body<PayoutFile>,
) -> Result<Response, Problem> {
    let scope = principal.treasurer(&server)?;
    once.must_have_key()?;
    let mut work = once.platform(&server, principal.who(), scope, &digest).await?;
    let actor = principal.subject.to_string();
    let rows = server.export_payouts(&mut work, &value.reference, &actor).await?;
    let items: Vec<PayoutView> = rows.into_iter().map(PayoutView::from).collect();
    work.done(Reply::ok(&Listed { items, next: None })).await
}

/// What an org earned on one UTC day.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::edge) struct EarningItem {
    /// The day.
    day: String,
    /// All that was earned.
    #[schema(value_type = String)]
    earned: Money,
    /// What is left of it after refunds.
    #[schema(value_type = String)]
    left: Money,
    /// `pending`, or `available` to payouts.
    state: &'static str,
    /// When it is available (milliseconds).
    #[schema(value_type = String)]
    due: Timestamp,
}

/// What the org earned, the last hundred days of it.
#[utoipa::path(get, path = "/v1/billing/earnings", tag = "billing",
    responses((status = 200, description = "earnings by day, newest first", body = Listed<EarningItem>)), security(("token" = [])))]
pub(in crate::edge) async fn earnings(
    State(server): State<Server>,
    principal: Principal,
) -> Result<Response, Problem> {
    principal.must(&Cap::BillingRead)?;
    let rows = server.store.read(&principal.scope()).await?.earnings(100).await?;
    let item = |it: soma_market::earnings::Earning| EarningItem {
        day: it.window.to_string(),
        earned: it.earned,
        left: it.left(),
        state: it.state.as_str(),
        due: it.window.end().plus(crate::money::HOLD),
    };
    let items: Vec<EarningItem> = rows.into_iter().map(item).collect();
    Ok(Reply::ok(&Listed { items, next: None }).into_response())
}
