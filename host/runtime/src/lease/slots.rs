//! How many calls of one installation run at one time.

use std::sync::atomic::{AtomicU32, Ordering};

/// Calls that run, up to a bound that may change with each call.
#[derive(Debug, Default)]
pub(crate) struct Slots(AtomicU32);

impl Slots {
    /// Takes one of `slots`; says how many are taken if none is free.
    pub(crate) fn enter(&self, slots: u32) -> Result<(), u32> {
        let free = |running: u32| (running < slots).then(|| running.saturating_add(1));
        self.0.fetch_update(Ordering::AcqRel, Ordering::Acquire, free).map(drop)
    }

    /// Gives a slot back.
    pub(crate) fn leave(&self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }

    /// How many are taken.
    pub(crate) fn taken(&self) -> u32 {
        self.0.load(Ordering::Acquire)
    }
}
