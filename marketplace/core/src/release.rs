//! A release: a name and version that attempts compete for until a review binds one digest to it.
//!
//! States and moves are in `release/state.rs`, commands in `release/change.rs`. A [`Release`] can be read from a
//! store only through [`Release::from_record`], which refuses what no sequence of commands could have made.
//! Files, signatures and the catalogue's texts are elsewhere.

mod attempt;
mod change;
mod entry;
mod state;

use semver::Version;
use serde::{Deserialize, Serialize};
use soma_policy::{CapsuleName, Code, Digest, OrgId, SubmissionId, Timestamp};

pub use attempt::{Approval, Attempt, Judge, Package, Proof, Report, Verdict, Weakness};
pub use change::{ReleaseCommand, ReleaseEffect};
pub use entry::{CapsuleEntry, EntryCommand};
pub use state::{Move, ReleaseState};

use crate::refusal::Refusal;
use crate::words::Words;

/// Attempts that a release has at most.
pub const ATTEMPTS_MAX: usize = 50;

/// How a release was taken back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Yank {
    /// Whether the platform did it: then its publisher cannot undo it.
    pub by_platform: bool,
    /// What it was before, and is again after an un-yank.
    pub from: ReleaseState,
}

/// A release as a store holds it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReleaseRecord {
    /// What the review bound to the name and version.
    pub approval: Option<Approval>,
    /// Every attempt, the present one last.
    pub attempts: Vec<Attempt>,
    /// What to use instead, where it is deprecated.
    pub instead: Option<Version>,
    /// The capsule.
    pub name: CapsuleName,
    /// The organisation that publishes it.
    pub owner: OrgId,
    /// When it was published.
    pub published_at: Option<Timestamp>,
    /// Why it is deprecated, yanked or revoked.
    pub reason: Option<Words>,
    /// Rises with each change: what a conditional update compares.
    pub sequence: u64,
    /// Where it is.
    pub state: ReleaseState,
    /// The version.
    pub version: Version,
    /// Set while it is yanked.
    pub yank: Option<Yank>,
}

/// A release in a state that commands can lead to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Release(ReleaseRecord);

impl Release {
    /// Reserves a version of a capsule. `known` are the versions that the name has or ever had.
    ///
    /// # Errors
    /// When the version was used before; build metadata makes no other version.
    pub fn draft<'a>(
        name: CapsuleName,
        version: Version,
        owner: OrgId,
        known: impl IntoIterator<Item = &'a Version>,
    ) -> Result<Self, Refusal> {
        let same = |other: &&Version| other.cmp_precedence(&version).is_eq();
        if let Some(taken) = known.into_iter().find(same) {
            let reason = format!("{name}@{taken} exists");
            return Err(Refusal::new(Code::VersionTaken, "draft", reason));
        }
        Ok(Self(ReleaseRecord {
            approval: None,
            attempts: Vec::new(),
            instead: None,
            name,
            owner,
            published_at: None,
            reason: None,
            sequence: 1,
            state: ReleaseState::Draft,
            version,
            yank: None,
        }))
    }

    /// A release read back.
    ///
    /// # Errors
    /// When the record contradicts itself.
    pub fn from_record(record: ReleaseRecord) -> Result<Self, Refusal> {
        match state::contradiction(&record) {
            None => Ok(Self(record)),
            Some(what) => {
                let reason = format!("{}@{}: {what}", record.name, record.version);
                Err(Refusal::new(Code::RecordCorrupt, "read", reason))
            }
        }
    }

    /// All of it.
    #[must_use]
    pub const fn record(&self) -> &ReleaseRecord {
        &self.0
    }

    /// Where it is.
    #[must_use]
    pub const fn state(&self) -> ReleaseState {
        self.0.state
    }

    /// The present attempt.
    #[must_use]
    pub fn attempt(&self) -> Option<&Attempt> {
        self.0.attempts.last()
    }

    /// The digest that the review bound to it.
    #[must_use]
    pub fn digest(&self) -> Option<Digest> {
        self.0.approval.as_ref().map(|approval| approval.digest)
    }

    /// The attempt of an id.
    #[must_use]
    pub fn submission(&self, id: SubmissionId) -> Option<&Attempt> {
        self.0.attempts.iter().find(|attempt| attempt.id == id)
    }
}

#[cfg(test)]
mod tests;
