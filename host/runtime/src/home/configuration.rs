//! Everything of a home that decides what runs, loaded together and reloaded together: trust, policy,
//! installations, issuers of tokens.
//!
//! A reload that finds something wrong keeps what was right and says so; it never stops the host.

use std::sync::Arc;

use parking_lot::Mutex;
use soma_capsule::{PublicKey, TrustStore};
use soma_policy::Digest;

use super::stamp::Stamp;
use super::verified::{PackageError, VerifiedStore};
use super::{Home, HomeError, load_policy};
use crate::installations::{FileProblem, Inputs, Installations, Reloaded, Snapshot};
use crate::token::{Issuers, TokenVerifier};

const ISSUERS_BYTES_MAX: u64 = 256 * 1024;

/// The configuration of a running host.
#[derive(Debug)]
pub struct Configuration {
    home: Home,
    development: Option<PublicKey>,
    packages: VerifiedStore,
    installations: Installations,
    tokens: TokenVerifier,
    // How the files looked at the last load, and whether that look can be relied on.
    seen: Mutex<(Stamp, bool)>,
}

impl Configuration {
    /// Loads a home. `development` is this machine's development key, if it is to count (`up --dev`).
    pub fn open(home: Home, development: Option<PublicKey>) -> Result<Self, HomeError> {
        let layout = home.layout();
        let seen = Stamp::of(layout)?;
        let settled = seen.is_settled();
        let packages = VerifiedStore::new(home.store(), trust(&home, development.as_ref())?);
        let issuers = layout.issuers();
        let bytes = super::read_bounded(&issuers, ISSUERS_BYTES_MAX)?;
        let known = Issuers::parse(&issuers, &bytes)
            .map_err(|e| HomeError::Malformed { path: issuers.clone(), what: e.to_string() })?;
        let tokens = TokenVerifier::new(issuers, &home.identity().host, known);
        let facts = |digest: &Digest| facts_of(&packages, digest);
        let policy = load_policy(layout).map(Arc::new);
        let inputs = Inputs { policy, facts: &facts, problems: Vec::new() };
        let installations = Installations::open(layout, &inputs)?;
        let seen = Mutex::new((seen, settled));
        Ok(Self { home, development, packages, installations, tokens, seen })
    }

    /// Reads everything again if a file may have changed. Bad files keep back what they replace; the
    /// snapshot names them.
    pub fn reload(&self) -> Result<Reloaded, HomeError> {
        let mut seen = self.seen.lock();
        let now = Stamp::of(self.home.layout())?;
        if now.proves_unchanged(&seen.0, seen.1) {
            return Ok(Reloaded::new(self.snapshot(), Vec::new()));
        }
        let settled = now.is_settled();
        let reloaded = self.load_again()?;
        *seen = (now, settled);
        Ok(reloaded)
    }

    fn load_again(&self) -> Result<Reloaded, HomeError> {
        let layout = self.home.layout();
        let mut problems = Vec::new();
        let trust_changed = match trust(&self.home, self.development.as_ref()) {
            Ok(trust) => self.packages.set_trust(trust),
            Err(error) => {
                let what = format!("the old keys stay: {}", chain(&error));
                problems.push(FileProblem::new(error.code(), &layout.publishers(), what));
                false
            }
        };
        if let Err(error) = self.tokens.reload() {
            let what = format!("the old issuers stay: {error}");
            problems.push(FileProblem::new(error.code(), &layout.issuers(), what));
        }
        let facts = |digest: &Digest| facts_of(&self.packages, digest);
        let policy = load_policy(layout).map(Arc::new);
        let inputs = Inputs { policy, facts: &facts, problems };
        Ok(Reloaded { trust_changed, ..self.installations.reload(&inputs)? })
    }

    /// What runs now.
    #[must_use]
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.installations.snapshot()
    }

    /// The home.
    #[must_use]
    pub fn home(&self) -> &Home {
        &self.home
    }

    /// Components, verified at each read.
    #[must_use]
    pub fn packages(&self) -> &VerifiedStore {
        &self.packages
    }

    /// Judges tokens of callers.
    #[must_use]
    pub fn tokens(&self) -> &TokenVerifier {
        &self.tokens
    }
}

fn trust(home: &Home, development: Option<&PublicKey>) -> Result<TrustStore, HomeError> {
    let folder = home.layout().publishers();
    let store = TrustStore::load(&folder)
        .map_err(|e| HomeError::Malformed { path: folder, what: chain(&e) })?;
    Ok(match development {
        Some(key) => store.with_development_key(key.clone()),
        None => store,
    })
}

fn facts_of(
    packages: &VerifiedStore,
    digest: &Digest,
) -> Result<Arc<soma_policy::CapsuleFacts>, FileProblem> {
    packages.facts(digest).map_err(|error: PackageError| {
        let path = std::path::Path::new("");
        let remedy = error.code().entry().remedy.to_owned();
        FileProblem { remedy: Some(remedy), ..FileProblem::new(error.code(), path, chain(&error)) }
    })
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let inner_text = inner.to_string();
        if !text.contains(&inner_text) {
            text.push_str(": ");
            text.push_str(&inner_text);
        }
        cause = inner.source();
    }
    text
}
