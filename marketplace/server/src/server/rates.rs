//! How fast requests may come, per key: the generic cell rate algorithm over a bounded map.
//!
//! A key that was quiet costs nothing: it is forgotten at the next sweep. The map never grows beyond
//! its bound; what does not fit is limited as one.

use std::collections::HashMap;

use parking_lot::Mutex;
use soma_policy::Timestamp;

/// Keys that are remembered at most.
const KEYS_MAX: usize = 100_000;
const MINUTE_MS: u64 = 60_000;
/// The key of all that do not fit.
const REST: &str = "";

/// Limits each key to so many requests a minute, of which a sixth may come at once.
#[derive(Debug)]
pub(crate) struct RateLimiter {
    per_minute: u32,
    /// When a key has room for one more, counted in microseconds.
    next: Mutex<HashMap<String, u64>>,
}

/// Whether a request may pass, and what is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Verdict {
    pub(crate) passes: bool,
    pub(crate) limit: u32,
    pub(crate) remaining: u32,
    /// Seconds until there is room again; at least one if it did not pass.
    pub(crate) wait_seconds: u64,
}

impl RateLimiter {
    pub(crate) fn per_minute(per_minute: u32) -> Self {
        Self { per_minute: per_minute.max(1), next: Mutex::new(HashMap::new()) }
    }

    /// Asks for one request of a key.
    pub(crate) fn ask(&self, key: &str, now: Timestamp) -> Verdict {
        let now = now.0.saturating_mul(1000);
        let step = (MINUTE_MS * 1000 / u64::from(self.per_minute)).max(1);
        let burst = u64::from((self.per_minute / 6).max(1)) * step;
        let mut next = self.next.lock();
        if next.len() >= KEYS_MAX {
            next.retain(|_, at| *at > now);
        }
        let fits = next.len() < KEYS_MAX || next.contains_key(key);
        let at = next.entry(if fits { key } else { REST }.to_owned()).or_insert(now);
        let start = (*at).max(now);
        let ahead = start - now;
        let passes = ahead + step <= burst;
        if passes {
            *at = start + step;
        }
        let used = if passes { ahead + step } else { ahead };
        let remaining = u32::try_from(burst.saturating_sub(used) / step).unwrap_or(u32::MAX);
        let wait = if passes { 0 } else { ahead + step - burst };
        Verdict {
            passes,
            limit: self.per_minute,
            remaining,
            wait_seconds: wait.div_ceil(1_000_000),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_passes_then_one_by_one_and_keys_do_not_share() {
        let limiter = RateLimiter::per_minute(60);
        let at = |ms: u64| Timestamp(1_000_000 + ms);
        let passed = (0..20).filter(|_| limiter.ask("a", at(0)).passes).count();
        assert_eq!(passed, 10);
        let refused = limiter.ask("a", at(0));
        assert_eq!((refused.passes, refused.remaining, refused.wait_seconds), (false, 0, 1));
        assert!(limiter.ask("b", at(0)).passes);
        assert!(limiter.ask("a", at(1000)).passes);
        assert!(!limiter.ask("a", at(1000)).passes);
    }

    #[test]
    fn over_an_hour_no_more_passes_than_the_rate() {
        let limiter = RateLimiter::per_minute(60);
        let passed = (0..36_000u64).filter(|n| limiter.ask("a", Timestamp(n * 100)).passes).count();
        assert!((3600..=3610).contains(&passed), "{passed}");
    }
}
