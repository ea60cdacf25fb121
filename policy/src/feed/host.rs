//! What a host says of itself.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::change::FeedHead;
use crate::code::Code;
use crate::id::{BootId, Digest, HostId, InstallationKey, JournalId, RegionId, Timestamp};
use crate::text::decimal;

/// What a host does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum HostRole {
    /// Runs installations.
    Host,
    /// Runs submissions against fakes: no tenant, no money, no feed of installations.
    Review,
    /// Hands calls on: no engine.
    Gateway,
}

/// What a host says when it joins, with a one-time token as its bearer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Enrol {
    /// Where the gateway reaches it: an http or https origin.
    pub address: String,
    /// Its name.
    pub host: HostId,
    /// Where it stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<RegionId>,
    /// What it does.
    pub role: HostRole,
    /// Secrets are sealed to this X25519 key (32 bytes in base64).
    pub sealing_key: String,
    /// Its requests, journal heads and receipts are signed by this P-256 key (SPKI in base64).
    pub signing_key: String,
    /// Of the program.
    pub version: String,
}

/// What the server answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Enrolled {
    /// Which server.
    pub deployment: String,
    /// Signs batches, snapshots, heartbeats, leases and approvals (SPKI in base64).
    pub feed_key: String,
    /// The host's name.
    pub host: HostId,
    /// `iss` of callers' tokens.
    pub issuer: String,
}

/// A host's signature over one request. The server takes a nonce once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HostProof {
    /// The host's clock.
    pub at: Timestamp,
    /// The SHA-256 of the body.
    pub body: Digest,
    /// Which server.
    pub deployment: String,
    /// Who.
    pub host: HostId,
    /// In upper case.
    pub method: String,
    /// 16 to 64 characters of base64url.
    pub nonce: String,
    /// Path and query as they are sent.
    pub path: String,
}

/// The result of a candidate's declared check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CheckResult {
    /// The installation.
    pub key: InstallationKey,
    /// Whether it answered as declared.
    pub passed: bool,
    /// The candidate's revision.
    #[serde(with = "decimal")]
    #[schemars(with = "String")]
    pub revision: u64,
    /// What happened, for people.
    pub words: String,
}

/// A revision that this host cannot run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NotRunning {
    /// Why.
    pub code: Code,
    /// The installation.
    pub key: InstallationKey,
    /// The revision.
    #[serde(with = "decimal")]
    #[schemars(with = "String")]
    pub revision: u64,
    /// Why, for people.
    pub words: String,
}

/// What a host reports with each heartbeat. What it applied, it acknowledges by `head`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HostReport {
    /// This run of it.
    pub boot: BootId,
    /// Checks that were made since the last report.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub checks: Vec<CheckResult>,
    /// What it has applied.
    pub head: FeedHead,
    /// Its journal.
    pub journal: JournalId,
    /// The hash of the journal's last durable record.
    pub journal_head: Digest,
    /// The number of that record.
    #[serde(with = "decimal")]
    #[schemars(with = "String")]
    pub journal_seq: u64,
    /// Drawn for this request; the answer is over it.
    pub nonce: String,
    /// Revisions that do not run here, and why; at most 256.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not_running: Vec<NotRunning>,
    /// Calls that run.
    pub running: u32,
}
