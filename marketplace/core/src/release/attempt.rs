//! One attempt at a release: what was submitted by whom, what verification found, how it was judged.

use serde::{Deserialize, Serialize};
use soma_policy::{Digest, Fingerprint, SubmissionId, Timestamp, UserId};

use crate::finding::{Finding, Severity, gravest, sorted};
use crate::named::named;
use crate::org::Principal;
use crate::risk::{Risk, Score};
use crate::words::Words;

/// What shows where a component comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Proof {
    /// Whether a provenance statement of this digest came with it.
    pub provenance: bool,
    /// Whether a bill of materials came with it and matches.
    pub sbom: bool,
    /// Whose key signed it.
    pub signer: Fingerprint,
}

named! {
    /// How the proof of a new version is weaker than that of the old one.
    Weakness "a weakness" {
        /// Another key signed.
        Signer "signer",
        /// There is no provenance any more.
        Provenance "provenance",
        /// There is no bill of materials any more.
        Sbom "sbom",
    }
}

impl Weakness {
    /// What it means, for people.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Signer => "is signed with another key",
            Self::Provenance => "no longer shows from which sources it was built",
            Self::Sbom => "no longer lists what it contains",
        }
    }
}

impl Proof {
    /// In what this proof is weaker than an earlier one.
    #[must_use]
    pub fn weaker_than(&self, before: &Self) -> Vec<Weakness> {
        let found = [
            (self.signer != before.signer, Weakness::Signer),
            (before.provenance && !self.provenance, Weakness::Provenance),
            (before.sbom && !self.sbom, Weakness::Sbom),
        ];
        found.into_iter().filter(|(weaker, _)| *weaker).map(|(_, what)| what).collect()
    }
}

/// What is submitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Package {
    /// The component.
    pub digest: Digest,
    /// The id of this attempt.
    pub id: SubmissionId,
    /// What shows where it comes from.
    pub proof: Proof,
}

/// What verification says of an attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Report {
    /// What was found, the gravest first.
    pub findings: Vec<Finding>,
    /// The hash of the conformance passport, if the behaviour review made one.
    pub passport: Option<Digest>,
    /// The score and what it is made of.
    pub risk: Risk,
}

impl Report {
    /// A report of these findings.
    #[must_use]
    pub fn new(findings: Vec<Finding>, risk: Risk, passport: Option<Digest>) -> Self {
        Self { findings: sorted(findings), passport, risk }
    }

    /// The gravest finding's severity.
    #[must_use]
    pub fn gravest(&self) -> Option<Severity> {
        gravest(&self.findings)
    }
}

/// Who decided.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Judge {
    /// The rules alone.
    Automatic,
    /// A person.
    Person {
        /// Who.
        reviewer: UserId,
        /// Why grave findings were passed, where there were any.
        overrode: Option<Words>,
    },
}

/// Why an attempt was sent back or rejected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Verdict {
    /// When.
    pub at: Timestamp,
    /// By whom.
    pub judge: Judge,
    /// Why.
    pub reason: Words,
}

/// What a review bound to a name and version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Approval {
    /// When.
    pub at: Timestamp,
    /// Which attempt.
    pub attempt: u32,
    /// The component.
    pub digest: Digest,
    /// The hash of what the component declares, as it was reviewed.
    pub facts: Digest,
    /// By whom.
    pub judge: Judge,
    /// The risk at the time.
    pub score: Score,
}

/// One attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Attempt {
    /// When it was submitted.
    pub at: Timestamp,
    /// By whom.
    pub by: Principal,
    /// The component.
    pub digest: Digest,
    /// Its id.
    pub id: SubmissionId,
    /// Counts from one.
    pub number: u32,
    /// The natural person behind it.
    pub person: UserId,
    /// What shows where it comes from.
    pub proof: Proof,
    /// What verification found.
    pub report: Option<Report>,
    /// Why it was sent back or rejected.
    pub verdict: Option<Verdict>,
}
