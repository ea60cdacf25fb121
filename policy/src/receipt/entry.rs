//! Everything that a host's journal holds, one line each.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{CallFacts, FeedPosition, Receipt, Usage};
use crate::audit::AuditEvent;
use crate::code::Code;
use crate::denial::Layer;
use crate::id::{
    BootId, CallId, Digest, EnvironmentId, InstallationId, InstallationKey, LeaseId, OrderId,
    OrgId, Timestamp,
};
use crate::text::decimal;
use crate::{Currency, Money};

/// One line of a journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", content = "body", rename_all = "kebab-case")]
pub enum JournalEntry {
    /// The host began to run.
    Boot(BootRecord),
    /// A call is about to run its first instruction.
    Start(StartRecord),
    /// What a long call used so far: what is settled if its end is never written.
    Usage(UsageMark),
    /// A call ended.
    Receipt(Box<Receipt>),
    /// Denials since the last summary, at a bounded rate.
    Denials(DenialSummary),
    /// A lease was taken, spent from or closed.
    Lease(LeaseRecord),
    /// A kill order, signature or lift was accepted, or a kill was carried out.
    Kill(KillRecord),
    /// Uptime so far: suspensions lapse by it, over all boots.
    Uptime(UptimeMark),
    /// Something an auditor wants to see.
    Audit(Box<AuditEvent>),
}

/// The host began to run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BootRecord {
    /// This run of the host.
    pub boot: BootId,
    /// When, by its wall clock.
    pub at: Timestamp,
    /// The home's load number.
    pub feed: FeedPosition,
    /// Version of the program.
    pub version: String,
}

/// A call is about to run its first instruction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StartRecord {
    /// The run of the host that it belongs to.
    pub boot: BootId,
    /// Who, where, what, by which rules.
    pub facts: CallFacts,
    /// Worst case that was reserved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reserved: Option<Money>,
}

/// What a call used so far.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UsageMark {
    /// The call.
    pub call: CallId,
    /// When.
    pub at: Timestamp,
    /// What it used since its start.
    pub usage: Usage,
}

/// Denials of one installation since its last summary.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DenialSummary {
    /// When the summary was made.
    pub at: Timestamp,
    /// Which code.
    pub code: Code,
    /// How many.
    #[serde(with = "decimal")]
    #[schemars(with = "String")]
    pub count: u64,
    /// The environment of the installation.
    pub environment: EnvironmentId,
    /// The installation.
    pub installation: InstallationId,
    /// Which layer refused.
    pub layer: Layer,
    /// The owner.
    pub org: OrgId,
    /// One of the operations, as an example.
    pub sample: String,
}

/// What happened to a lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum LeaseEvent {
    /// The host holds it: calls may start on it.
    #[default]
    Taken,
    /// The server asked for it back: no call starts on it any more.
    Recalled,
    /// The host's last word: no later entry of a call names it.
    Closing,
    /// The server has the last word.
    Closed,
}

impl LeaseEvent {
    /// Whether it is the first of a lease, which records of hosts without a server leave out.
    #[must_use]
    pub fn is_taken(&self) -> bool {
        *self == Self::Taken
    }
}

/// What a server says with a lease, beside its money.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LeaseGiven {
    /// The run of the host that may start calls on it.
    pub boot: BootId,
    /// Bytes by outbound HTTP, both ways, that its calls may move together; none where nothing is granted that moves any.
    #[serde(default, with = "decimal::maybe", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub bytes: Option<u64>,
    /// No call starts on it from then on.
    pub start_by: Timestamp,
    /// The terms by which its calls are charged.
    pub terms: Digest,
}

/// Something about a lease: of a host that is its own lessor, one installation and one UTC day; or given by
/// a server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LeaseRecord {
    /// When.
    pub at: Timestamp,
    /// The currency of its money.
    pub currency: Currency,
    /// UTC day number since 1970-01-01.
    #[serde(with = "decimal")]
    #[schemars(with = "String")]
    pub day: u64,
    /// What happened to it.
    #[serde(default, skip_serializing_if = "LeaseEvent::is_taken")]
    pub event: LeaseEvent,
    /// What the server said with it; none for a lease that the host gave itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub given: Option<LeaseGiven>,
    /// For which installation.
    pub installation: InstallationKey,
    /// The lease.
    pub lease: LeaseId,
    /// Money it holds, in micro-units.
    #[serde(with = "decimal")]
    #[schemars(with = "String")]
    pub limit_micros: i64,
}

/// Something about the kill switch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct KillRecord {
    /// When.
    pub at: Timestamp,
    /// Whether the document was signed to its quorum: it then stays so, whoever is an operator later.
    #[serde(default, skip_serializing_if = "is_false")]
    pub complete: bool,
    /// Hash of the signed document's payload.
    pub document: Digest,
    /// The order it is about.
    pub order: OrderId,
    /// The signed document itself (a DSSE envelope), so that the record is self-contained.
    pub envelope: String,
    /// Host uptime in milliseconds when it was accepted.
    #[serde(with = "decimal")]
    #[schemars(with = "String")]
    pub uptime_ms: u64,
}

const fn is_false(value: &bool) -> bool {
    !*value
}

/// Uptime so far.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UptimeMark {
    /// When, by wall clock.
    pub at: Timestamp,
    /// Milliseconds that this host has been up, over all its boots.
    #[serde(with = "decimal")]
    #[schemars(with = "String")]
    pub uptime_ms: u64,
}
