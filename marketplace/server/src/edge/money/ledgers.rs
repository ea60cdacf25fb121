//! Accounts and rows of the ledger: an org's own, an author's share, everybody's for the platform.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use soma_market::ledger::{Account, TransferKind};
use soma_policy::{CapsuleName, Code, Currency, Money, OrgId, Timestamp};
use utoipa::{IntoParams, ToSchema};

use super::super::body::Search;
use super::super::page::{Listed, Paging};
use super::super::problem::Problem;
use super::super::reply::Reply;
use super::Side;
use crate::identity::{Cap, Principal};
use crate::server::Server;
use crate::store::{AccountRow, LedgerFilter, LedgerRow, StoreError};

/// Which rows.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(in crate::edge) struct LedgerQuery {
    /// At most so many, from 1 to 100.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<u32>,
    /// What the page before returned as `next`.
    cursor: Option<String>,
    /// `tenant` for what the org paid, `author` for what it earned.
    #[serde(default)]
    #[param(inline)]
    side: Side,
    /// Of every org, or of this one: for the platform.
    #[param(value_type = Option<String>)]
    org: Option<OrgId>,
    /// One capsule.
    #[param(value_type = Option<String>)]
    capsule: Option<CapsuleName>,
    /// One service, such as `cpu` or `author-share`.
    service: Option<String>,
    /// One currency.
    #[param(value_type = Option<String>)]
    currency: Option<Currency>,
    /// From this time on (milliseconds).
    #[param(value_type = Option<String>)]
    from: Option<Timestamp>,
    /// Before this time (milliseconds).
    #[param(value_type = Option<String>)]
    until: Option<Timestamp>,
}

/// One row.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::edge) struct LedgerItem {
    /// Its id.
    pub(super) id: String,
    /// The number of its posting.
    pub(super) posting: String,
    /// Why it was posted.
    pub(super) cause: String,
    /// When (milliseconds).
    pub(super) at: String,
    /// Who paid; never shown to the author.
    pub(super) tenant: Option<String>,
    /// Who earned.
    pub(super) author: Option<String>,
    /// The capsule.
    pub(super) capsule: Option<String>,
    /// The environment.
    pub(super) environment: Option<String>,
    /// The installation.
    pub(super) installation: Option<String>,
    /// What for.
    pub(super) service: String,
    /// Who gives.
    pub(super) debit: String,
    /// Who gets.
    pub(super) credit: String,
    /// How much, such as `0.0005 EUR`.
    #[schema(value_type = String)]
    pub(super) amount: Money,
    /// The row that it takes back.
    pub(super) reverses: Option<String>,
}

impl From<LedgerRow> for LedgerItem {
    fn from(row: LedgerRow) -> Self {
        Self {
            id: row.id,
            posting: row.n.to_string(),
            cause: row.cause,
            at: row.at.0.to_string(),
            tenant: row.tenant,
            author: row.author,
            capsule: row.capsule,
            environment: row.environment,
            installation: row.installation,
            service: row.kind,
            debit: row.debit,
            credit: row.credit,
            amount: row.amount,
            reverses: row.reverses,
        }
    }
}

impl LedgerItem {
    /// As an author sees it: who the tenant is stays the tenant's.
    fn for_author(row: LedgerRow) -> Self {
        let hide = |account: String| match account.parse::<Account>() {
            Ok(Account::Tenant(_) | Account::Lease(_)) => "tenant".to_owned(),
            _ => account,
        };
        let it = Self::from(row);
        let cause = it.cause.split(':').next().unwrap_or_default().to_owned();
        Self {
            cause,
            tenant: None,
            environment: None,
            installation: None,
            debit: hide(it.debit),
            credit: hide(it.credit),
            ..it
        }
    }
}

/// What an account holds.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::edge) struct AccountItem {
    /// Its name, such as `tenant:acme`.
    account: String,
    /// Whose it is.
    org: String,
    /// What it holds.
    #[schema(value_type = String)]
    balance: Money,
    /// What it may come to at least; nothing bounds it if none.
    #[schema(value_type = Option<String>)]
    least: Option<Money>,
    /// Of a tenant: what leases hold besides.
    #[schema(value_type = Option<String>)]
    leased: Option<Money>,
}

impl AccountItem {
    fn of(row: AccountRow, leased: &[Money]) -> Self {
        let currency = row.balance.currency;
        let own = matches!(row.account, Account::Tenant(_));
        let leased = leased.iter().find(|it| own && it.currency == currency).copied();
        Self {
            account: row.account.to_string(),
            org: row.org.to_string(),
            balance: row.balance,
            least: row.least.map(|micros| Money { micros, currency }),
            leased,
        }
    }
}

/// Whose rows are looked at.
#[derive(Debug, Clone)]
pub(super) enum View {
    Own,
    Earned,
    All,
}

impl LedgerQuery {
    /// The same question without a page.
    pub(super) fn of(
        side: Side,
        org: Option<OrgId>,
        capsule: Option<CapsuleName>,
        (service, currency): (Option<String>, Option<Currency>),
        (from, until): (Option<Timestamp>, Option<Timestamp>),
    ) -> Self {
        Self { limit: None, cursor: None, side, org, capsule, service, currency, from, until }
    }

    /// The rows that this principal may see of those that are asked for.
    pub(super) fn judge(
        &self,
        server: &Server,
        principal: &Principal,
    ) -> Result<(View, LedgerFilter), Problem> {
        principal.must(&Cap::BillingRead)?;
        let mut filter = self.filter()?;
        let view = match (&self.org, self.side) {
            _ if principal.is_treasury(server) => {
                let named = self.org.as_ref().map(ToString::to_string).unwrap_or_default();
                match self.side {
                    Side::Tenant => filter.tenant = named,
                    Side::Author => filter.author = named,
                }
                View::All
            }
            (Some(org), _) if *org != principal.org => return Err(Problem::not_found("org")),
            (_, Side::Tenant) => View::Own,
            (_, Side::Author) => View::Earned,
        };
        Ok((view, filter))
    }

    fn filter(&self) -> Result<LedgerFilter, Problem> {
        let kind = self.service.clone().unwrap_or_default();
        if !kind.is_empty() {
            let known = |error: soma_market::UnknownName| Problem::field("service", error);
            kind.parse::<TransferKind>().map_err(known)?;
        }
        Ok(LedgerFilter {
            capsule: self.capsule.as_ref().map(ToString::to_string).unwrap_or_default(),
            kind,
            currency: self.currency.map(|it| it.to_string()).unwrap_or_default(),
            from: self.from.unwrap_or(Timestamp(0)),
            until: self.until.unwrap_or(Timestamp(u64::MAX)),
            ..LedgerFilter::default()
        })
    }
}

/// One page of what is looked at.
pub(super) async fn page(
    server: &Server,
    principal: &Principal,
    view: &View,
    filter: &LedgerFilter,
) -> Result<Vec<(u64, u64, LedgerItem)>, StoreError> {
    let scope = crate::store::PlatformScope::of("ledgers");
    let place = |row: &LedgerRow| (row.n, row.place);
    let own = |row: LedgerRow| (place(&row).0, place(&row).1, LedgerItem::from(row));
    let hidden = |row: LedgerRow| (place(&row).0, place(&row).1, LedgerItem::for_author(row));
    Ok(match view {
        View::Own => {
            let mut unit = server.store.read(&principal.scope()).await?;
            unit.ledger(filter).await?.into_iter().map(own).collect()
        }
        View::Earned => {
            let mut unit = server.store.survey(scope).await?;
            let rows = unit.ledger_of_author(&principal.org, filter).await?;
            rows.into_iter().map(hidden).collect()
        }
        View::All => {
            let mut unit = server.store.survey(scope).await?;
            unit.ledger_everywhere(filter).await?.into_iter().map(own).collect()
        }
    })
}

/// Rows of the ledger in the order of their posting.
#[utoipa::path(get, path = "/v1/billing/ledgers", tag = "billing", params(LedgerQuery),
    responses((status = 200, description = "a page", body = Listed<LedgerItem>)), security(("token" = [])))]
pub(in crate::edge) async fn rows(
    State(server): State<Server>,
    principal: Principal,
    Search(query): Search<LedgerQuery>,
) -> Result<Response, Problem> {
    let (view, mut filter) = query.judge(&server, &principal)?;
    let paging = Paging { limit: query.limit, cursor: query.cursor };
    filter.after = after(&paging)?;
    filter.limit = paging.limit()? + 1;
    let rows = page(&server, &principal, &view, &filter).await?;
    let page = paging.page(rows, |(n, place, _)| format!("{n} {place}"))?;
    let items: Vec<LedgerItem> = page.items.into_iter().map(|(_, _, item)| item).collect();
    Ok(Reply::ok(&Listed { items, next: page.next }).into_response())
}

fn after(paging: &Paging) -> Result<(u64, u64), Problem> {
    let text = paging.after()?;
    if text.is_empty() {
        return Ok((0, 0));
    }
    let bad = || Problem::new(Code::CursorBad, "the cursor is not one of this list");
    let (n, place) = text.split_once(' ').ok_or_else(bad)?;
    Ok((n.parse().map_err(|_| bad())?, place.parse().map_err(|_| bad())?))
}

/// The org's accounts; everybody's for the platform, by `org` if it is named.
#[utoipa::path(get, path = "/v1/accounts", tag = "billing", params(AccountQuery),
    responses((status = 200, description = "a page", body = Listed<AccountItem>)), security(("token" = [])))]
pub(in crate::edge) async fn accounts(
    State(server): State<Server>,
    principal: Principal,
    Search(query): Search<AccountQuery>,
) -> Result<Response, Problem> {
    principal.must(&Cap::BillingRead)?;
    let paging = Paging { limit: query.limit, cursor: query.cursor };
    let (after, limit) = (paging.after()?, paging.limit()? + 1);
    let name = |row: &AccountRow| format!("{} {}", row.account, row.balance.currency);
    let (rows, leased) = if principal.is_treasury(&server) {
        let org = query.org.map(|org| org.to_string()).unwrap_or_default();
        let mut unit = server.store.survey(principal.auditing(&server)?).await?;
        (unit.accounts_everywhere(&org, &after, limit).await?, Vec::new())
    } else {
        if query.org.as_ref().is_some_and(|org| *org != principal.org) {
            return Err(Problem::not_found("org"));
        }
        let mut unit = server.store.read(&principal.scope()).await?;
        let leased = unit.leased().await?;
        // An org has a few: they are put in order here.
        let mut rows = unit.accounts().await?;
        rows.retain(|row| name(row) > after);
        rows.sort_by_key(name);
        (rows, leased)
    };
    let page = paging.page(rows, name)?;
    let items = page.items.into_iter().map(|row| AccountItem::of(row, &leased)).collect();
    Ok(Reply::ok(&Listed::<AccountItem> { items, next: page.next }).into_response())
}

/// Which accounts.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(in crate::edge) struct AccountQuery {
    /// At most so many, from 1 to 100.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<u32>,
    /// What the page before returned as `next`.
    cursor: Option<String>,
    /// One org's: for the platform.
    #[param(value_type = Option<String>)]
    org: Option<OrgId>,
}
