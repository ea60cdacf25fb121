//! Behaviour review: what a review host is asked to watch, and the passport that it signs.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::state::PublisherKeys;
use crate::code::Code;
use crate::id::{CapsuleName, Digest, HostId, SubmissionId, Timestamp};
use crate::receipt::Usage;

/// A submission to be watched.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReviewJob {
    /// The component; fetched like any other.
    pub digest: Digest,
    /// Whose signature counts.
    pub keys: PublisherKeys,
    /// The attempt.
    pub submission: SubmissionId,
}

/// What the surroundings of a run were like.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Scenario {
    /// All that is declared is granted, and peers answer.
    Usual,
    /// Only what is required is granted.
    Refused,
    /// Peers answer with server errors.
    Errors,
    /// The name leads to somebody else: the certificate is for another name.
    Astray,
    /// Peers close the connection at once.
    Gone,
    /// Peers promise a body and break off in the middle.
    Broken,
    /// Peers send more than anyone asked for.
    Huge,
    /// Peers take the request and never answer.
    Slow,
    /// A kill order comes while it runs.
    Killed,
}

impl Scenario {
    /// In the order in which they are run: the order that kills comes last.
    pub const ALL: [Self; 9] = [
        Self::Usual,
        Self::Refused,
        Self::Errors,
        Self::Astray,
        Self::Gone,
        Self::Broken,
        Self::Huge,
        Self::Slow,
        Self::Killed,
    ];
}

/// One call that was watched.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Watched {
    /// What was refused: code and what was asked, at most eight.
    pub denials: Vec<String>,
    /// The function, or `handle` for a request to a served capsule.
    pub function: String,
    /// The hash of its arguments.
    pub input: Digest,
    /// How it ended, as receipts name it.
    pub outcome: String,
    /// What the surroundings were like.
    pub scenario: Scenario,
    /// What it used.
    pub usage: Usage,
}

/// A request that a fake peer received.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Reached {
    /// The method.
    pub method: String,
    /// The origin by the request's own words.
    pub origin: String,
    /// The path without its query, at most 200 characters.
    pub path: String,
}

/// Something that a watcher noticed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Noticed {
    /// What it is.
    pub code: Code,
    /// What shows it.
    pub evidence: String,
}

/// The conformance passport: declared against observed, signed by the review host.
///
/// It says what was run and what happened, and nothing about what was not: functions beyond the bound and
/// branches that the sample arguments did not reach are named in `unseen` or remain unknown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Passport {
    /// When it was made.
    pub at: Timestamp,
    /// The capsule.
    pub capsule: CapsuleName,
    /// The component.
    pub digest: Digest,
    /// Who watched.
    pub host: HostId,
    /// What was noticed.
    pub noticed: Vec<Noticed>,
    /// The version of the program that watched.
    pub program: String,
    /// Where requests went.
    pub reached: BTreeSet<Reached>,
    /// The calls, in the order of scenarios and functions.
    pub runs: Vec<Watched>,
    /// Functions that were not run, and why.
    pub unseen: Vec<String>,
    /// Version of this form.
    pub v: u32,
    /// The release.
    #[schemars(with = "String")]
    pub version: semver::Version,
}

impl Passport {
    /// The version that this program writes and reads.
    pub const VERSION: u32 = 1;
    /// Functions that are run at most.
    pub const FUNCTIONS_MAX: usize = 16;
}
