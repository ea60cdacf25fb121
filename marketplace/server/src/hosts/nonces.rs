//! The memory of proofs that were taken: each nonce counts once.
//!
//! It is bounded, and forgets only what would be too old to be taken again. What was taken before this
//! process began it cannot know, so proofs that are older than it are refused.

use std::collections::HashMap;

use parking_lot::Mutex;
use soma_policy::feed::PROOF_AGE_MAX_MS;
use soma_policy::{HostId, Millis, Timestamp};

/// Nonces of one host that are remembered; a host that needs more within their time is too fast.
const NONCES_MAX: usize = 32 * 1024;

/// What became of a nonce.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Taken {
    /// It was new, and is not any more.
    Fresh,
    /// It was taken before, or may have been.
    Replayed,
    /// There is no room for it.
    Full,
}

/// The nonces of all hosts.
#[derive(Debug)]
pub(crate) struct Nonces {
    began: Timestamp,
    /// By host: nonce, and when its proof is too old anyway.
    taken: Mutex<HashMap<HostId, HashMap<String, Timestamp>>>,
}

impl Nonces {
    /// Remembers from now on.
    pub(crate) fn new(began: Timestamp) -> Self {
        Self { began, taken: Mutex::default() }
    }

    /// Takes a nonce of a proof that was made at `at`.
    pub(super) fn take(&self, host: HostId, nonce: &str, at: Timestamp, now: Timestamp) -> Taken {
        if at < self.began {
            return Taken::Replayed;
        }
        let mut hosts = self.taken.lock();
        let taken = hosts.entry(host).or_default();
        if taken.contains_key(nonce) {
            return Taken::Replayed;
        }
        if taken.len() >= NONCES_MAX {
            taken.retain(|_, ends| *ends >= now);
        }
        if taken.len() >= NONCES_MAX {
            return Taken::Full;
        }
        taken.insert(nonce.to_owned(), at.plus(Millis(PROOF_AGE_MAX_MS)));
        Taken::Fresh
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOST: HostId = HostId::from_u128(1);

    #[test]
    fn a_nonce_counts_once_for_each_host() {
        let (nonces, now) = (Nonces::new(Timestamp(1000)), Timestamp(2000));
        assert_eq!(nonces.take(HOST, "a", now, now), Taken::Fresh);
        assert_eq!(nonces.take(HOST, "a", now, now), Taken::Replayed);
        assert_eq!(nonces.take(HostId::from_u128(2), "a", now, now), Taken::Fresh);
        assert_eq!(nonces.take(HOST, "b", Timestamp(999), now), Taken::Replayed);
    }

    #[test]
    fn the_memory_is_bounded_and_forgets_only_what_is_too_old() {
        let (nonces, now) = (Nonces::new(Timestamp(0)), Timestamp(1000));
        for n in 0..NONCES_MAX {
            assert_eq!(nonces.take(HOST, &n.to_string(), now, now), Taken::Fresh);
        }
        let last = now.plus(Millis(PROOF_AGE_MAX_MS));
        assert_eq!(nonces.take(HOST, "more", last, last), Taken::Full);
        assert_eq!(nonces.take(HOST, "0", last, last), Taken::Replayed);
        let later = last.plus(Millis(1));
        assert_eq!(nonces.take(HOST, "more", later, later), Taken::Fresh);
    }
}
