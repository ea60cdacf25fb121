//! The store as the host uses it: whatever is read from it is verified against the trust of now.
//!
//! Facts of a digest are remembered, so that a thousand installations of one capsule verify it once per
//! change of trust. Components themselves are never kept: they are read and verified at each load.

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use soma_capsule::{Trust, TrustStore, Verified, VerifyError, verify};
use soma_policy::{CapsuleFacts, Code, Digest};

use super::{ComponentStore, HomeError};

/// Digests whose facts are remembered.
const FACTS_MAX: usize = 20_000;

/// A store together with the keys that count.
#[derive(Debug)]
pub struct VerifiedStore {
    store: ComponentStore,
    trust: ArcSwap<TrustStore>,
    facts: Mutex<HashMap<Digest, Arc<CapsuleFacts>>>,
}

/// Why a component is not to be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PackageError {
    /// It is not in the store.
    #[error("{0} is not in the store")]
    Absent(Digest),
    /// It is there and does not verify.
    #[error("{digest} does not verify: {source}")]
    Unverified {
        /// Which.
        digest: Digest,
        /// Why.
        #[source]
        source: Box<VerifyError>,
    },
    /// It is signed with a development key, and this host serves others.
    #[error("{0} is signed with a development key")]
    Development(Digest),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] HomeError),
}

impl PackageError {
    /// The stable code of this refusal.
    #[must_use]
    pub fn code(&self) -> Code {
        match self {
            Self::Absent(_) => Code::CapsuleMissing,
            Self::Unverified { source, .. } => source.code(),
            Self::Development(_) => Code::DevKeyRefused,
            Self::Store(error) => error.code(),
        }
    }
}

/// Whether two stores trust the same keys for the same publishers. The development key is set once.
fn same_keys(a: &TrustStore, b: &TrustStore) -> bool {
    let list = |store: &TrustStore| -> Vec<(String, Vec<String>)> {
        let each = store.publishers().map(|(name, keys)| {
            let mut prints: Vec<String> =
                keys.iter().map(|key| key.fingerprint().to_string()).collect();
            prints.sort();
            (name.to_string(), prints)
        });
        each.collect()
    };
    list(a) == list(b)
}

impl VerifiedStore {
    /// A store under these keys.
    #[must_use]
    pub fn new(store: ComponentStore, trust: TrustStore) -> Self {
        Self { store, trust: ArcSwap::from_pointee(trust), facts: Mutex::default() }
    }

    /// Takes other keys: nothing that was found before counts any more. The same keys change nothing.
    /// Whether anything is different.
    pub fn set_trust(&self, trust: TrustStore) -> bool {
        if same_keys(&self.trust.load(), &trust) {
            return false;
        }
        self.trust.store(Arc::new(trust));
        self.facts.lock().clear();
        true
    }

    /// Reads and verifies a component.
    pub fn verified(&self, digest: &Digest) -> Result<Verified, PackageError> {
        let package = self.store.get(digest)?.ok_or(PackageError::Absent(*digest))?;
        let trust = self.trust.load();
        verify(package, &trust, Some(digest)).map_err(|source| PackageError::Unverified {
            digest: *digest,
            source: Box::new(source),
        })
    }

    /// What policy needs to know of a component.
    pub fn facts(&self, digest: &Digest) -> Result<Arc<CapsuleFacts>, PackageError> {
        if let Some(known) = self.facts.lock().get(digest) {
            return Ok(Arc::clone(known));
        }
        let verified = self.verified(digest)?;
        let facts = Arc::new(verified.facts());
        if verified.trust() == Trust::Development {
            tracing::warn!(%digest, "a development key signed this capsule");
        }
        let mut all = self.facts.lock();
        if all.len() >= FACTS_MAX {
            all.clear();
        }
        all.insert(*digest, Arc::clone(&facts));
        Ok(facts)
    }
}
