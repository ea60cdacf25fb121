//! One row of the ledger: so much from one account to another.

use serde::{Deserialize, Serialize};
use soma_policy::price::Item;
use soma_policy::{Code, Currency, Digest, Timestamp, TransferId};

use super::{Account, Cause};
use crate::Refusal;
use crate::named::named;

named! {
    /// What a row is for. A reversal has the kind of the row that it reverses.
    TransferKind "a kind of transfer" {
        /// The platform's rate per call.
        Call "call",
        /// CPU time.
        Cpu "cpu",
        /// Memory over time.
        Memory "memory",
        /// Bytes sent.
        Outbound "outbound",
        /// Model tokens.
        Tokens "tokens",
        /// The author's part of a price.
        AuthorShare "author-share",
        /// The platform's part of a price.
        Commission "commission",
        /// A tax.
        Tax "tax",
        /// Money in from outside.
        TopUp "top-up",
        /// A gift of the platform.
        Credit "credit",
        /// A correction by hand.
        Adjustment "adjustment",
        /// Into a lease.
        Lease "lease",
        /// Out of a lease, unspent.
        Residue "residue",
        /// Earnings that became available.
        Maturity "maturity",
        /// A movement of a payout.
        Payout "payout",
    }
}

impl TransferKind {
    /// The kind of a resource's line.
    #[must_use]
    pub const fn of(item: Item) -> Self {
        match item {
            Item::Call => Self::Call,
            Item::Cpu => Self::Cpu,
            Item::Memory => Self::Memory,
            Item::Outbound => Self::Outbound,
            Item::Tokens => Self::Tokens,
        }
    }
}

/// One row. Made by [`Draft`](super::Draft), or read back whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Raw")]
#[non_exhaustive]
pub struct Transfer {
    /// Micro-units, more than nothing.
    #[serde(with = "soma_policy::decimal")]
    pub amount: i64,
    /// When it was posted.
    pub at: Timestamp,
    /// Why.
    pub cause: Cause,
    /// Who gets it.
    pub credit: Account,
    /// The currency.
    pub currency: Currency,
    /// Who gives it.
    pub debit: Account,
    /// A function of cause, currency and place in the posting: posting twice collides.
    pub id: TransferId,
    /// What it is for.
    pub kind: TransferKind,
    /// The row that it reverses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reverses: Option<TransferId>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    #[serde(with = "soma_policy::decimal")]
    amount: i64,
    at: Timestamp,
    cause: Cause,
    credit: Account,
    currency: Currency,
    debit: Account,
    id: TransferId,
    kind: TransferKind,
    #[serde(default)]
    reverses: Option<TransferId>,
}

impl TryFrom<Raw> for Transfer {
    type Error = Refusal;
    fn try_from(raw: Raw) -> Result<Self, Refusal> {
        let Raw { amount, at, cause, credit, currency, debit, id, kind, reverses } = raw;
        Self { amount, at, cause, credit, currency, debit, id, kind, reverses }.checked()
    }
}

impl Transfer {
    /// Refuses a row that moves nothing, or from an account to itself.
    pub(super) fn checked(self) -> Result<Self, Refusal> {
        if self.amount <= 0 {
            let reason = format!("{} micro-units for `{}`", self.amount, self.cause);
            return Err(Refusal::new(Code::AmountBad, "post", reason));
        }
        if self.debit == self.credit {
            let reason = format!("`{}` moves money from `{}` to itself", self.cause, self.debit);
            return Err(Refusal::new(Code::PostingBad, "post", reason));
        }
        Ok(self)
    }

    /// The id of the row at this place of a cause's posting.
    #[must_use]
    pub fn id_of(cause: &Cause, currency: Currency, place: usize) -> TransferId {
        let digest = Digest::of(format!("{cause}/{currency}/{place}").as_bytes());
        let (head, _) = digest.as_bytes().split_at(16);
        // INVARIANT: a digest has 32 bytes, so its head has 16.
        TransferId::from_u128(head.try_into().map_or(0, u128::from_be_bytes))
    }

    /// What it does to this account's balance: its amount, less its amount, or nothing.
    #[must_use]
    pub fn effect_on(&self, account: &Account) -> i64 {
        if self.credit == *account {
            self.amount
        } else if self.debit == *account {
            -self.amount
        } else {
            0
        }
    }
}
