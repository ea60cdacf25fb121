//! Statements: what a day or month did to an org, from the rows and from nothing else.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use soma_market::budget::Window;
use soma_market::ledger::Line;
use soma_policy::{Currency, Money, OrgId};
use utoipa::{IntoParams, ToSchema};

use super::super::body::Search;
use super::super::problem::Problem;
use super::super::reply::Reply;
use super::Side;
use crate::identity::{Cap, Principal};
use crate::money::{MoneyError, Stretch};
use crate::server::Server;
use crate::store::PlatformScope;

/// Of what.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(in crate::edge) struct StatementQuery {
    /// A UTC day `2026-11-21` or month `2026-11`.
    window: String,
    /// The currency.
    #[param(value_type = String)]
    currency: Currency,
    /// `tenant` for what the org paid, `author` for what it earned.
    #[serde(default)]
    #[param(inline)]
    side: Side,
    /// Another org's: for the platform.
    #[param(value_type = Option<String>)]
    org: Option<OrgId>,
}

/// One line.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::edge) struct StatementLine {
    /// What for.
    service: String,
    /// Whether it takes something back.
    reversal: bool,
    /// The capsule.
    capsule: Option<String>,
    /// The installation, `org/environment/id`; never shown to the author.
    installation: Option<String>,
    /// The sum, from the org's side.
    #[schema(value_type = String)]
    amount: Money,
}

/// A statement. Opening and all lines together are closing.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Statement)]
pub(in crate::edge) struct StatementView {
    /// Whose.
    #[schema(value_type = String)]
    org: OrgId,
    /// Of which time.
    window: String,
    /// The balance at the start.
    #[schema(value_type = String)]
    opening: Money,
    /// What happened.
    lines: Vec<StatementLine>,
    /// The balance at the end.
    #[schema(value_type = String)]
    closing: Money,
}

/// The org's statement of a day or month.
#[utoipa::path(get, path = "/v1/billing/statements", tag = "billing", params(StatementQuery),
    responses((status = 200, description = "the statement", body = StatementView)), security(("token" = [])))]
pub(in crate::edge) async fn statement(
    State(server): State<Server>,
    principal: Principal,
    Search(query): Search<StatementQuery>,
) -> Result<Response, Problem> {
    principal.must(&Cap::BillingRead)?;
    let org = query.org.unwrap_or_else(|| principal.org.clone());
    if org != principal.org && !principal.is_treasury(&server) {
        return Err(Problem::not_found("org"));
    }
    let window = query.window.parse::<Window>();
    let window = window.map_err(|error| Problem::field("window", error))?;
    let author = query.side == Side::Author;
    let at = Stretch {
        org: &org,
        currency: query.currency,
        from: window.start(),
        until: window.end(),
        author,
    };
    let mut unit = server.store.survey(PlatformScope::of("statements")).await?;
    let (opening, lines, closing) = unit.statement(&at, window).await?;
    let view = StatementView {
        window: window.to_string(),
        opening: Money { micros: opening, currency: query.currency },
        lines: merged(lines, author)?,
        closing: Money { micros: closing, currency: query.currency },
        org,
    };
    Ok(Reply::ok(&view).into_response())
}

/// Lines as they are shown: to an author without the installations.
fn merged(lines: BTreeMap<Line, Money>, author: bool) -> Result<Vec<StatementLine>, Problem> {
    let mut shown: BTreeMap<Line, Money> = BTreeMap::new();
    for (line, amount) in lines {
        let installation = line.installation.clone().filter(|_| !author);
        let line = Line { installation, ..line };
        let zero = Money::zero(amount.currency);
        let sum = shown.entry(line).or_insert(zero);
        sum.micros = soma_market::money::add(sum.micros, amount.micros, "statement")
            .map_err(MoneyError::from)?;
    }
    let item = |(line, amount): (Line, Money)| StatementLine {
        service: line.kind.to_string(),
        reversal: line.reversal,
        capsule: line.capsule.map(|it| it.to_string()),
        installation: line.installation.map(|it| it.to_string()),
        amount,
    };
    Ok(shown.into_iter().map(item).collect())
}
