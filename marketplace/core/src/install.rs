//! Installations as the marketplace keeps them: immutable revisions, an active one and the one before it.
//!
//! A change makes a new revision; what becomes active is one pointer. A new revision may have to pass a health
//! gate first, while the old one stays active: if it fails, nothing was moved. The host's own type, with matchers
//! and limits decided, is [`soma_policy::Installation`]; every revision here compiled to one before it was kept.
//! Money, secrets' values and where calls run are elsewhere.

mod change;
mod gate;
mod meet;
mod plan;
mod update;

use std::collections::BTreeSet;

use semver::Version;
use serde::{Deserialize, Serialize};
use soma_policy::{
    CapsuleName, Code, Digest, HostId, InstallationKey, InstallationSpec, KillSet, Limits, Money,
    OperatorPolicy, OrgId, Timestamp, UserId,
};

pub use change::{InstallCommand, InstallEffect};
pub use gate::{Canary, Gate, GateResult, Tally, judge};
pub use meet::meet;
pub use plan::{Ask, PROOF_PAUSE, Plan};
pub use update::{Update, consider};

use crate::named::named;
use crate::org::Principal;
use crate::refusal::Refusal;
use crate::release::Proof;
use crate::words::Words;

named! {
    /// Where an installation is.
    InstallState "a state of an installation" {
        /// A new revision is at its health gate; the old one is active.
        Gating "gating",
        /// The active revision changed, and not every live host has acknowledged it.
        Pending "pending",
        /// Every live host runs the active revision.
        Active "active",
        /// It is gone.
        Removed "removed",
    }
}

named! {
    /// A move of an installation.
    InstallMove "a move of an installation" {
        /// A new revision: an upgrade, other grants, other settings.
        Change "change",
        /// The health gate is judged.
        Judge "judge",
        /// The new revision is given up before it was active.
        BackOut "back_out",
        /// A host runs the active revision.
        Acknowledge "acknowledge",
        /// A host is no longer waited for.
        HostGone "host_gone",
        /// The revision before becomes active again.
        Rollback "rollback",
        /// The revision before must not come back.
        Forget "forget",
        /// The publisher's name has another owner.
        OwnerChanged "owner_changed",
        /// The tenant agrees to the owner.
        AcceptOwner "accept_owner",
        /// It is removed.
        Remove "remove",
    }
}

impl InstallState {
    /// What can happen next.
    #[must_use]
    pub const fn moves(self) -> &'static [InstallMove] {
        use InstallMove::{
            AcceptOwner, Acknowledge, BackOut, Change, Forget, HostGone, Judge, OwnerChanged,
            Remove, Rollback,
        };
        match self {
            Self::Gating => &[Judge, BackOut, OwnerChanged, AcceptOwner, Remove],
            Self::Pending => &[Acknowledge, HostGone, Rollback, OwnerChanged, AcceptOwner, Remove],
            Self::Active => &[Change, Rollback, Forget, OwnerChanged, AcceptOwner, Remove],
            Self::Removed => &[],
        }
    }

    fn allow(self, wanted: InstallMove) -> Result<(), Refusal> {
        if self.moves().contains(&wanted) {
            return Ok(());
        }
        let legal: Vec<&'static str> = self.moves().iter().map(|legal| legal.as_str()).collect();
        let refusal = Refusal::illegal("an installation", wanted.as_str(), self.as_str(), legal);
        let busy = matches!((self, wanted), (Self::Gating | Self::Pending, InstallMove::Change));
        Err(if busy { Refusal { code: Code::ActivationPending, ..refusal } } else { refusal })
    }
}

/// What a tenant agreed to, and who did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Consent {
    /// When.
    pub at: Timestamp,
    /// The natural person.
    pub by: UserId,
    /// The hash of the plan that was shown.
    pub plan: Digest,
}

/// One revision. It never changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Revision {
    /// When it was made.
    pub at: Timestamp,
    /// By whom.
    pub by: Principal,
    /// What was agreed to.
    pub consent: Consent,
    /// What one call may use, as the operator allowed it.
    pub limits: Limits,
    /// Counts from one.
    pub number: u64,
    /// The offer that was accepted.
    pub offer: Digest,
    /// What its author takes per call.
    pub price: Option<Money>,
    /// What shows where the component comes from.
    pub proof: Proof,
    /// The file: digest, grants, budget, configuration.
    pub spec: InstallationSpec,
    /// The release.
    pub version: Version,
}

/// A revision at its health gate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Candidate {
    /// How it is judged.
    pub gate: Gate,
    /// Whose name the component is published under.
    pub owner: OrgId,
    /// What may become active.
    pub revision: Revision,
    /// When it is given up if nothing was decided.
    pub until: Timestamp,
}

/// An installation as a store holds it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InstalledRecord {
    /// What runs.
    pub active: Revision,
    /// What may run next.
    pub candidate: Option<Candidate>,
    /// The capsule. Other capsules are other installations.
    pub capsule: CapsuleName,
    /// Its address.
    pub key: InstallationKey,
    /// The highest number that a revision of it has.
    pub latest: u64,
    /// The publisher's owner that the tenant agreed to.
    pub owner: OrgId,
    /// Another owner, whom the tenant has not agreed to yet.
    pub owner_asked: Option<OrgId>,
    /// What ran before.
    pub previous: Option<Revision>,
    /// Why the last new revision was given up.
    pub refused: Option<(u64, Words)>,
    /// Set for good when it is removed.
    pub removed: bool,
    /// Rises with each change: what a conditional update compares.
    pub sequence: u64,
    /// Live hosts that do not run the active revision yet.
    pub waiting: BTreeSet<HostId>,
}

/// An installation in a state that commands can lead to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Installed(InstalledRecord);

/// What every change is judged by.
#[derive(Debug, Clone, Copy)]
pub struct Ground<'a> {
    /// The orders that stand.
    pub killed: &'a KillSet,
    /// The operator's policy.
    pub policy: &'a OperatorPolicy,
}

impl Installed {
    /// An installation read back.
    ///
    /// # Errors
    /// When the record contradicts itself.
    pub fn from_record(record: InstalledRecord) -> Result<Self, Refusal> {
        let all = || {
            let candidate = record.candidate.as_ref().map(|candidate| &candidate.revision);
            std::iter::once(&record.active).chain(&record.previous).chain(candidate)
        };
        let ours = |revision: &Revision| {
            let spec = &revision.spec;
            spec.capsule == record.capsule
                && (&spec.tenant, &spec.environment) == (&record.key.org, &record.key.environment)
                && (1..=record.latest).contains(&revision.number)
        };
        let numbers: BTreeSet<u64> = all().map(|revision| revision.number).collect();
        let what = if !all().all(ours) {
            "a revision belongs to another installation"
        } else if numbers.len() != all().count() {
            "one revision is in two places"
        } else if record.candidate.is_some() && !record.waiting.is_empty() {
            "it is at its gate and pending at once"
        } else {
            return Ok(Self(record));
        };
        Err(Refusal::new(Code::RecordCorrupt, "read", format!("{}: {what}", record.key)))
    }

    /// All of it.
    #[must_use]
    pub const fn record(&self) -> &InstalledRecord {
        &self.0
    }

    /// Where it is.
    #[must_use]
    pub fn state(&self) -> InstallState {
        if self.0.removed {
            InstallState::Removed
        } else if self.0.candidate.is_some() {
            InstallState::Gating
        } else if !self.0.waiting.is_empty() {
            InstallState::Pending
        } else {
            InstallState::Active
        }
    }

    /// Whether calls of a revision belong to its health gate, and so are not billed.
    #[must_use]
    pub fn is_gated(&self, revision: u64) -> bool {
        self.0.candidate.as_ref().is_some_and(|candidate| candidate.revision.number == revision)
    }
}

#[cfg(test)]
mod tests;
