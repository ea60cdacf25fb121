//! Leases of a host that is its own lessor: one per installation and UTC day, spent by reservation.
//!
//! A call reserves its worst case before it starts and settles what it cost after; what is spent and
//! reserved together never passes the budget, whatever interleaves. Totals live in memory, leases and
//! charges in the journal, and a restart rebuilds the one from the other ([`LeaseReplay`]).
//!
//! Deliberately absent: what things cost beyond the author's price, and who bears it. That is settled
//! from receipts, elsewhere. Bytes per day are counted where they flow (`capability/http`).

mod account;
mod meter;
mod replay;
mod reservation;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::RwLock;
use soma_policy::{
    Budget, Code, Currency, Denial, Installation, InstallationKey, JournalEntry, Layer, LeaseEvent,
    LeaseId, LeaseRecord, Money, Timestamp,
};

use crate::clock::Clock;
use crate::journal::Journal;

use account::Account;

pub use replay::{LeaseReplay, MovedToday};
pub use reservation::Reservation;

/// What a call asks of its installation's lease.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ask<'a> {
    pub(crate) key: &'a InstallationKey,
    /// The author's price of one call.
    pub(crate) price: Option<Money>,
    /// The tenant's budget.
    pub(crate) budget: Option<Budget>,
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
}

impl std::fmt::Debug for Leases {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Leases").field("day", &self.day).finish_non_exhaustive()
    }
}

impl Leases {
    /// The leases that a replay found, or none.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>, journal: Journal, replayed: LeaseReplay) -> Self {
        let (day, accounts) = replayed.accounts();
        let day = AtomicU64::new(day);
        Self { clock, journal, day, accounts: RwLock::new(accounts) }
    }

    /// Reserves the worst case of a call of this installation. A child call passes its parent's
    /// reservation, and fails at once if that lease has too little left.
    ///
    /// # Errors
    /// A denial of the budget's layer that says what is spent, reserved and to be done.
    pub fn reserve(
        &self,
        installation: &Installation,
        parent: Option<&Reservation>,
        now: Timestamp,
    ) -> Result<Reservation, Box<Denial>> {
        let ask =
            Ask { key: &installation.key, price: installation.price, budget: installation.budget };
        self.take(ask, parent, now)
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
            return parent.child(ask.price);
        }
        let currency = currency(&ask)?;
        let account = self.account(ask.key);
        let purse =
            account.purse(currency, self.today(now), |day| self.lease(&ask, currency, day, now));
        Reservation::take(&account, &purse, &ask)
    }

    /// What is spent and reserved of an installation's present lease.
    #[must_use]
    pub fn standing(&self, key: &InstallationKey, now: Timestamp) -> Vec<Standing> {
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
