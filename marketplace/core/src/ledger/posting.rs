//! All rows of one cause: posted together or not at all.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use soma_policy::{CapsuleName, Code, Currency, InstallationKey, OrgId, Timestamp, TransferId};

use super::{Account, Cause, Transfer, TransferKind};
use crate::Refusal;
use crate::money;

/// What a posting is about: the columns that ledgers are read by.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct About {
    /// The author's org.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub author: Option<OrgId>,
    /// The capsule.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capsule: Option<CapsuleName>,
    /// The installation, with its environment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub installation: Option<InstallationKey>,
    /// The tenant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub org: Option<OrgId>,
}

/// The rows of one cause, in one currency, at least one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Posting {
    /// What it is about.
    pub about: About,
    /// When it was posted.
    pub at: Timestamp,
    /// Why.
    pub cause: Cause,
    /// The currency of all rows.
    pub currency: Currency,
    /// Whether it happened outside already, so that no floor refuses it: a chargeback.
    pub forced: bool,
    /// The rows.
    pub transfers: Vec<Transfer>,
}

impl Posting {
    /// A posting that was read back: rows of one cause, currency and instant.
    ///
    /// # Errors
    /// [`Code::PostingBad`] when it has no rows, or they belong to several postings.
    pub fn read(about: About, forced: bool, transfers: Vec<Transfer>) -> Result<Self, Refusal> {
        let bad = |reason: &str| Refusal::new(Code::PostingBad, "read", reason);
        let first = transfers.first().ok_or_else(|| bad("it has no transfers"))?;
        let (cause, currency, at) = (first.cause.clone(), first.currency, first.at);
        let whole = |row: &Transfer| row.cause == cause && row.currency == currency && row.at == at;
        if !transfers.iter().all(whole) {
            return Err(bad("its transfers belong to several postings"));
        }
        Ok(Self { about, at, cause, currency, forced, transfers })
    }

    /// What it does to each account that it touches: one conditional update each.
    ///
    /// # Errors
    /// [`Code::MoneyOverflow`].
    pub fn deltas(&self) -> Result<BTreeMap<&Account, i64>, Refusal> {
        let mut deltas: BTreeMap<&Account, i64> = BTreeMap::new();
        for row in &self.transfers {
            for (account, change) in [(&row.debit, -row.amount), (&row.credit, row.amount)] {
                let delta = deltas.entry(account).or_default();
                *delta = money::add(*delta, change, "post")?;
            }
        }
        Ok(deltas)
    }

    /// All that its rows of one kind move.
    #[must_use]
    pub fn total(&self, kind: TransferKind) -> i64 {
        let rows = self.transfers.iter().filter(|row| row.kind == kind);
        rows.fold(0, |total, row| total.saturating_add(row.amount))
    }

    /// What its rows do to one account.
    #[must_use]
    pub fn effect_on(&self, account: &Account) -> i64 {
        let rows = self.transfers.iter();
        rows.fold(0, |total, row| total.saturating_add(row.effect_on(account)))
    }
}

/// A posting that is being written.
#[derive(Debug, Clone)]
#[must_use = "a draft posts nothing"]
pub struct Draft(Posting);

impl Draft {
    /// An empty one.
    pub const fn new(cause: Cause, currency: Currency, about: About, at: Timestamp) -> Self {
        Self(Posting { about, at, cause, currency, forced: false, transfers: Vec::new() })
    }

    /// With no floor that refuses it.
    pub fn forced(mut self) -> Self {
        self.0.forced = true;
        self
    }

    /// With one row more, unless the amount is nothing.
    ///
    /// # Errors
    /// [`Code::AmountBad`] for a negative amount, [`Code::PostingBad`] for a row within one account.
    pub fn row(
        self,
        kind: TransferKind,
        debit: Account,
        credit: Account,
        amount: i64,
    ) -> Result<Self, Refusal> {
        self.add(kind, debit, credit, amount, None)
    }

    pub(super) fn add(
        mut self,
        kind: TransferKind,
        debit: Account,
        credit: Account,
        amount: i64,
        reverses: Option<TransferId>,
    ) -> Result<Self, Refusal> {
        if amount == 0 {
            return Ok(self);
        }
        let Posting { at, cause, currency, transfers, .. } = &self.0;
        let (at, currency) = (*at, *currency);
        let id = Transfer::id_of(cause, currency, transfers.len());
        let cause = cause.clone();
        let row = Transfer { amount, at, cause, credit, currency, debit, id, kind, reverses };
        self.0.transfers.push(row.checked()?);
        Ok(self)
    }

    /// The posting; none if nothing moves.
    #[must_use]
    pub fn finish(self) -> Option<Posting> {
        (!self.0.transfers.is_empty()).then_some(self.0)
    }

    /// The posting.
    ///
    /// # Errors
    /// [`Code::PostingBad`] when nothing moves.
    pub fn whole(self) -> Result<Posting, Refusal> {
        let nothing = format!("`{}` moves nothing", self.0.cause);
        self.finish().ok_or_else(|| Refusal::new(Code::PostingBad, "post", nothing))
    }
}
