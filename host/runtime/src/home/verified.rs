//! The store as the host uses it: whatever is read from it is verified against the trust of now.
//!
//! Facts of a digest are remembered, so that a thousand installations of one capsule verify it once per
//! change of trust. Components themselves are never kept: they are read and verified at each load.

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use soma_capsule::{Trust, TrustStore, UnverifiedPackage, Verified, VerifyError, verify};
use soma_policy::{CapsuleFacts, Code, Digest};

use super::{ComponentStore, HomeError};
use crate::feed::Signed;

/// Digests whose facts are remembered.
const FACTS_MAX: usize = 20_000;

/// A store together with the keys that count.
#[derive(Debug)]
pub struct VerifiedStore {
    store: ComponentStore,
    trust: ArcSwap<TrustStore>,
    facts: Mutex<HashMap<Digest, Arc<CapsuleFacts>>>,
    /// Without its word nothing counts, whoever signed it.
    marketplace: Option<Signed>,
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
    /// The marketplace did not publish it, as far as this host was told.
    #[error("{digest} is not approved: {why}")]
    Unapproved {
        /// Which.
        digest: Digest,
        /// What is missing or wrong.
        why: String,
    },
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
            Self::Unapproved { .. } => Code::ApprovalMissing,
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
        let trust = ArcSwap::from_pointee(trust);
        Self { store, trust, facts: Mutex::default(), marketplace: None }
    }

    /// The same where each component needs the word of a marketplace too.
    #[must_use]
    pub(crate) fn approved_by(self, marketplace: Signed) -> Self {
        Self { marketplace: Some(marketplace), ..self }
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
        let approval =
            self.marketplace.as_ref().map(|_| self.store.approval(digest)).transpose()?;
        self.judge(package, approval.flatten().as_deref(), &trust, digest)
    }

    /// Judges a package and its approval under these keys; nothing is read or kept.
    pub(crate) fn judge(
        &self,
        package: UnverifiedPackage,
        approval: Option<&[u8]>,
        trust: &TrustStore,
        digest: &Digest,
    ) -> Result<Verified, PackageError> {
        let verified = verify(package, trust, Some(digest)).map_err(|source| {
            PackageError::Unverified { digest: *digest, source: Box::new(source) }
        })?;
        let Some(marketplace) = &self.marketplace else { return Ok(verified) };
        // What this machine's author signed is not published yet.
        if verified.trust() == Trust::Development {
            return Ok(verified);
        }
        let unapproved = |why: String| PackageError::Unapproved { digest: *digest, why };
        let approval = approval.ok_or_else(|| unapproved("its approval is not here".to_owned()))?;
        let approval =
            marketplace.approval(approval, digest).map_err(|e| unapproved(e.to_string()))?;
        let manifest = verified.manifest();
        if approval.capsule != manifest.name || approval.version != manifest.version {
            let why = format!("it was approved as {}@{}", approval.capsule, approval.version);
            return Err(unapproved(why));
        }
        Ok(verified)
    }

    /// Where components are kept.
    pub(crate) fn store(&self) -> &ComponentStore {
        &self.store
    }

    /// Whether a component is here, whole and with the marketplace's word on it.
    pub(crate) fn is_here(&self, digest: &Digest) -> bool {
        let known = self.facts.lock().contains_key(digest);
        let whole = known || self.store.get(digest).is_ok_and(|package| package.is_some());
        whole && self.store.approval(digest).is_ok_and(|word| word.is_some())
    }

    /// Forgets what was found of a digest: its files are others now.
    pub(crate) fn forget(&self, digest: &Digest) {
        self.facts.lock().remove(digest);
    }

    /// The keys that count now.
    pub(crate) fn trust(&self) -> Arc<TrustStore> {
        self.trust.load_full()
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
