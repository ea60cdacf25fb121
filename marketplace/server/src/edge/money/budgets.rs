//! Budgets of the org and its environments. An installation's own is in its active revision.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::json;
use soma_market::budget::{Budget, Scope, Window};
use soma_policy::{Code, Currency, Money, Period};
use utoipa::{IntoParams, ToSchema};

use super::super::body::{Body, Search};
use super::super::once::Once;
use super::super::page::Paging;
use super::super::problem::Problem;
use super::super::reply::Reply;
use crate::audit::Act;
use crate::identity::{Cap, Principal};
use crate::money::{MoneyError, measure_of, own_scope};
use crate::server::Server;
use crate::store::{BudgetRow, CapRow};

/// A cap of money per UTC day or month.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::edge) struct NewBudget {
    /// `ORG` or `ORG/ENVIRONMENT`.
    scope: String,
    /// How much, such as `50.00 EUR`.
    #[schema(value_type = String)]
    limit: Money,
    /// `day` or `month`.
    #[schema(value_type = String)]
    per: Period,
    /// From how many per cent people are told; nobody is stopped by it.
    #[serde(default)]
    soft_percent: Option<u8>,
}

/// Which cap.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(in crate::edge) struct BudgetQuery {
    /// `ORG` or `ORG/ENVIRONMENT`.
    scope: String,
    /// The currency.
    #[param(value_type = String)]
    currency: Currency,
    /// `day` or `month`.
    #[param(value_type = String)]
    per: Period,
}

/// A cap that somebody set.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::edge) struct CapItem {
    /// Whose.
    scope: String,
    /// Of what: `money:EUR`.
    measure: String,
    /// `day` or `month`.
    per: String,
    /// How much.
    limit: String,
    /// From how many per cent people are told.
    soft_percent: Option<u8>,
    /// Rises with each change.
    version: u64,
}

/// What is committed in a window.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::edge) struct BudgetItem {
    /// Whose: the org, an environment or an installation.
    scope: String,
    /// Of what.
    measure: String,
    /// The UTC day or month.
    window: String,
    /// How much.
    limit: String,
    /// What is leased out, spent or paid in fees.
    committed: String,
    /// What may still be committed.
    left: String,
    /// Whether people are to be told that it is nearly used up.
    soft: bool,
    /// What will be committed at the end if it goes on so.
    forecast: Option<String>,
}

/// Caps, and what is committed now.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::edge) struct Budgets {
    /// Caps, a page of them.
    caps: Vec<CapItem>,
    /// The cursor of the next page of caps.
    next: Option<String>,
    /// Windows that hold now.
    windows: Vec<BudgetItem>,
}

fn shown(measure: &str, amount: i64) -> String {
    measure_of(measure).map_or_else(|| amount.to_string(), |measure| measure.show(amount))
}

impl From<CapRow> for CapItem {
    fn from(row: CapRow) -> Self {
        let CapRow { scope, measure, period, cap, soft_percent, version } = row;
        let (per, limit) = (period.to_string(), shown(&measure, cap));
        Self { scope, measure, per, limit, soft_percent, version }
    }
}

fn item(server: &Server, row: BudgetRow) -> Option<BudgetItem> {
    let (scope, measure) = (crate::money::scope_of(&row.scope)?, measure_of(&row.measure)?);
    let budget: Budget = row.budget(scope, measure);
    let forecast = budget.forecast(server.now()).ok().flatten();
    Some(BudgetItem {
        limit: shown(&row.measure, budget.cap),
        committed: shown(&row.measure, budget.committed),
        left: shown(&row.measure, budget.left()),
        soft: budget.is_soft(),
        forecast: forecast.map(|amount| shown(&row.measure, amount)),
        window: budget.window.to_string(),
        scope: row.scope,
        measure: row.measure,
    })
}

/// The org's budgets, and what is committed of each now.
#[utoipa::path(get, path = "/v1/budgets", tag = "billing", params(Paging),
    responses((status = 200, description = "budgets", body = Budgets)), security(("token" = [])))]
pub(in crate::edge) async fn list(
    State(server): State<Server>,
    principal: Principal,
    Search(paging): Search<Paging>,
) -> Result<Response, Problem> {
    principal.must(&Cap::BillingRead)?;
    let now = server.now();
    let mut unit = server.store.read(&principal.scope()).await?;
    let rows = unit.caps(&paging.after()?, paging.limit()? + 1).await?;
    let page = paging.page(rows, CapRow::place)?;
    let windows = unit.budgets_in(Window::day(now), Window::month(now)).await?;
    let answer = Budgets {
        caps: page.items.into_iter().map(CapItem::from).collect(),
        next: page.next,
        windows: windows.into_iter().filter_map(|row| item(&server, row)).collect(),
    };
    Ok(Reply::ok(&answer).into_response())
}

/// Sets a cap. Below what is committed nothing more is given out, and nothing is taken back.
#[utoipa::path(put, path = "/v1/budgets", tag = "billing", request_body = NewBudget,
    params(("Idempotency-Key" = String, Header, description = "one effect, however often it is sent")),
    responses((status = 200, description = "the cap", body = CapItem)), security(("token" = [])))]
pub(in crate::edge) async fn put(
    State(server): State<Server>,
    principal: Principal,
    once: Once,
    Body { value, digest }: Body<NewBudget>,
) -> Result<Response, Problem> {
    principal.must(&Cap::BillingWrite)?;
    once.must_have_key()?;
    let scope = own_scope(&principal.org, &value.scope)?;
    let measure = format!("money:{}", value.limit.currency);
    let row = CapRow {
        scope: scope.to_string(),
        measure,
        period: value.per,
        cap: value.limit.micros,
        soft_percent: value.soft_percent,
        version: 1,
    };
    judge(&server, &row, scope)?;
    let mut work = once.tenant(&server, &principal, &principal.scope(), &digest).await?;
    if let Some(Scope::Environment(_, environment)) = crate::money::scope_of(&row.scope) {
        let found = work.environment(&environment).await?;
        found.ok_or_else(|| Problem::not_found("environment"))?;
    }
    let kept = work.set_cap(&row, server.now()).await?;
    let detail = json!({ "limit": value.limit, "per": value.per.to_string() });
    let actor = principal.subject.to_string();
    let entry = server.note(&principal.org, &actor, Act::BudgetSet, &row.scope, &detail);
    work.audit(&entry).await?;
    work.done(Reply::ok(&CapItem::from(kept))).await
}

/// A cap that the rules would open.
fn judge(server: &Server, row: &CapRow, scope: Scope) -> Result<(), Problem> {
    let window = Window::of(row.period, server.now());
    let measure = measure_of(&row.measure).ok_or_else(|| Problem::field("limit", "a currency"))?;
    let open = Budget::open(scope, measure, row.cap, row.soft_percent, window);
    open.map(drop).map_err(|refusal| MoneyError::from(refusal).into())
}

/// Takes a cap away. What is committed stays counted until its window ends.
#[utoipa::path(delete, path = "/v1/budgets", tag = "billing", params(BudgetQuery),
    responses((status = 204, description = "it is gone")), security(("token" = [])))]
pub(in crate::edge) async fn remove(
    State(server): State<Server>,
    principal: Principal,
    Search(query): Search<BudgetQuery>,
) -> Result<Response, Problem> {
    principal.must(&Cap::BillingWrite)?;
    let scope = own_scope(&principal.org, &query.scope)?.to_string();
    let measure = format!("money:{}", query.currency);
    let mut unit = server.store.tenant(&principal.scope()).await?;
    if !unit.remove_cap(&scope, &measure, query.per).await? {
        return Err(Problem::new(Code::BudgetUnknown, format!("`{scope}` has no such budget")));
    }
    let detail = json!({ "limit": null, "per": query.per.to_string() });
    let actor = principal.subject.to_string();
    unit.audit(&server.note(&principal.org, &actor, Act::BudgetSet, &scope, &detail)).await?;
    unit.commit().await?;
    server.bell.notify_one();
    Ok(Reply::nothing().into_response())
}
