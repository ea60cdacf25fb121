//! Whose money it is. Every account exists once per currency.
//!
//! A balance is what was credited less what was debited: what the platform owes the account's owner. The
//! accounts of the platform and of the outside world carry the other side, so they may be below zero.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use soma_policy::{LeaseId, OrgId, TaxName};

/// One side of a transfer.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Account {
    /// What a tenant paid in and has not spent or leased out.
    Tenant(OrgId),
    /// What a lease has left.
    Lease(LeaseId),
    /// Earnings of an author whose time has not passed.
    Pending(OrgId),
    /// Earnings of an author that a payout may take. Below zero after a refund of what was paid out.
    Available(OrgId),
    /// What a payout that is under way has taken.
    Held(OrgId),
    /// What was paid out to an author.
    Paid(OrgId),
    /// What the platform takes for resources and as its share.
    Revenue,
    /// What the platform bears: its own failures, killed calls, late receipts.
    Loss,
    /// What the platform gives away.
    Credits,
    /// Corrections by hand.
    Adjustments,
    /// The world: banks and payment providers.
    Outside,
    /// A tax that is owed to its authority.
    Tax(TaxName),
}

/// Why a text is no account.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an account such as tenant:acme or platform-revenue")]
pub struct AccountError(String);

impl Account {
    /// The least that its balance may become by an ordinary posting; none if nothing bounds it. A
    /// tenant's floor depends on its [`Funding`](super::Funding), here it is the prepaid one.
    #[must_use]
    pub const fn floor(&self) -> Option<i64> {
        match self {
            Self::Tenant(_) | Self::Lease(_) | Self::Pending(_) | Self::Held(_) | Self::Paid(_) => {
                Some(0)
            }
            Self::Available(_)
            | Self::Revenue
            | Self::Loss
            | Self::Credits
            | Self::Adjustments
            | Self::Outside
            | Self::Tax(_) => None,
        }
    }

    /// The org whose money it is; none for leases and for the platform's own.
    #[must_use]
    pub const fn org(&self) -> Option<&OrgId> {
        match self {
            Self::Tenant(org)
            | Self::Pending(org)
            | Self::Available(org)
            | Self::Held(org)
            | Self::Paid(org) => Some(org),
            Self::Lease(_)
            | Self::Revenue
            | Self::Loss
            | Self::Credits
            | Self::Adjustments
            | Self::Outside
            | Self::Tax(_) => None,
        }
    }
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tenant(org) => write!(f, "tenant:{org}"),
            Self::Lease(lease) => write!(f, "lease:{lease}"),
            Self::Pending(org) => write!(f, "author-pending:{org}"),
            Self::Available(org) => write!(f, "author-available:{org}"),
            Self::Held(org) => write!(f, "author-held:{org}"),
            Self::Paid(org) => write!(f, "author-paid:{org}"),
            Self::Revenue => f.write_str("platform-revenue"),
            Self::Loss => f.write_str("platform-loss"),
            Self::Credits => f.write_str("platform-credits"),
            Self::Adjustments => f.write_str("platform-adjustments"),
            Self::Outside => f.write_str("outside"),
            Self::Tax(name) => write!(f, "tax:{name}"),
        }
    }
}

impl FromStr for Account {
    type Err = AccountError;
    fn from_str(text: &str) -> Result<Self, AccountError> {
        read(text).ok_or_else(|| {
            AccountError(text.chars().filter(|c| !c.is_control()).take(80).collect())
        })
    }
}

fn read(text: &str) -> Option<Account> {
    Some(match text {
        "platform-revenue" => Account::Revenue,
        "platform-loss" => Account::Loss,
        "platform-credits" => Account::Credits,
        "platform-adjustments" => Account::Adjustments,
        "outside" => Account::Outside,
        _ => {
            let (kind, owner) = text.split_once(':')?;
            match kind {
                "lease" => Account::Lease(owner.parse().ok()?),
                "tax" => Account::Tax(owner.parse().ok()?),
                "tenant" => Account::Tenant(owner.parse().ok()?),
                "author-pending" => Account::Pending(owner.parse().ok()?),
                "author-available" => Account::Available(owner.parse().ok()?),
                "author-held" => Account::Held(owner.parse().ok()?),
                "author-paid" => Account::Paid(owner.parse().ok()?),
                _ => return None,
            }
        }
    })
}

impl TryFrom<String> for Account {
    type Error = AccountError;
    fn try_from(text: String) -> Result<Self, AccountError> {
        text.parse()
    }
}

impl From<Account> for String {
    fn from(account: Account) -> Self {
        account.to_string()
    }
}
