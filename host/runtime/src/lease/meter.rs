//! Money of one window that never passes its limit: reserved first, settled after.

use std::sync::atomic::{AtomicI64, Ordering};

/// Money in micro-units.
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

    pub(crate) fn committed(&self) -> i64 {
        self.committed.load(Ordering::Acquire)
    }

    pub(crate) fn reserved(&self) -> i64 {
        self.committed().saturating_sub(self.spent())
    }
}
