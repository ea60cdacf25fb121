//! A bounded memory of decisions. A bundle owns its cache, so a new bundle starts with an empty one.
//!
//! Two generations per shard: when the young one is full it becomes the old one, and what was the old one is
//! dropped. Hits in the old one move to the young one.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Mutex, PoisonError};

use crate::denial::Denial;
use crate::id::Digest;

/// A whole question. Short ones are their own key; longer ones are a digest, so that a key is never large.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Key(Box<[u8]>);

impl Key {
    /// The longest question that is its own key. Longer than a digest, so the two never meet.
    const PLAIN_MAX: usize = 256;

    /// The key of a question: who asks, then each part with its length, so that no two questions share a text.
    pub(super) fn of(identity: &Digest, parts: &[&str]) -> Self {
        let mut text = Vec::with_capacity(Self::PLAIN_MAX);
        text.extend_from_slice(identity.as_bytes());
        for part in parts {
            text.extend_from_slice(&(part.len() as u64).to_be_bytes());
            text.extend_from_slice(part.as_bytes());
        }
        if text.len() <= Self::PLAIN_MAX {
            Self(text.into())
        } else {
            Self(Digest::of(&text).as_bytes().as_slice().into())
        }
    }
}

/// What was decided, and shared with every later asker.
pub(super) type Answer = Result<(), Box<Denial>>;

const SHARDS: usize = 16;
/// Decisions that one generation of one shard holds.
const SHARD_MAX: usize = 256;

#[derive(Debug, Default)]
struct Shard {
    young: HashMap<Key, Answer>,
    old: HashMap<Key, Answer>,
}

/// Decisions by their whole question.
#[derive(Debug, Default)]
pub(super) struct Cache {
    shards: [Mutex<Shard>; SHARDS],
    spread: RandomState,
}

impl Cache {
    fn shard(&self, key: &Key) -> Option<&Mutex<Shard>> {
        // INVARIANT: the remainder is below the number of shards.
        self.shards.get((self.spread.hash_one(key) % SHARDS as u64) as usize)
    }

    pub(super) fn get(&self, key: &Key) -> Option<Answer> {
        let mut shard = self.shard(key)?.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(answer) = shard.young.get(key) {
            return Some(answer.clone());
        }
        let answer = shard.old.get(key)?.clone();
        shard.put(key.clone(), answer.clone());
        Some(answer)
    }

    pub(super) fn put(&self, key: Key, answer: Answer) {
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
        self.shards.iter().map(count).sum()
    }
}

impl Shard {
    fn put(&mut self, key: Key, answer: Answer) {
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
        let key = |text: &str| Key::of(&Digest::ZERO, &[text]);
        let hot = key("hot");
        cache.put(hot.clone(), Ok(()));
        for n in 0..20_000u32 {
            cache.put(key(&n.to_string()), Ok(()));
            assert_eq!(cache.get(&hot), Some(Ok(())));
        }
        assert!(cache.len() <= 2 * SHARDS * SHARD_MAX, "{}", cache.len());
        assert_eq!(cache.get(&key("never")), None);
    }
    #[test]
    fn no_two_questions_share_a_key() {
        let key = |parts: &[&str]| Key::of(&Digest::ZERO, parts);
        assert_ne!(key(&["ab", "c"]), key(&["a", "bc"]));
        assert_ne!(key(&["a"]), key(&["a", ""]));
        assert_ne!(key(&["a"]), Key::of(&Digest::of(b"x"), &["a"]));
        let (long, longer) = ("x".repeat(300), "x".repeat(301));
        assert_ne!(key(&[&long]), key(&[&longer]));
        assert_eq!(key(&[&long]).0.len(), 32);
    }
}
