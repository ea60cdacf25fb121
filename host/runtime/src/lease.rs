//! Leases: money that calls reserve before they start and settle when they have ended.
//!
//! A host without a server is its own lessor: one lease per installation and UTC day, of which calls take the
//! author's price. With one ([`Leases::served_by`]), leases come from it alone, and calls take the worst case
//! under the lease's terms and are charged as the server will settle their receipts. In both, what is spent and
//! reserved together never passes what there is, whatever interleaves. Totals live in memory, leases and charges
//! in the journal, and a restart rebuilds the one from the other ([`LeaseReplay`]).
//!
//! Deliberately absent: settling, which is done from receipts, elsewhere. Bytes per day are counted where they
//! flow (`capability/http`).

mod account;
mod keep;
mod meter;
mod own;
mod replay;
mod reservation;
mod served;
mod slots;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::RwLock;
use soma_policy::{
    Budget, Code, Currency, Denial, Installation, InstallationKey, JournalEntry, Layer, LeaseEvent,
    LeaseId, LeaseRecord, Limits, Money, Timestamp,
};

use crate::clock::Clock;
use crate::journal::Journal;

use account::Account;
use own::OwnShare;
use served::{Cost, Need, Served};

pub use replay::{LeaseReplay, MovedToday};
pub use reservation::Reservation;
#[cfg(test)]
pub(crate) use served::with_bytes;
pub use served::{Billing, Holder};

/// What a call asks of its installation's lease.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ask<'a> {
    pub(crate) key: &'a InstallationKey,
    /// The author's price of one call.
    pub(crate) price: Option<Money>,
    /// The tenant's budget.
    pub(crate) budget: Option<Budget>,
}

/// A call that asks for its worst case.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    /// What is called.
    pub installation: &'a Installation,
    /// What the call may use.
    pub limits: &'a Limits,
    /// Who pays.
    pub billing: Billing,
}

/// The state of one installation's lease, for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// The lease.
    pub lease: LeaseId,
    /// Spent today.
    pub spent: Money,
    /// Reserved by running calls.
    pub reserved: Money,
    /// Calls that run.
    pub running: u32,
}

/// All leases of a host.
pub struct Leases {
    clock: Arc<dyn Clock>,
    journal: Journal,
    /// The latest UTC day that was seen: a clock that goes back stays on it.
    day: AtomicU64,
    accounts: RwLock<HashMap<InstallationKey, Arc<Account>>>,
    /// Leases of earlier runs that a server gave.
    unclosed: Vec<LeaseRecord>,
    served: Option<Served>,
}

impl std::fmt::Debug for Leases {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { day, served, .. } = self;
        f.debug_struct("Leases").field("day", day).field("served", served).finish_non_exhaustive()
    }
}

impl Leases {
    /// The leases that a replay found, or none.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>, journal: Journal, replayed: LeaseReplay) -> Self {
        let unclosed = replayed.unclosed();
        let (day, accounts) = replayed.accounts();
        let (day, accounts) = (AtomicU64::new(day), RwLock::new(accounts));
        Self { clock, journal, day, accounts, unclosed, served: None }
    }

    /// The same, but from here on leases come from a server alone. Those of earlier runs are closed.
    #[must_use]
    pub fn served_by(self, holder: Holder) -> Self {
        let served = Served::new(holder, self.unclosed);
        Self { unclosed: Vec::new(), served: Some(served), ..self }
    }

    /// Reserves the worst case of a call. A child call passes its parent's reservation, and fails at once if
    /// that lease has too little left.
    ///
    /// # Errors
    /// A denial of the budget's layer that says what is spent, reserved and to be done;
    /// [`Code::LeasePending`] where a server was asked and the call may be tried again.
    pub fn reserve(
        &self,
        wanted: Wanted<'_>,
        parent: Option<&Reservation>,
        now: Timestamp,
    ) -> Result<Reservation, Box<Denial>> {
        let Wanted { installation, limits, billing } = wanted;
        let Installation { ref key, price, budget, .. } = *installation;
        let Some(served) = &self.served else {
            return self.take(Ask { key, price, budget }, parent, now);
        };
        let need = Need::of(installation, limits);
        let share = match parent {
            None => served.take(&need, billing, now),
            Some(parent) => match parent.as_served() {
                Some(parent) => parent.child(Cost::of(&need, billing), now),
                None => Err(Box::new(served::foreign())),
            },
        };
        share.map(Reservation::served)
    }

    /// Reserves the worst case of a call. A child call's money comes out of its parent's lease, and a
    /// child takes no slot of its own.
    pub(crate) fn take(
        &self,
        ask: Ask<'_>,
        parent: Option<&Reservation>,
        now: Timestamp,
    ) -> Result<Reservation, Box<Denial>> {
        if let Some(parent) = parent {
            let parent = parent.as_own().ok_or_else(|| Box::new(served::foreign()))?;
            return parent.child(ask.price).map(Reservation::own);
        }
        let currency = currency(&ask)?;
        let account = self.account(ask.key);
        let purse =
            account.purse(currency, self.today(now), |day| self.lease(&ask, currency, day, now));
        OwnShare::take(&account, &purse, &ask).map(Reservation::own)
    }

    /// What is spent and reserved of an installation's present lease.
    #[must_use]
    pub fn standing(&self, key: &InstallationKey, now: Timestamp) -> Vec<Standing> {
        if let Some(served) = &self.served {
            return served.standings(key);
        }
        let day = self.today(now);
        let account = self.accounts.read().get(key).cloned();
        account.map(|account| account.standings(day)).unwrap_or_default()
    }

    /// The UTC day of `now`, or the later one that was seen.
    fn today(&self, now: Timestamp) -> u64 {
        self.day.fetch_max(now.day(), Ordering::AcqRel).max(now.day())
    }

    fn account(&self, key: &InstallationKey) -> Arc<Account> {
        if let Some(account) = self.accounts.read().get(key) {
            return Arc::clone(account);
        }
        Arc::clone(self.accounts.write().entry(key.clone()).or_default())
    }

    /// Takes a new lease. Its record stands in the journal before any receipt that names it, because
    /// entries keep the order in which they were appended.
    fn lease(&self, ask: &Ask<'_>, currency: Currency, day: u64, now: Timestamp) -> LeaseId {
        let lease = LeaseId::from_u128(self.clock.fresh_id());
        let record = LeaseRecord {
            at: now,
            currency,
            day,
            event: LeaseEvent::Taken,
            given: None,
            installation: ask.key.clone(),
            lease,
            limit_micros: ask.budget.map_or(0, |budget| budget.limit.micros),
        };
        // Whoever settles against this lease waits for the receipt, which comes after.
        drop(self.journal.append(&JournalEntry::Lease(record)));
        lease
    }
}

/// The currency of a call's lease: the budget's, which must be the price's.
fn currency(ask: &Ask<'_>) -> Result<Currency, Box<Denial>> {
    let budget = ask.budget.map(|budget| budget.limit.currency);
    match (ask.price, budget) {
        (Some(price), Some(budget)) if price.micros > 0 && price.currency != budget => {
            let reason = format!("the price is {price}, the budget is in {budget}");
            Err(Box::new(Denial::new(Code::BudgetCurrency, Layer::Budget, "call", reason)))
        }
        (price, budget) => {
            Ok(budget.or(price.map(|price| price.currency)).unwrap_or(Currency::EUR))
        }
    }
}
