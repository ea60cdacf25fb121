//! Statements: what a period did to an org, computed from the rows and from nothing else.

use std::collections::BTreeMap;

use serde::Serialize;
use soma_policy::{CapsuleName, Currency, InstallationKey, Money, OrgId};

use super::{Account, Cause, Posting, TransferKind};
use crate::Refusal;
use crate::budget::Window;
use crate::money;

/// One line of a statement.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Line {
    /// The capsule that it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub capsule: Option<CapsuleName>,
    /// The installation that it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub installation: Option<InstallationKey>,
    /// What the rows are for.
    pub kind: TransferKind,
    /// Whether the rows take something back: refunds and chargebacks.
    pub reversal: bool,
}

/// A statement of one org, window and currency. Opening and all lines together are closing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Statement {
    /// The balance at the end.
    pub closing: Money,
    /// The lines with their sums, signed from the org's side.
    pub lines: Vec<(Line, Money)>,
    /// The balance at the start.
    pub opening: Money,
    /// Whose.
    pub org: OrgId,
    /// Of which time.
    pub window: Window,
}

/// What a tenant has: its own account with what its leases hold. Giving and returning leases cancel out of
/// it, so the lines are what was paid in, spent and given back.
///
/// # Errors
/// [`soma_policy::Code::MoneyOverflow`].
pub fn tenant_statement<'a>(
    org: &OrgId,
    window: Window,
    currency: Currency,
    opening: i64,
    postings: impl IntoIterator<Item = &'a Posting>,
) -> Result<Statement, Refusal> {
    let mine = |posting: &Posting, account: &Account| match account {
        Account::Tenant(owner) => owner == org,
        Account::Lease(_) => posting.about.org.as_ref() == Some(org),
        _ => false,
    };
    statement(org, window, currency, opening, postings, &mine)
}

/// What an author has: pending, available and held earnings. What was paid out has left it.
///
/// # Errors
/// [`soma_policy::Code::MoneyOverflow`].
pub fn author_statement<'a>(
    org: &OrgId,
    window: Window,
    currency: Currency,
    opening: i64,
    postings: impl IntoIterator<Item = &'a Posting>,
) -> Result<Statement, Refusal> {
    let mine = |_: &Posting, account: &Account| match account {
        Account::Pending(owner) | Account::Available(owner) | Account::Held(owner) => owner == org,
        _ => false,
    };
    statement(org, window, currency, opening, postings, &mine)
}

fn statement<'a>(
    org: &OrgId,
    window: Window,
    currency: Currency,
    opening: i64,
    postings: impl IntoIterator<Item = &'a Posting>,
    mine: &dyn Fn(&Posting, &Account) -> bool,
) -> Result<Statement, Refusal> {
    let mut sums: BTreeMap<Line, i64> = BTreeMap::new();
    let within = |posting: &&Posting| posting.currency == currency && window.holds(posting.at);
    for posting in postings.into_iter().filter(within) {
        for row in &posting.transfers {
            let gets = if mine(posting, &row.credit) { row.amount } else { 0 };
            let gives = if mine(posting, &row.debit) { row.amount } else { 0 };
            if gets != gives {
                let sum = sums.entry(line(posting, row.kind)).or_default();
                *sum = money::add(*sum, gets - gives, "statement")?;
            }
        }
    }
    let closing =
        money::add(opening, money::sum(sums.values().copied(), "statement")?, "statement")?;
    let money = |micros| Money { micros, currency };
    let lines = sums.into_iter().map(|(line, sum)| (line, money(sum))).collect();
    let org = org.clone();
    Ok(Statement { closing: money(closing), lines, opening: money(opening), org, window })
}

fn line(posting: &Posting, kind: TransferKind) -> Line {
    Line {
        capsule: posting.about.capsule.clone(),
        installation: posting.about.installation.clone(),
        kind,
        reversal: matches!(posting.cause, Cause::Refund(_)),
    }
}
