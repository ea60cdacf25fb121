//! What is installed at one moment: immutable, shared, swapped whole.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::Arc;

use soma_policy::feed::{GateState, RevokedRelease};
use soma_policy::{CallId, Digest, FeedPosition, Installation, InstallationKey, OperatorPolicy};

use super::FileProblem;

/// All installations of a home together with the policy that they were compiled under.
#[derive(Debug)]
pub struct Snapshot {
    /// Which load of the home this is: the feed position of a host without a server.
    pub load: u64,
    /// The place of the feed that it is of; without a server the load in epoch 0.
    pub position: FeedPosition,
    /// The operator's policy.
    pub policy: Arc<OperatorPolicy>,
    /// What is wrong beside single installations: a bad policy edit, misplaced files.
    pub problems: Vec<FileProblem>,
    pub(crate) entries: HashMap<InstallationKey, Arc<Entry>>,
    /// What a server revoked for good.
    pub(crate) revoked: Arc<RevokedReleases>,
}

/// Releases that never run again, by their components.
pub(crate) type RevokedReleases = BTreeMap<Digest, Arc<RevokedRelease>>;

/// One installation and how it stands with its file.
#[derive(Debug)]
pub struct Entry {
    /// Whose it is.
    pub key: InstallationKey,
    /// Its file.
    pub path: PathBuf,
    /// What runs; `None` if it never was right.
    pub running: Option<Arc<Installation>>,
    /// A revision at its health gate.
    pub candidate: Option<Candidate>,
    /// What is wrong with the file now; the revision in `running` is then older than the file.
    pub problems: Vec<FileProblem>,
    /// Revisions that a server says and that do not run here.
    pub refused: Vec<Refused>,
}

/// A revision that may run next.
#[derive(Debug)]
pub struct Candidate {
    /// The revision. Its calls cost nothing.
    pub installation: Arc<Installation>,
    /// How it is judged.
    pub gate: GateState,
}

/// A revision that does not run here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// Its number.
    pub revision: u64,
    /// Why.
    pub problem: FileProblem,
}

/// How an installation stands, in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// The file is right and runs.
    Active,
    /// The file is wrong; the revision before it still runs.
    KeptBack,
    /// The file is wrong and nothing runs.
    Invalid,
}

impl State {
    /// As lists show it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::KeptBack => "kept-back",
            Self::Invalid => "invalid",
        }
    }
}

impl Entry {
    /// An installation out of a file.
    pub(crate) fn of_file(
        key: InstallationKey,
        path: PathBuf,
        running: Option<Arc<Installation>>,
        problems: Vec<FileProblem>,
    ) -> Self {
        Self { key, path, running, candidate: None, problems, refused: Vec::new() }
    }

    /// Which revision a call runs: the candidate gets its share of real calls, chosen by the call's id, so
    /// that the same call is always the same choice.
    fn chosen(&self, call: CallId) -> Option<&Arc<Installation>> {
        let active = self.running.as_ref()?;
        let canary = self.candidate.as_ref().filter(|it| match it.gate {
            GateState::Canary { share } => thousandth(call) < share,
            GateState::Check { .. } => false,
        });
        Some(canary.map_or(active, |canary| &canary.installation))
    }

    /// How it stands.
    #[must_use]
    pub fn state(&self) -> State {
        match (&self.running, self.problems.is_empty()) {
            (Some(_), true) => State::Active,
            (Some(_), false) => State::KeptBack,
            (None, _) => State::Invalid,
        }
    }
}

impl Snapshot {
    /// The installation that a key names, if it runs.
    #[must_use]
    pub fn running(&self, key: &InstallationKey) -> Option<&Arc<Installation>> {
        self.entries.get(key)?.running.as_ref()
    }

    /// The revision that a call of this id runs.
    pub(crate) fn chosen(&self, key: &InstallationKey, call: CallId) -> Option<&Arc<Installation>> {
        self.entries.get(key)?.chosen(call)
    }

    /// A revision that is the candidate, by its number: its calls are not billed.
    pub(crate) fn candidate(
        &self,
        key: &InstallationKey,
        revision: u64,
    ) -> Option<&Arc<Installation>> {
        let candidate = self.entries.get(key)?.candidate.as_ref()?;
        Some(&candidate.installation).filter(|it| it.revision == revision)
    }

    /// Whether the release of a component was revoked.
    pub(crate) fn is_revoked(&self, digest: &Digest) -> bool {
        self.revoked.contains_key(digest)
    }

    /// Everything that may run: what is active, and what may be next.
    pub(crate) fn revisions(&self) -> impl Iterator<Item = &Arc<Installation>> {
        self.entries.values().flat_map(|entry| {
            let candidate = entry.candidate.as_ref().map(|candidate| &candidate.installation);
            entry.running.iter().chain(candidate)
        })
    }

    /// The entry of a key, running or not.
    #[must_use]
    pub fn entry(&self, key: &InstallationKey) -> Option<&Arc<Entry>> {
        self.entries.get(key)
    }

    /// All entries, in no order.
    pub fn entries(&self) -> impl Iterator<Item = &Arc<Entry>> {
        self.entries.values()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

/// What a reload changed: running calls of these are judged again.
#[derive(Debug, Clone)]
pub enum Change {
    /// New.
    Installed(Arc<Installation>),
    /// Another revision runs now.
    Replaced {
        /// The one before.
        old: Arc<Installation>,
        /// The one that runs now.
        new: Arc<Installation>,
    },
    /// The file is gone.
    Uninstalled(Arc<Installation>),
    /// A candidate is none any more, and did not become what runs.
    BackedOut(Arc<Installation>),
    /// A bad edit: what ran goes on.
    KeptBack(InstallationKey),
}

/// Where a call falls among a thousand.
fn thousandth(call: CallId) -> u16 {
    let hash = Digest::of(&call.as_u128().to_be_bytes());
    let [a, b, c, d, ..] = *hash.as_bytes();
    u16::try_from(u32::from_be_bytes([a, b, c, d]) % 1000).unwrap_or(u16::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_falls_where_its_id_says_and_calls_fall_evenly() {
        let place = |n: u128| thousandth(CallId::from_u128(n << 64 | n));
        assert_eq!(place(7), place(7));
        let below = (0..20_000).filter(|n| place(*n) < 100).count();
        assert!((1_800..2_200).contains(&below), "{below}");
    }
}
