//! Where time and fresh ids come from, so that everything else takes them as values.
//!
//! Two implementations: the machine's own, and one that stands still until a test moves it.

use std::sync::atomic::{AtomicU64, Ordering};

use soma_policy::Timestamp;

/// The time of day and a source of 128-bit ids.
pub trait Clock: std::fmt::Debug + Send + Sync + 'static {
    /// Wall time.
    fn now(&self) -> Timestamp;
    /// A fresh UUIDv7 as a number: later ones are larger.
    fn fresh_id(&self) -> u128;
}

/// The machine's own.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the clock")]
    fn now(&self) -> Timestamp {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        let millis = since.map_or(0, |elapsed| elapsed.as_millis());
        Timestamp(u64::try_from(millis).unwrap_or(u64::MAX))
    }

    fn fresh_id(&self) -> u128 {
        uuid::Uuid::now_v7().as_u128()
    }
}

/// A clock that stands still until it is moved, with ids in sequence.
#[derive(Debug)]
pub struct FixedClock {
    now_ms: AtomicU64,
    next: AtomicU64,
}

impl FixedClock {
    /// Stands at `now`.
    #[must_use]
    pub fn new(now: Timestamp) -> Self {
        Self { now_ms: AtomicU64::new(now.0), next: AtomicU64::new(1) }
    }

    /// Moves forward.
    pub fn advance_ms(&self, by: u64) {
        self.now_ms.fetch_add(by, Ordering::SeqCst);
    }
}

impl Clock for FixedClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.now_ms.load(Ordering::SeqCst))
    }

    fn fresh_id(&self) -> u128 {
        let at = u128::from(self.now_ms.load(Ordering::SeqCst)) << 80;
        at | u128::from(self.next.fetch_add(1, Ordering::SeqCst))
    }
}
