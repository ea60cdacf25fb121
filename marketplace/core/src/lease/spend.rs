//! What a receipt takes of its lease, and what of it the lease does not pay.
//!
//! In time and within the lease, the lease pays all. If resources and price together are more than is left
//! (a meter may pass a limit by one poll of the guest), the lease pays the author's price and the platform
//! the resources. After the end, or for a call that began too late, the platform pays all. In no case does an
//! author get more out of a lease than it held: that is refused.

use soma_policy::price::{Bearer, Charge, Item, Terms};
use soma_policy::{Code, Money, Timestamp};

use super::{LastEntry, Lease};
use crate::Refusal;
use crate::budget::Amounts;
use crate::ledger::ReceiptKey;
use crate::money;

/// Who pays a part of a charge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Payer {
    /// The lease.
    Lease,
    /// The platform's account for losses.
    Loss,
}

/// A lease after a receipt, and who pays what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spent {
    /// Who pays the author's price.
    pub author: Payer,
    /// Whether it came too late for the lease.
    pub late: bool,
    /// The lease.
    pub lease: Lease,
    /// Whether the lease held too little for the resources.
    pub overdrawn: bool,
    /// Who pays the resources.
    pub resources: Payer,
    /// The taxes, on what the lease pays.
    pub taxes: Vec<i64>,
}

impl Lease {
    /// The lease after a charge of the receipt in this place, for a call that began at `started_at`.
    ///
    /// # Errors
    /// [`Code::LeaseExceeded`] when the author's price is more than the lease has for it.
    pub fn spend(
        &self,
        charge: &Charge,
        terms: &Terms,
        place: ReceiptKey,
        started_at: Timestamp,
    ) -> Result<Spent, Refusal> {
        if charge.bearer == Bearer::Platform {
            return Ok(self.on_loss(false));
        }
        let is_after = |last: LastEntry| place.journal != last.journal || place.seq > last.seq;
        let after_last = self.last.is_some_and(is_after);
        if !self.state.is_live() || after_last || started_at >= self.start_by {
            return self.too_late(charge.author);
        }
        let left = self.left()?.money.micros;
        let total = charge.total()?.micros;
        if total <= left {
            let lease = self.less(total)?;
            let taxes = charge.taxes.clone();
            let paid = Payer::Lease;
            return Ok(Spent {
                author: paid,
                late: false,
                lease,
                overdrawn: false,
                resources: paid,
                taxes,
            });
        }
        let resources = [0; Item::ALL.len()];
        let price = Charge { resources, ..charge.clone() }.taxed(terms)?;
        let total = price.total()?.micros;
        if total > left {
            return Err(self.exceeded(total, left));
        }
        let lease = self.less(total)?;
        let (author, resources) = (Payer::Lease, Payer::Loss);
        Ok(Spent { author, late: false, lease, overdrawn: true, resources, taxes: price.taxes })
    }

    /// The platform pays the author, within what the lease held and did not spend.
    fn too_late(&self, author: i64) -> Result<Spent, Refusal> {
        let late = money::add(self.late, author, "late")?;
        let left = self.left()?.money.micros;
        if late > left {
            return Err(self.exceeded(author, left.saturating_sub(self.late)));
        }
        let spent = self.on_loss(true);
        Ok(Spent { lease: Self { late, ..spent.lease }, ..spent })
    }

    fn on_loss(&self, late: bool) -> Spent {
        let (author, resources) = (Payer::Loss, Payer::Loss);
        Spent { author, late, lease: self.clone(), overdrawn: false, resources, taxes: Vec::new() }
    }

    fn less(&self, micros: i64) -> Result<Self, Refusal> {
        let money = Money { micros, currency: self.currency() };
        Ok(Self { used: self.used.plus(&Amounts::of(money))?, ..self.clone() })
    }

    fn exceeded(&self, asked: i64, left: i64) -> Refusal {
        let show = |micros| Money { micros, currency: self.currency() };
        let reason = format!("{} of a lease that has {} left", show(asked), show(left));
        Refusal::new(Code::LeaseExceeded, "settle", reason)
    }
}
