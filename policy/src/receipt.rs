//! The record of a call: what a host writes down, signs and hands upward. Version 1.
//!
//! A journal line is one [`JournalEntry`] in canonical form. Host, journal, sequence number and the hash of
//! the line before are the journal's own frame around it, so that an entry cannot claim a place of its own.
//! Deliberately absent: prices. Settling is a function of the receipt and of the offer that it names.

mod entry;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use entry::{
    BootRecord, DenialSummary, JournalEntry, KillRecord, LeaseEvent, LeaseGiven, LeaseRecord,
    StartRecord, UptimeMark, UsageMark,
};

use crate::amount::Money;
use crate::denial::Denial;
use crate::id::{
    CallId, Digest, EnvironmentId, FunctionName, InstallationId, LeaseId, OrgId, Timestamp,
};
use crate::outcome::Outcome;
use crate::text::decimal;

/// What a call used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Usage {
    /// Thread CPU time with charged blocking work, in microseconds.
    #[serde(with = "decimal")]
    #[schemars(with = "String")]
    pub cpu_us: u64,
    /// Bytes through host calls, both ways.
    #[serde(with = "decimal")]
    #[schemars(with = "String")]
    pub hostcall: u64,
    /// Bytes received by outbound HTTP.
    #[serde(with = "decimal")]
    #[schemars(with = "String")]
    pub http_received: u64,
    /// Outbound requests.
    #[serde(with = "decimal")]
    #[schemars(with = "String")]
    pub http_requests: u64,
    /// Bytes sent by outbound HTTP.
    #[serde(with = "decimal")]
    #[schemars(with = "String")]
    pub http_sent: u64,
    /// Bytes of input.
    #[serde(with = "decimal")]
    #[schemars(with = "String")]
    pub input: u64,
    /// Bytes of log and standard output.
    #[serde(with = "decimal")]
    #[schemars(with = "String")]
    pub log: u64,
    /// The most memory that was held at one time, in bytes.
    #[serde(with = "decimal")]
    #[schemars(with = "String")]
    pub memory_peak: u64,
    /// Bytes of output.
    #[serde(with = "decimal")]
    #[schemars(with = "String")]
    pub output: u64,
    /// Time from start to end in microseconds, waiting included.
    #[serde(with = "decimal")]
    #[schemars(with = "String")]
    pub wall_us: u64,
}

/// A position in the feed of changes. A host without a server counts the loads of its home in epoch 0.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize, JsonSchema,
)]
#[serde(deny_unknown_fields)]
pub struct FeedPosition {
    /// Rises only by a root-key signature.
    #[serde(with = "decimal")]
    #[schemars(with = "String")]
    pub epoch: u64,
    /// Number of the change within the epoch.
    #[serde(with = "decimal")]
    #[schemars(with = "String")]
    pub n: u64,
}

/// What is the same in a call's start record and in its receipt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CallFacts {
    /// The call.
    pub call: CallId,
    /// What runs.
    pub digest: Digest,
    /// The environment of the installation.
    pub environment: EnvironmentId,
    /// The state of the world that the call was judged by.
    pub feed: FeedPosition,
    /// Which function.
    pub function: FunctionName,
    /// Hash of the grants that held.
    pub grants: Digest,
    /// The installation.
    pub installation: InstallationId,
    /// The lease that its money and quota come from.
    pub lease: LeaseId,
    /// Hash of the offer that it is settled by.
    pub offer: Digest,
    /// The owner.
    pub org: OrgId,
    /// The call whose guest made this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<CallId>,
    /// Hash of the operator's policy that judged it.
    pub policy: Digest,
    /// Revision of the installation.
    #[serde(with = "decimal")]
    #[schemars(with = "String")]
    pub revision: u64,
    /// The first call of the chain.
    pub root: CallId,
    /// When the host took it.
    pub started_at: Timestamp,
}

/// The end of a call, version 1. It alone decides what is settled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Receipt {
    /// What is charged against the lease: resources and author's price under the offer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub charge: Option<Money>,
    /// The first denials, whole.
    pub denials: Vec<Denial>,
    /// How many more there were.
    pub denials_dropped: u32,
    /// When it ended, by the host's wall clock.
    pub ended_at: Timestamp,
    /// Who, where, what, by which rules.
    pub facts: CallFacts,
    /// Origins whose address the operator's peer map replaced.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mapped_peers: Vec<String>,
    /// How it ended.
    pub outcome: Outcome,
    /// What it used.
    pub usage: Usage,
    /// The version of this format: 1.
    pub v: u32,
}

impl Receipt {
    /// The version that this crate writes.
    pub const VERSION: u32 = 1;
    /// Denials that a receipt holds whole; more are counted.
    pub const DENIALS_MAX: usize = 8;
}

#[cfg(test)]
mod tests;
