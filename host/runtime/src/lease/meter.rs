//! Counters that never pass their limit: of money, which is reserved first and settled after, and of
//! quotas, which are drawn as they are used.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

/// Money of one window, in micro-units.
#[derive(Debug, Default)]
pub(crate) struct MoneyMeter {
    /// Spent and reserved together: what a limit is compared with.
    committed: AtomicI64,
    spent: AtomicI64,
}

impl MoneyMeter {
    /// A meter on which this much is spent already.
    pub(crate) fn spent_already(micros: i64) -> Self {
        Self { committed: AtomicI64::new(micros), spent: AtomicI64::new(micros) }
    }

    /// Commits `micros` if the sum stays within `limit`.
    pub(crate) fn reserve(&self, micros: i64, limit: i64) -> bool {
        let within = |committed: i64| committed.checked_add(micros).filter(|sum| *sum <= limit);
        self.committed.fetch_update(Ordering::AcqRel, Ordering::Acquire, within).is_ok()
    }

    /// Commits `micros` where another meter's limit was asked.
    pub(crate) fn follow(&self, micros: i64) {
        self.committed.fetch_add(micros, Ordering::AcqRel);
    }

    /// Gives back what was reserved and not spent.
    pub(crate) fn release(&self, micros: i64) {
        self.committed.fetch_sub(micros, Ordering::AcqRel);
    }

    /// Turns reserved money into spent money.
    pub(crate) fn spend(&self, micros: i64) {
        self.spent.fetch_add(micros, Ordering::AcqRel);
    }

    pub(crate) fn spent(&self) -> i64 {
        self.spent.load(Ordering::Acquire)
    }

    pub(crate) fn reserved(&self) -> i64 {
        self.committed.load(Ordering::Acquire).saturating_sub(self.spent())
    }
}

/// A quota of one day.
#[derive(Debug, Default)]
pub(crate) struct QuotaMeter(AtomicU64);

impl QuotaMeter {
    pub(crate) fn used_already(amount: u64) -> Self {
        Self(AtomicU64::new(amount))
    }

    /// Takes `amount` if the sum stays within `limit`.
    pub(crate) fn draw(&self, amount: u64, limit: u64) -> bool {
        let within = |used: u64| used.checked_add(amount).filter(|sum| *sum <= limit);
        self.0.fetch_update(Ordering::AcqRel, Ordering::Acquire, within).is_ok()
    }

    /// Gives back what was drawn and not used.
    pub(crate) fn give_back(&self, amount: u64) {
        let less = |used: u64| Some(used.saturating_sub(amount));
        let _ = self.0.fetch_update(Ordering::AcqRel, Ordering::Acquire, less);
    }

    pub(crate) fn used(&self) -> u64 {
        self.0.load(Ordering::Acquire)
    }
}
