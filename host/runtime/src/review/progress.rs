//! What a review host has done so far, for whoever watches over it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// A server that was not heard of for longer queues nothing for this host.
const FRESH: Duration = Duration::from_secs(30);

/// Counts of one run. They only rise.
#[derive(Debug, Default)]
pub struct Progress {
    watched: AtomicU64,
    failed: AtomicU64,
    /// Milliseconds of the monotonic clock, and one more: zero is never.
    heard: AtomicU64,
}

impl Progress {
    /// The server answered, at this time of the monotonic clock.
    pub fn heard(&self, at: Duration) {
        let at = u64::try_from(at.as_millis()).unwrap_or(u64::MAX).saturating_add(1);
        self.heard.store(at, Ordering::Relaxed);
    }

    /// A submission was watched and its passport handed in.
    pub fn watched(&self) {
        self.watched.fetch_add(1, Ordering::Relaxed);
    }

    /// The server could not be asked, or a submission not be watched.
    pub fn failed(&self) {
        self.failed.fetch_add(1, Ordering::Relaxed);
    }

    /// How many submissions were watched, and how often that failed.
    #[must_use]
    pub fn counts(&self) -> (u64, u64) {
        (self.watched.load(Ordering::Relaxed), self.failed.load(Ordering::Relaxed))
    }

    /// Whether the server was heard of lately enough to give work.
    #[must_use]
    pub fn is_ready(&self, now: Duration) -> bool {
        let heard = self.heard.load(Ordering::Relaxed);
        let at = Duration::from_millis(heard.saturating_sub(1));
        heard > 0 && now.saturating_sub(at) <= FRESH
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_review_host_is_ready_while_its_server_is_heard_of() {
        let (progress, at) = (Progress::default(), Duration::from_secs);
        assert!(!progress.is_ready(at(0)));
        progress.heard(at(0));
        assert!(progress.is_ready(at(30)) && !progress.is_ready(at(31)));
        progress.failed();
        progress.watched();
        assert_eq!((progress.counts(), progress.is_ready(at(40))), ((1, 1), false));
    }
}
