//! What people and payment providers enter: top-ups, credits and adjustments. Usage enters only by receipts.

use serde::{Deserialize, Serialize};
use soma_policy::{EntryId, Money, OrgId, Timestamp};

use super::{About, Account, Cause, Draft, Posting, TransferKind};
use crate::Refusal;
use crate::Words;
use crate::money;
use crate::named::named;

named! {
    /// What is entered.
    EventKind "a billing event" {
        /// Money that a provider received.
        TopUp "top-up",
        /// Money that a provider paid back.
        Withdrawal "withdrawal",
        /// A gift of the platform.
        Credit "credit",
        /// A correction in the tenant's favour.
        AdjustUp "adjust-up",
        /// A correction in the platform's favour.
        AdjustDown "adjust-down",
    }
}

/// One entry, named by its id: entering it twice is one entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BillingEvent {
    /// How much; more than nothing.
    pub amount: Money,
    /// Its id.
    pub id: EntryId,
    /// What it is.
    pub kind: EventKind,
    /// Whose account.
    pub org: OrgId,
    /// Why, or the provider's reference.
    pub reason: Words,
}

impl BillingEvent {
    /// The posting of this entry.
    ///
    /// # Errors
    /// [`soma_policy::Code::AmountBad`].
    pub fn post(&self, at: Timestamp) -> Result<Posting, Refusal> {
        let micros = money::positive(self.amount, self.kind.as_str())?;
        let tenant = Account::Tenant(self.org.clone());
        let (kind, debit, credit) = match self.kind {
            EventKind::TopUp => (TransferKind::TopUp, Account::Outside, tenant),
            EventKind::Withdrawal => (TransferKind::TopUp, tenant, Account::Outside),
            EventKind::Credit => (TransferKind::Credit, Account::Credits, tenant),
            EventKind::AdjustUp => (TransferKind::Adjustment, Account::Adjustments, tenant),
            EventKind::AdjustDown => (TransferKind::Adjustment, tenant, Account::Adjustments),
        };
        let about = About { org: Some(self.org.clone()), ..About::default() };
        Draft::new(Cause::Entry(self.id), self.amount.currency, about, at)
            .row(kind, debit, credit, micros)?
            .whole()
    }
}
