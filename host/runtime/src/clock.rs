//! Where time and fresh identifiers come from, so that everything else takes them as values.
//!
//! Two implementations exist: the machine's own, and a fixed one for authors' tests, where the same
//! input must give the same output. Nothing else in this crate reads a clock.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use soma_policy::Timestamp;

/// The time of day, a monotonic clock and a source of 128-bit identifiers.
pub trait Clock: Send + Sync + 'static {
    /// Wall time in milliseconds since the Unix epoch.
    fn now(&self) -> Timestamp;
    /// The same as exactly as the clock tells it.
    fn wall(&self) -> Duration {
        Duration::from_millis(self.now().0)
    }
    /// Time since some fixed moment; never goes back.
    fn monotonic(&self) -> Duration;
    /// A fresh UUIDv7 as a number.
    fn fresh_id(&self) -> u128;
    /// The seed of a call's random numbers: `None` asks the operating system.
    fn random_seed(&self) -> Option<u64> {
        None
    }
}

/// The machine's own clocks and entropy.
#[derive(Debug)]
pub struct SystemClock {
    started: std::time::Instant,
}

impl SystemClock {
    /// A clock whose monotonic zero is now.
    #[must_use]
    pub fn new() -> Self {
        Self { started: std::time::Instant::now() }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp(u64::try_from(self.wall().as_millis()).unwrap_or(u64::MAX))
    }

    #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the clock")]
    fn wall(&self) -> Duration {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        since.unwrap_or_default()
    }

    fn monotonic(&self) -> Duration {
        self.started.elapsed()
    }

    fn fresh_id(&self) -> u128 {
        uuid::Uuid::now_v7().as_u128()
    }
}

/// A clock that stands still until it is moved, with identifiers in sequence.
#[derive(Debug)]
pub struct FixedClock {
    now_ms: AtomicU64,
    next: AtomicU64,
    seed: u64,
}

impl FixedClock {
    /// Stands at `now` and seeds each call's random numbers with `seed`.
    #[must_use]
    pub fn new(now: Timestamp, seed: u64) -> Self {
        Self { now_ms: AtomicU64::new(now.0), next: AtomicU64::new(1), seed }
    }

    /// Moves wall and monotonic time forward together.
    pub fn advance(&self, by: Duration) {
        let millis = u64::try_from(by.as_millis()).unwrap_or(u64::MAX);
        self.now_ms.fetch_add(millis, Ordering::SeqCst);
    }

    /// Puts the wall clock to `now`, forward or back.
    pub fn set(&self, now: Timestamp) {
        self.now_ms.store(now.0, Ordering::SeqCst);
    }
}

impl Clock for FixedClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.now_ms.load(Ordering::SeqCst))
    }

    fn monotonic(&self) -> Duration {
        Duration::from_millis(self.now_ms.load(Ordering::SeqCst))
    }

    fn fresh_id(&self) -> u128 {
        let at = u128::from(self.now_ms.load(Ordering::SeqCst)) << 80;
        at | u128::from(self.next.fetch_add(1, Ordering::SeqCst))
    }

    fn random_seed(&self) -> Option<u64> {
        Some(self.seed)
    }
}
