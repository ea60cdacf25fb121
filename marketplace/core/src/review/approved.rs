//! What was verified, and what was approved: the two types that cannot be made up.

use std::sync::Arc;

use semver::Version;
use serde::Serialize;
use soma_capsule::Verified;
use soma_policy::{
    CapsuleFacts, CapsuleName, Code, Declarations, Digest, Fingerprint, LimitsAsk, Money, OrgId,
    Timestamp, canonical,
};

use crate::refusal::Refusal;
use crate::release::{Attempt, Proof, Release, ReleaseState};

/// The facts of a capsule that was verified, to be judged. Made from a [`Verified`] only.
#[derive(Debug, Clone)]
pub struct Candidate(Arc<CapsuleFacts>);

impl Candidate {
    /// What verification found out.
    #[must_use]
    pub fn of(verified: &Verified) -> Self {
        Self(Arc::new(verified.facts()))
    }

    /// The facts.
    #[must_use]
    pub const fn facts(&self) -> &Arc<CapsuleFacts> {
        &self.0
    }

    #[cfg(test)]
    pub(crate) fn unverified(facts: CapsuleFacts) -> Self {
        Self(Arc::new(facts))
    }

    /// The hash of the facts, if they are those of this attempt at this release.
    pub(super) fn fits(&self, release: &Release, attempt: &Attempt) -> Result<Digest, Refusal> {
        let (facts, record) = (&self.0, release.record());
        let same = facts.name == record.name
            && facts.version == record.version
            && facts.digest == attempt.digest
            && facts.signer == attempt.proof.signer;
        if same && let Some(hash) = facts_hash(facts) {
            return Ok(hash);
        }
        let reason = format!(
            "{}@{} ({}) was verified, the attempt is {}@{} ({})",
            facts.name, facts.version, facts.digest, record.name, record.version, attempt.digest
        );
        Err(Refusal::new(Code::MoveStale, "approve", reason))
    }
}

/// A release that a review approved, with what it declares. Nothing is installed without one.
///
/// It is made from a [`Release`] that has been through review and from the facts that were reviewed; facts that
/// differ in anything have another hash and are refused.
///
/// ```compile_fail,E0451
/// fn forge(other: soma_market::review::Approved) -> soma_market::review::Approved {
///     soma_market::review::Approved { owner: "me".parse().unwrap(), ..other }
/// }
/// ```
#[derive(Debug, Clone)]
pub struct Approved {
    facts: Arc<CapsuleFacts>,
    owner: OrgId,
    proof: Proof,
    published_at: Option<Timestamp>,
    state: ReleaseState,
}

impl Approved {
    /// The approval of a release, with the facts that were reviewed.
    ///
    /// # Errors
    /// When it was not approved, or these are not the facts that were.
    pub fn of(release: &Release, facts: Arc<CapsuleFacts>) -> Result<Self, Refusal> {
        let record = release.record();
        let refuse = |reason: String| Err(Refusal::new(Code::ApprovalMissing, "install", reason));
        let (Some(approval), Some(attempt)) = (&record.approval, release.attempt()) else {
            return refuse(format!("{}@{} is {}", record.name, record.version, record.state));
        };
        if Some(approval.facts) != facts_hash(&facts) || approval.digest != facts.digest {
            return refuse(format!("{} is not what was reviewed", facts.digest));
        }
        Ok(Self {
            facts,
            owner: record.owner.clone(),
            proof: attempt.proof,
            published_at: record.published_at,
            state: record.state,
        })
    }

    /// What it declares.
    #[must_use]
    pub const fn facts(&self) -> &Arc<CapsuleFacts> {
        &self.facts
    }

    /// Who publishes it.
    #[must_use]
    pub const fn owner(&self) -> &OrgId {
        &self.owner
    }

    /// What shows where it comes from.
    #[must_use]
    pub const fn proof(&self) -> &Proof {
        &self.proof
    }

    /// When it was published.
    #[must_use]
    pub const fn published_at(&self) -> Option<Timestamp> {
        self.published_at
    }

    /// Where the release is.
    #[must_use]
    pub const fn state(&self) -> ReleaseState {
        self.state
    }
}

/// The hash of everything that a review looked at; none if it has no canonical form, which is then refused.
fn facts_hash(facts: &CapsuleFacts) -> Option<Digest> {
    #[derive(Serialize)]
    struct Reviewed<'a> {
        declarations: &'a Declarations,
        digest: Digest,
        imports: &'a [String],
        limits: &'a LimitsAsk,
        name: &'a CapsuleName,
        #[serde(skip_serializing_if = "Option::is_none")]
        price: Option<Money>,
        signer: Fingerprint,
        version: &'a Version,
    }
    let reviewed = Reviewed {
        declarations: &facts.declarations,
        digest: facts.digest,
        imports: &facts.imports,
        limits: &facts.limits_asked,
        name: &facts.name,
        price: facts.price,
        signer: facts.signer,
        version: &facts.version,
    };
    canonical::digest(&reviewed).ok()
}
