//! How long ago the server proved that it is there and that nothing of its feed is held back.
//!
//! A heartbeat counts from the moment at which its nonce was *sent*, by the monotonic clock, and only once
//! this host has applied the head that it names. So neither a late answer nor a feed that stands still while
//! heartbeats go on makes anything fresh, and no wall clock can.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use soma_policy::feed::{FeedHead, RiskClass};

/// Heartbeats that wait for their head at one time.
const WAITING_MAX: usize = 64;
/// No heartbeat has counted yet.
const NEVER: u64 = u64::MAX;

/// When the last heartbeat that counts was asked for.
#[derive(Debug)]
pub(crate) struct Freshness {
    /// Monotonic milliseconds, or [`NEVER`].
    since: AtomicU64,
    waiting: Mutex<Vec<(u64, FeedHead)>>,
}

impl Default for Freshness {
    fn default() -> Self {
        Self { since: AtomicU64::new(NEVER), waiting: Mutex::default() }
    }
}

impl Freshness {
    /// Takes a heartbeat that was asked for at `sent`; `applied` is how far this host is.
    pub(super) fn heard(&self, sent: Duration, head: FeedHead, applied: &FeedHead) {
        let mut waiting = self.waiting.lock();
        if waiting.len() >= WAITING_MAX {
            // The newest asks for the most: whoever applies its head has applied the others'.
            waiting.remove(0);
        }
        waiting.push((millis(sent), head));
        drop(waiting);
        self.applied(applied);
    }

    /// Counts the heartbeats whose head has been applied.
    pub(super) fn applied(&self, applied: &FeedHead) {
        self.waiting.lock().retain(|(sent, head)| {
            if head.epoch != applied.epoch || head.n > applied.n {
                return head.epoch >= applied.epoch;
            }
            // The same number with another hash is another feed: it proves nothing.
            if head.n < applied.n || head.hash == applied.hash {
                self.count(*sent);
            }
            false
        });
    }

    fn count(&self, sent: u64) {
        let newer = |since: u64| (since == NEVER || since < sent).then_some(sent);
        // An error says that what stands is newer.
        let _ = self.since.fetch_update(Ordering::AcqRel, Ordering::Acquire, newer);
    }

    /// How old the last heartbeat that counts is; none if there was none since the start.
    pub(crate) fn age(&self, now: Duration) -> Option<Duration> {
        match self.since.load(Ordering::Acquire) {
            NEVER => None,
            since => Some(Duration::from_millis(millis(now).saturating_sub(since))),
        }
    }

    /// Whether installations of this class may start and run.
    pub(crate) fn covers(&self, class: RiskClass, now: Duration) -> bool {
        self.age(now).is_some_and(|age| age <= Duration::from_millis(class.lease().0))
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(NEVER - 1)
}

#[cfg(test)]
mod tests {
    use soma_policy::Digest;

    use super::*;

    fn head(n: u64) -> FeedHead {
        FeedHead { epoch: 1, hash: Digest::of(&n.to_le_bytes()), n }
    }

    const fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn nothing_is_fresh_before_the_first_heartbeat() {
        let fresh = Freshness::default();
        assert_eq!(fresh.age(at(0)), None);
        assert!(!fresh.covers(RiskClass::Low, at(0)));
    }

    #[test]
    fn a_heartbeat_counts_from_when_it_was_asked_for_and_for_each_class_as_long_as_that_may_go_on()
    {
        let fresh = Freshness::default();
        fresh.heard(at(100), head(1), &head(1));
        assert_eq!(fresh.age(at(170)), Some(at(70)), "however late its answer came");
        for (class, seconds) in
            [(RiskClass::High, 30), (RiskClass::Medium, 300), (RiskClass::Low, 900)]
        {
            assert!(fresh.covers(class, at(100 + seconds)));
            assert!(!fresh.covers(class, at(100 + seconds) + Duration::from_millis(1)));
        }
    }

    #[test]
    fn a_heartbeat_counts_only_once_its_head_is_applied() {
        let fresh = Freshness::default();
        fresh.heard(at(10), head(2), &head(1));
        assert_eq!(fresh.age(at(10)), None);
        fresh.applied(&head(2));
        assert_eq!(fresh.age(at(11)), Some(at(1)));
        // The feed stands still, heartbeats go on: what counted goes on ageing.
        for second in 12..200 {
            fresh.heard(at(second), head(3), &head(2));
        }
        assert!(!fresh.covers(RiskClass::High, at(200)));
        fresh.applied(&head(3));
        assert_eq!(fresh.age(at(200)), Some(at(1)));
    }

    #[test]
    fn an_older_answer_takes_nothing_back_and_another_epoch_proves_nothing() {
        let fresh = Freshness::default();
        fresh.heard(at(20), head(1), &head(1));
        fresh.heard(at(10), head(1), &head(1));
        assert_eq!(fresh.age(at(20)), Some(at(0)));
        fresh.heard(at(50), FeedHead { epoch: 2, ..head(1) }, &head(1));
        fresh.heard(at(51), FeedHead { epoch: 0, ..head(1) }, &head(1));
        assert_eq!(fresh.age(at(52)), Some(at(32)));
        fresh.applied(&FeedHead { epoch: 2, ..head(1) });
        assert_eq!(fresh.age(at(52)), Some(at(2)));
        let other = FeedHead { hash: Digest::of(b"other"), ..head(1) };
        fresh.heard(at(60), FeedHead { epoch: 2, ..other }, &FeedHead { epoch: 2, ..head(1) });
        assert_eq!(fresh.age(at(62)), Some(at(12)), "another hash under the same number");
    }
}
