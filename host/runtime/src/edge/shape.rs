//! The answers of the interface as types: what the handlers send and what the document promises are one.
//!
//! Ids, digests, times and amounts are text; integers that may exceed 2^53 are decimal text. Types of
//! soma-policy come with their own schemas (`schema.rs`).

use serde::Serialize;
use serde_json::Value;
use soma_policy::{
    Budget, CallId, Denial, Digest, EnvironmentId, InstallationId, InstallationKey, KillOrder,
    KillScope, Money, OrderId, OrgId, Outcome, Usage,
};
use utoipa::ToSchema;

use super::schema::{self, Envelope};

/// Alive.
#[derive(Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Health {
    /// Always `alive`.
    pub(super) status: &'static str,
}

/// Whether calls are taken, with the state of what they need.
#[derive(Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Ready {
    pub(super) ready: bool,
    /// `writing`, or why not.
    pub(super) journal: String,
    /// Hash of the operator's policy.
    #[schema(value_type = String)]
    pub(super) policy: Digest,
    /// Guests that run.
    pub(super) running: u32,
    /// How it stands with its server; null without one.
    pub(super) feed: Option<FeedState>,
    /// Why the journal does not go up to the server; null while it does, or without one.
    pub(super) push: Option<String>,
}

/// How a host stands with its server.
#[derive(Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct FeedState {
    /// Whether the server was heard of lately enough for what can do least harm; else nothing starts.
    pub(super) fresh: bool,
    /// The epoch of what was applied.
    pub(super) epoch: String,
    /// The number of what was applied.
    pub(super) n: String,
    /// How old the last heartbeat that counts is (milliseconds); null if none came since the start.
    pub(super) age_ms: Option<String>,
    /// What is wrong with the feed, if it contradicts itself or cannot be read.
    pub(super) alarm: Option<String>,
}

/// Which program, which host, which run of it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Version {
    pub(super) version: &'static str,
    /// The WebAssembly engine.
    pub(super) engine: String,
    pub(super) host: String,
    pub(super) boot: String,
}

/// Installations, one page.
#[derive(Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct InstallationPage {
    pub(super) items: Vec<InstallationItem>,
    /// What is wrong with other files of the home; for operators.
    pub(super) problems: Vec<String>,
    /// Number of this load of the home.
    pub(super) load: String,
    pub(super) next: Option<String>,
}

/// One installation.
#[derive(Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct InstallationItem {
    #[schema(value_type = String)]
    pub(super) id: InstallationId,
    #[schema(value_type = String)]
    pub(super) tenant: OrgId,
    #[schema(value_type = String)]
    pub(super) environment: EnvironmentId,
    /// `active`, `kept-back`, `refused`, `killed by ORDER`.
    pub(super) state: String,
    pub(super) capsule: Option<String>,
    pub(super) version: Option<String>,
    #[schema(value_type = Option<String>)]
    pub(super) digest: Option<Digest>,
    pub(super) revision: Option<String>,
    #[schema(schema_with = schema::budget)]
    pub(super) budget: Option<Budget>,
    /// Spent today.
    #[schema(value_type = Option<String>)]
    pub(super) spent: Option<Money>,
    /// Reserved by running calls.
    #[schema(value_type = Option<String>)]
    pub(super) reserved: Option<Money>,
    /// Calls that run.
    pub(super) running: u32,
    /// Whether its component is in memory.
    pub(super) loaded: bool,
    pub(super) granted: Option<Vec<String>>,
    /// What is wrong with its file.
    pub(super) problems: Vec<String>,
}

/// What was removed of an installation.
#[derive(Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PurgeDone {
    #[schema(schema_with = schema::installation)]
    pub(super) installation: InstallationKey,
    /// Key-value entries.
    pub(super) kv_entries: String,
    /// Whether there were files.
    pub(super) files: bool,
}

/// Calls, newest first, one page.
#[derive(Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CallPage {
    pub(super) items: Vec<CallItem>,
    pub(super) next: Option<String>,
}

/// A call that runs or one that has ended.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub(super) enum CallItem {
    Running(Box<RunningCall>),
    Ended(Box<EndedCall>),
}

/// A call that runs.
#[derive(Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RunningCall {
    #[schema(value_type = String)]
    pub(super) id: CallId,
    #[schema(value_type = String)]
    pub(super) installation: InstallationId,
    pub(super) function: String,
    /// Always `running`.
    pub(super) state: &'static str,
    /// What the guest waits for, in words; nothing while it computes.
    pub(super) waiting: Option<String>,
    pub(super) elapsed: String,
    /// Used and allowed, in milliseconds.
    pub(super) cpu: String,
    /// Bytes held now.
    pub(super) memory: u64,
    pub(super) revision: String,
    #[schema(value_type = Option<String>)]
    pub(super) parent: Option<CallId>,
    #[schema(value_type = String)]
    pub(super) root: CallId,
    #[schema(schema_with = schema::denials)]
    pub(super) denials: Vec<Denial>,
}

/// A call that has ended.
#[derive(Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct EndedCall {
    #[schema(value_type = String)]
    pub(super) id: CallId,
    #[schema(value_type = String)]
    pub(super) call: CallId,
    #[schema(value_type = String)]
    pub(super) installation: InstallationId,
    pub(super) function: String,
    /// How it ended, in a word.
    pub(super) state: &'static str,
    pub(super) started: String,
    pub(super) elapsed: String,
    pub(super) cpu: String,
    #[schema(schema_with = schema::outcome)]
    pub(super) outcome: Outcome,
    /// The code of an end that was not good.
    pub(super) code: Option<&'static str>,
    #[schema(schema_with = schema::denials)]
    pub(super) denials: Vec<Denial>,
    /// Denials beyond those kept.
    pub(super) denials_dropped: u32,
    #[schema(schema_with = schema::usage)]
    pub(super) usage: Usage,
    #[schema(value_type = Option<String>)]
    pub(super) cost: Option<Money>,
    /// Where the journal holds its receipt.
    pub(super) receipt: Option<ReceiptPlace>,
    /// The function's own typed error.
    pub(super) guest_error: Option<Value>,
    /// Words about a trap or failure.
    pub(super) detail: Option<String>,
}

/// A line of the journal.
#[derive(Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ReceiptPlace {
    pub(super) journal: String,
    pub(super) seq: String,
}

/// What a call logged.
#[derive(Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct LogPage {
    pub(super) items: Vec<LogItem>,
}

/// One line of it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct LogItem {
    pub(super) at: String,
    pub(super) at_ms: String,
    /// trace, debug, info, warn, error, critical, stdout or stderr.
    pub(super) level: &'static str,
    pub(super) context: String,
    pub(super) message: String,
}

/// Lines of the journal, one page.
#[derive(Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct JournalPage {
    pub(super) journal: String,
    pub(super) host: String,
    pub(super) items: Vec<JournalLine>,
    /// The cursor of what follows.
    pub(super) next: String,
}

/// One line of it (docs/reference/journal.md).
#[derive(Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct JournalLine {
    pub(super) seq: String,
    #[schema(value_type = String)]
    pub(super) hash: Digest,
    /// Whether it is the host's signature over what came before.
    pub(super) head: bool,
    /// The record, canonical JSON.
    pub(super) record: String,
}

/// Orders, oldest id first.
#[derive(Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct KillPage {
    pub(super) items: Vec<KillItem>,
    pub(super) next: Option<String>,
}

/// One order with its state.
#[derive(Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct KillItem {
    #[schema(schema_with = schema::order)]
    pub(super) order: KillOrder,
    /// `complete`, `suspended`, `lapsed` or `lifted`.
    pub(super) state: &'static str,
    /// Present operators who signed it.
    pub(super) persons: Vec<String>,
    /// How many persons must.
    pub(super) needed: usize,
    /// How long a suspension still runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) lapses_in_ms: Option<String>,
    /// How many receipts this host gave for it.
    pub(super) receipts: usize,
}

/// What a document did, or what a scope would do.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub(super) enum KillAnswer {
    Done(Box<KillDone>),
    Radius(KillRadius),
}

/// What became of an order or a lift.
#[derive(Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct KillDone {
    #[schema(value_type = String)]
    pub(super) order: OrderId,
    /// `complete`, `suspended`, `lapsed`, `lifted`; `unknown` for a lift that came before its order.
    pub(super) state: &'static str,
    /// Persons who signed this copy.
    pub(super) signed: usize,
    pub(super) needed: usize,
    /// Calls that it ended.
    pub(super) killed: u32,
    pub(super) took_ms: u64,
    /// Calls that had not ended, or that left blocking work behind.
    pub(super) draining: Vec<Draining>,
    /// Whether it is on disk. If not it stands all the same, until this host stops.
    pub(super) durable: bool,
    /// The host's signed receipt, if calls were to be stopped.
    #[schema(value_type = Option<Envelope>)]
    pub(super) receipt: Option<Value>,
    // Those that it stops from starting.
    #[schema(schema_with = schema::installations)]
    pub(super) installations: Vec<InstallationKey>,
}

/// A call that had not ended.
#[derive(Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Draining {
    #[schema(value_type = String)]
    pub(super) call: CallId,
    pub(super) draining: u32,
    pub(super) function: String,
    #[schema(schema_with = schema::installation)]
    pub(super) installation: InstallationKey,
    /// Microseconds from acceptance, once nothing of its guest ran any more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) stopped_us: Option<String>,
}

/// What an order with this scope would stop.
#[derive(Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct KillRadius {
    #[schema(value_type = String)]
    pub(super) scope: KillScope,
    pub(super) needed: usize,
    #[schema(value_type = Vec<String>)]
    pub(super) tenants: Vec<OrgId>,
    pub(super) installations: Vec<String>,
    pub(super) calls: usize,
    #[schema(value_type = Vec<String>)]
    pub(super) reserved: Vec<Money>,
}

/// A host's receipts for an order.
#[derive(Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ReceiptPage {
    #[schema(value_type = Vec<Envelope>)]
    pub(super) items: Vec<Value>,
    pub(super) next: Option<String>,
}
