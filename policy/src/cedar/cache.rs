//! A bounded memory of decisions. A bundle owns its cache, so a new bundle starts with an empty one.
//!
//! Two generations per shard: when the young one is full it becomes the old one, and what was the old one is
//! dropped. Hits in the old one move to the young one.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use crate::denial::Denial;
use crate::id::Digest;

/// What was decided, and shared with every later asker.
pub(super) type Answer = Result<(), Box<Denial>>;

const SHARDS: usize = 16;
/// Decisions that one generation of one shard holds.
const SHARD_MAX: usize = 256;

#[derive(Debug, Default)]
struct Shard {
    young: HashMap<Digest, Answer>,
    old: HashMap<Digest, Answer>,
}

/// Decisions by the digest of their whole question.
#[derive(Debug, Default)]
pub(super) struct Cache([Mutex<Shard>; SHARDS]);

impl Cache {
    fn shard(&self, key: &Digest) -> Option<&Mutex<Shard>> {
        let [first, ..] = key.as_bytes();
        self.0.get(usize::from(*first) % SHARDS)
    }

    pub(super) fn get(&self, key: &Digest) -> Option<Answer> {
        let mut shard = self.shard(key)?.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(answer) = shard.young.get(key) {
            return Some(answer.clone());
        }
        let answer = shard.old.get(key)?.clone();
        shard.put(*key, answer.clone());
        Some(answer)
    }

    pub(super) fn put(&self, key: Digest, answer: Answer) {
        if let Some(shard) = self.shard(&key) {
            shard.lock().unwrap_or_else(PoisonError::into_inner).put(key, answer);
        }
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        let count = |shard: &Mutex<Shard>| {
            let shard = shard.lock().unwrap();
            shard.young.len() + shard.old.len()
        };
        self.0.iter().map(count).sum()
    }
}

impl Shard {
    fn put(&mut self, key: Digest, answer: Answer) {
        if self.young.len() >= SHARD_MAX {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(key, answer);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_never_grows_beyond_its_bound_and_keeps_what_is_used() {
        let cache = Cache::default();
        let hot = Digest::of(b"hot");
        cache.put(hot, Ok(()));
        for n in 0..20_000u32 {
            cache.put(Digest::of(&n.to_be_bytes()), Ok(()));
            assert_eq!(cache.get(&hot), Some(Ok(())));
        }
        assert!(cache.len() <= 2 * SHARDS * SHARD_MAX, "{}", cache.len());
        assert_eq!(cache.get(&Digest::of(b"never")), None);
    }
}
