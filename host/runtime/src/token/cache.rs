//! Tokens whose signature was found right, by their SHA-256: a fixed table without a lock.
//!
//! Each token has one place; a newcomer replaces who was there. So the table is bounded by itself, and
//! a flood of good tokens costs at most the signature checks that it would have cost anyway.

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use sha2::{Digest as _, Sha256};

use super::VerifiedToken;

/// Places in the table.
const PLACES: usize = 2048;

pub(crate) struct Cache {
    places: Box<[ArcSwapOption<Entry>]>,
}

struct Entry {
    hash: [u8; 32],
    token: Arc<VerifiedToken>,
}

impl std::fmt::Debug for Cache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Cache({PLACES} places)")
    }
}

impl Default for Cache {
    fn default() -> Self {
        Self { places: (0..PLACES).map(|_| ArcSwapOption::empty()).collect() }
    }
}

impl Cache {
    pub(crate) fn get(&self, token: &str) -> Option<Arc<VerifiedToken>> {
        let hash = hash(token);
        let entry = self.place(&hash)?.load();
        let entry = entry.as_ref()?;
        // Only a holder of the very token can have this hash: comparing in constant time buys nothing.
        (entry.hash == hash).then(|| Arc::clone(&entry.token))
    }

    pub(crate) fn put(&self, token: &str, verified: &Arc<VerifiedToken>) {
        let hash = hash(token);
        if let Some(place) = self.place(&hash) {
            place.store(Some(Arc::new(Entry { hash, token: Arc::clone(verified) })));
        }
    }

    fn place(&self, hash: &[u8; 32]) -> Option<&ArcSwapOption<Entry>> {
        let [a, b, ..] = hash;
        self.places.get(usize::from(u16::from_le_bytes([*a, *b])) % PLACES)
    }
}

fn hash(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}
