//! A call's share of a lease that the host gave itself: the author's price, out of the day's purse or the
//! month's.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use soma_policy::{Budget, Code, Denial, InstallationKey, Layer, LeaseId, Money, Outcome, Period};

use super::Ask;
use super::account::{Account, Purse};
use super::meter::MoneyMeter;

/// What a call holds: its price, and a slot.
#[derive(Debug)]
pub(super) struct OwnShare {
    account: Arc<Account>,
    purse: Arc<Purse>,
    key: InstallationKey,
    budget: Option<Budget>,
    /// Reserved and not settled, in micro-units.
    held: AtomicI64,
    reserved: i64,
    price: Option<Money>,
    /// A child runs in its parent's slot.
    slot: bool,
}

impl OwnShare {
    pub(super) fn take(
        account: &Arc<Account>,
        purse: &Arc<Purse>,
        ask: &Ask<'_>,
    ) -> Result<Self, Box<Denial>> {
        let mut taken = Self {
            account: Arc::clone(account),
            purse: Arc::clone(purse),
            key: ask.key.clone(),
            budget: ask.budget,
            held: AtomicI64::new(0),
            reserved: 0,
            price: ask.price,
            slot: false,
        };
        taken.reserved = taken.reserve(ask.price)?;
        taken.held = AtomicI64::new(taken.reserved);
        if let Some(budget) = ask.budget {
            // If this refuses, dropping `taken` gives the money back.
            account
                .running
                .enter(budget.concurrent_calls)
                .map_err(|running| Box::new(crowded(ask.key, running)))?;
            taken.slot = true;
        }
        Ok(taken)
    }

    /// A reservation for a call that this call's guest makes: on the same lease, under the same budget.
    /// It fails at once and never waits.
    pub(super) fn child(&self, price: Option<Money>) -> Result<Self, Box<Denial>> {
        if let Some(price) =
            price.filter(|price| price.micros > 0 && price.currency != self.purse.currency)
        {
            let reason =
                format!("the tool costs {price}, the caller's lease is in {}", self.purse.currency);
            let denial = Denial::new(Code::BudgetCurrency, Layer::Budget, "call a tool", reason);
            return Err(Box::new(denial));
        }
        let reserved = self.reserve(price)?;
        Ok(Self {
            account: Arc::clone(&self.account),
            purse: Arc::clone(&self.purse),
            key: self.key.clone(),
            budget: self.budget,
            held: AtomicI64::new(reserved),
            reserved,
            price,
            slot: false,
        })
    }

    /// Commits the price of a call; says how much that is.
    fn reserve(&self, price: Option<Money>) -> Result<i64, Box<Denial>> {
        let micros = price.map_or(0, |price| price.micros.max(0));
        if micros == 0 {
            return Ok(0);
        }
        let within = match self.budget {
            None => false,
            Some(Budget { limit, per: Period::Day, .. }) => {
                self.purse.today.reserve(micros, limit.micros) && follow(&self.purse.month, micros)
            }
            Some(Budget { limit, per: Period::Month, .. }) => {
                self.purse.month.reserve(micros, limit.micros) && follow(&self.purse.today, micros)
            }
        };
        within.then_some(micros).ok_or_else(|| Box::new(self.exhausted()))
    }

    /// The lease that the call's receipt names.
    pub(super) fn lease(&self) -> LeaseId {
        self.purse.lease
    }

    /// The worst case that is reserved.
    pub(super) fn reserved(&self) -> Option<Money> {
        self.price.map(|price| Money { micros: self.reserved, ..price })
    }

    /// What a call that ended so is charged: the author's price if its function returned, else nothing.
    pub(super) fn charge(&self, outcome: Outcome) -> Option<Money> {
        self.price.filter(|_| outcome == Outcome::Ok)
    }

    /// What it is charged is spent, at most what it reserved, and the rest goes back. Once.
    pub(super) fn settle(&self, charge: Option<Money>) {
        let held = self.held.swap(0, Ordering::AcqRel);
        let charge = charge.map_or(0, |charge| charge.micros.clamp(0, held));
        for meter in [&self.purse.today, &*self.purse.month] {
            meter.spend(charge);
            meter.release(held.saturating_sub(charge));
        }
    }

    /// The call's end is not on record: all that it reserved counts as spent.
    pub(super) fn forfeit(&self) {
        self.settle(self.reserved());
    }

    fn exhausted(&self) -> Denial {
        let Some(budget) = self.budget else {
            let reason = "the capsule has a price and the installation has no budget";
            return Denial::new(Code::BudgetExhausted, Layer::Budget, "call", reason).fix(format!(
                "add [budget] limit, per and concurrent_calls in {}",
                self.key.file()
            ));
        };
        let meter = match budget.per {
            Period::Day => &self.purse.today,
            Period::Month => &*self.purse.month,
        };
        let running = self.account.running.taken();
        let number = |micros| Money { micros, ..budget.limit }.number();
        let (spent, reserved) = (meter.spent(), meter.reserved());
        let spent = if spent > 0 { format!("{} spent and ", number(spent)) } else { String::new() };
        let reason = format!(
            "{spent}{} of {} reserved by {running} running calls",
            number(reserved),
            budget.limit
        );
        Denial::new(Code::BudgetExhausted, Layer::Budget, "call", reason)
            .fix(format!("retry, or raise budget.limit in {}", self.key.file()))
    }
}

impl Drop for OwnShare {
    fn drop(&mut self) {
        self.settle(None);
        if self.slot {
            self.account.running.leave();
        }
    }
}

fn follow(meter: &MoneyMeter, micros: i64) -> bool {
    meter.follow(micros);
    true
}

/// As many calls run as the tenant allows.
pub(super) fn crowded(key: &InstallationKey, running: u32) -> Denial {
    let reason = format!("{running} calls are running, and budget.concurrent_calls is no more");
    Denial::new(Code::BudgetConcurrency, Layer::Budget, "call", reason)
        .fix(format!("retry, or raise budget.concurrent_calls in {}", key.file()))
}
