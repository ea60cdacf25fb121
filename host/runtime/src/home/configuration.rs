//! Everything of a home that decides what runs, loaded together and reloaded together: trust, policy,
//! installations, operators, issuers of tokens.
//!
//! A reload that finds something wrong keeps what was right and says so; it never stops the host.

use std::sync::Arc;

use parking_lot::Mutex;
use soma_capsule::constitution::Constitution;
use soma_capsule::{PublicKey, TrustStore};
use soma_policy::feed::ConstitutionNotice;
use soma_policy::{Digest, Timestamp, TokenId};

use super::stamp::{FileLook, Stamp};
use super::verified::{PackageError, VerifiedStore};
use super::{Home, HomeError, Law, OperatorFile, OperatorsOnDisk as _, Server, Settings};
use crate::feed::Signed;
use crate::installations::{
    Edits, Fed, FileProblem, Inputs, Installations, Reloaded, Snapshot, bad_policy,
};
use crate::token::{Issuers, Revoked, TokenError, TokenVerifier};

const ISSUERS_BYTES_MAX: u64 = 256 * 1024;

/// The configuration of a running host.
#[derive(Debug)]
pub struct Configuration {
    home: Home,
    settings: Settings,
    development: Option<PublicKey>,
    packages: VerifiedStore,
    law: Law,
    source: Source,
    tokens: TokenVerifier,
    operators: Mutex<OperatorFile>,
    // How the list of revoked tokens looked when it was last read.
    looked: Mutex<FileLook>,
    // How the files looked at the last load, and whether that look can be relied on.
    seen: Mutex<(Stamp, bool)>,
}

/// Where installations come from.
#[derive(Debug)]
enum Source {
    /// Files of the home.
    Files(Installations),
    /// A server's feed.
    Feed(Fed),
}

/// What a feed says of installations and whose word counts.
pub(crate) struct FeedEdit {
    /// Keys of publishers, if they may be others than before.
    pub(crate) trust: Option<TrustStore>,
    /// Issuers of tokens, if they may be others than before.
    pub(crate) issuers: Option<Issuers>,
    /// The constitution, if it may be another one than before.
    pub(crate) constitution: Option<Arc<ConstitutionNotice>>,
    /// Installations.
    pub(crate) edits: Edits,
}

impl Configuration {
    /// Loads a home at `now`. `development` is this machine's development key, if it is to count (`up --dev`).
    pub fn open(
        home: Home,
        development: Option<PublicKey>,
        now: Timestamp,
    ) -> Result<Self, HomeError> {
        let layout = home.layout();
        let settings = Settings::load(layout)?;
        let seen = Stamp::of(layout)?;
        let settled = seen.is_settled();
        let packages = VerifiedStore::new(home.store(), trust(&home, development.as_ref())?);
        let issuers = layout.issuers();
        let bytes = super::read_bounded(&issuers, ISSUERS_BYTES_MAX)?;
        let known = Issuers::parse(&issuers, &bytes)
            .map_err(|e| HomeError::Malformed { path: issuers.clone(), what: e.to_string() })?;
        let tokens = TokenVerifier::new(issuers, &home.identity().host, known);
        let looked = FileLook::of(&layout.revoked());
        let revoked = Revoked::load(&layout.revoked(), now)
            .map_err(|e| HomeError::Malformed { path: layout.revoked(), what: e.to_string() })?;
        tokens.revoke(revoked);
        let operators = Mutex::new(OperatorFile::load(layout)?);
        let facts = |digest: &Digest| facts_of(&packages, digest);
        let law = Law::open(layout, None)?;
        let policy = law.policy().map(Arc::new);
        let inputs = Inputs { policy, facts: &facts, problems: Vec::new() };
        let source = Source::Files(Installations::open(layout, &inputs)?);
        let seen = Mutex::new((seen, settled));
        let looked = Mutex::new(looked);
        Ok(Self {
            law,
            home,
            settings,
            development,
            packages,
            source,
            tokens,
            operators,
            looked,
            seen,
        })
    }

    /// Loads a home whose server says what is installed, whose signatures count and whose tokens are taken:
    /// none of that is read from its files. Nothing runs before the feed's first word.
    pub(crate) fn follow(
        home: Home,
        development: Option<PublicKey>,
        now: Timestamp,
        server: &Server,
    ) -> Result<Self, HomeError> {
        let layout = home.layout();
        let settings = Settings::load(layout)?;
        let seen = Stamp::of(layout)?;
        let settled = seen.is_settled();
        let trust = with_development(TrustStore::new(), development.as_ref());
        let packages = VerifiedStore::new(home.store(), trust).approved_by(Signed::by(server));
        let host = home.identity().host;
        let tokens = TokenVerifier::new(layout.issuers(), &host, Issuers::default());
        let tokens = tokens.also_for(&host, &server.deployment);
        let looked = FileLook::of(&layout.revoked());
        let revoked = Revoked::load(&layout.revoked(), now)
            .map_err(|e| HomeError::Malformed { path: layout.revoked(), what: e.to_string() })?;
        tokens.revoke(revoked);
        let operators = Mutex::new(OperatorFile::load(layout)?);
        let law = Law::open(layout, Some(&server.deployment))?;
        let policy = law.policy().map_err(|problems| bad_policy(layout, &problems))?;
        Ok(Self {
            law,
            source: Source::Feed(Fed::new(Arc::new(policy))),
            settings,
            development,
            packages,
            tokens,
            operators,
            looked: Mutex::new(looked),
            seen: Mutex::new((seen, settled)),
            home,
        })
    }

    /// Takes over what the feed says, and swaps once. None without a server.
    pub(crate) fn take(&self, edit: FeedEdit) -> Option<Reloaded> {
        let Source::Feed(fed) = &self.source else { return None };
        let FeedEdit { trust, issuers, constitution, mut edits } = edit;
        let trust = trust.map(|trust| with_development(trust, self.development.as_ref()));
        let trust_changed = trust.is_some_and(|trust| self.packages.set_trust(trust));
        edits.again |= trust_changed;
        if let Some(issuers) = issuers {
            self.tokens.trust(issuers);
        }
        let facts = |digest: &Digest| facts_of(&self.packages, digest);
        let policy = match constitution.is_some_and(|notice| self.take_constitution(notice)) {
            true => self.law.policy().map(Arc::new),
            false => Ok(Arc::clone(&fed.snapshot().policy)),
        };
        let problems = self.law.problem().into_iter().collect();
        let inputs = Inputs { policy, facts: &facts, problems };
        Some(Reloaded { trust_changed, ..fed.apply(edits, &inputs) })
    }

    fn take_constitution(&self, notice: Arc<ConstitutionNotice>) -> bool {
        match self.operators.lock().trusted() {
            Ok(trusted) => self.law.take(notice, &trusted),
            // The list was checked when it was read.
            Err(error) => {
                tracing::error!(%error, "nobody can say who the operators are");
                false
            }
        }
    }

    /// The operator's own files, read again beside a feed: policy and operators.
    fn policy_again(&self, fed: &Fed) -> Reloaded {
        let mut problems = Vec::new();
        let operators = self.operators_again(&mut problems);
        if let Some(list) = &operators {
            self.operators.lock().clone_from(list);
            if let Ok(trusted) = list.trusted() {
                self.law.again(&trusted);
            }
        }
        problems.extend(self.law.problem());
        let facts = |digest: &Digest| facts_of(&self.packages, digest);
        let policy = self.law.policy().map(Arc::new);
        let inputs = Inputs { policy, facts: &facts, problems };
        let reloaded = fed.apply(Edits::default(), &inputs);
        Reloaded { operators, ..reloaded }
    }

    /// Reads everything again if a file may have changed. Bad files keep back what they replace; the
    /// snapshot names them.
    pub fn reload(&self, at: Timestamp) -> Result<Reloaded, HomeError> {
        let mut seen = self.seen.lock();
        let now = Stamp::of(self.home.layout())?;
        if now.proves_unchanged(&seen.0, seen.1) {
            return Ok(Reloaded::new(self.snapshot(), Vec::new()));
        }
        let settled = now.is_settled();
        let reloaded = self.load_again(at)?;
        *seen = (now, settled);
        Ok(reloaded)
    }

    fn load_again(&self, now: Timestamp) -> Result<Reloaded, HomeError> {
        let installations = match &self.source {
            Source::Files(installations) => installations,
            Source::Feed(fed) => return Ok(self.policy_again(fed)),
        };
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
        if let Err(error) = Revoked::load(&layout.revoked(), now) {
            let what = format!("the old list of revoked tokens stays: {error}");
            problems.push(FileProblem::new(error.code(), &layout.revoked(), what));
        }
        let operators = self.operators_again(&mut problems);
        let facts = |digest: &Digest| facts_of(&self.packages, digest);
        let policy = self.law.policy().map(Arc::new);
        let inputs = Inputs { policy, facts: &facts, problems };
        let reloaded = installations.reload(&inputs)?;
        if let Some(list) = &operators {
            self.operators.lock().clone_from(list);
        }
        Ok(Reloaded { trust_changed, operators, ..reloaded })
    }

    /// Reads the list of revoked tokens if its file looks different; returns those that were not revoked
    /// before. Cheap enough for each second: revoking must not wait for a look at everything else.
    ///
    /// # Errors
    /// When the file is not such a list; the old one stays, and this is said once.
    pub fn revocations(&self, now: Timestamp) -> Result<Vec<TokenId>, TokenError> {
        let path = self.home.layout().revoked();
        let mut looked = self.looked.lock();
        let look = FileLook::of(&path);
        if look == *looked && look.is_settled() {
            return Ok(Vec::new());
        }
        let changed = look != *looked;
        *looked = look;
        match Revoked::load(&path, now) {
            Ok(list) => Ok(self.tokens.revoke(list)),
            Err(error) if changed => Err(error),
            Err(_) => Ok(Vec::new()),
        }
    }

    /// The list of operators, if it is another one than before.
    fn operators_again(&self, problems: &mut Vec<FileProblem>) -> Option<OperatorFile> {
        let layout = self.home.layout();
        match OperatorFile::load(layout) {
            Ok(list) => (list != *self.operators.lock()).then_some(list),
            Err(error) => {
                let what = format!("the old operators stay: {}", chain(&error));
                problems.push(FileProblem::new(error.code(), &layout.operators(), what));
                None
            }
        }
    }

    /// What runs now.
    #[must_use]
    pub fn snapshot(&self) -> Arc<Snapshot> {
        match &self.source {
            Source::Files(installations) => installations.snapshot(),
            Source::Feed(fed) => fed.snapshot(),
        }
    }

    /// The constitution that holds here; none where the home's own policy does.
    #[must_use]
    pub fn constitution(&self) -> Option<Arc<Constitution>> {
        self.law.constitution()
    }

    /// The home.
    #[must_use]
    pub fn home(&self) -> &Home {
        &self.home
    }

    /// How the host is run, as it was when it started.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Components, verified at each read.
    #[must_use]
    pub fn packages(&self) -> &VerifiedStore {
        &self.packages
    }

    /// Who may sign kill orders.
    #[must_use]
    pub fn operators(&self) -> OperatorFile {
        self.operators.lock().clone()
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
    Ok(with_development(store, development))
}

fn with_development(store: TrustStore, development: Option<&PublicKey>) -> TrustStore {
    match development {
        Some(key) => store.with_development_key(key.clone()),
        None => store,
    }
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
