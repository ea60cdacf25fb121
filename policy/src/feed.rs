//! What a server and its hosts say to each other: the shapes, the chain, the rules of freshness.
//!
//! ```text
//! host ── GET /v1/feed (position) ─────► snapshot or batches of changes, signed by the feed key
//! host ── POST /v1/feed/heartbeat ─────► heartbeat over the host's nonce; the report goes up with it
//! host ── POST /v1/feed/leases ────────► leases of this host and no other
//! host ── POST /v1/feed/secrets ───────► secrets, sealed to this host's key
//! host ── POST /v1/feed/journal ───────► how far the journal is settled
//! review host ── POST /v1/feed/reviews/next ──► a submission to watch, or nothing (204)
//! review host ── POST /v1/feed/reviews/{submission} ──► takes the signed passport
//! ```
//!
//! Every request of a host carries a [`HostProof`] over its method, path and body. Signed documents are DSSE
//! envelopes; keys and signatures are soma-capsule's, transport is the server's and the host's.

mod change;
mod channel;
mod document;
mod host;
mod payload;
mod review;
mod risk;
mod state;
#[cfg(test)]
mod tests;

pub use change::{ChainFault, Change, FeedHead, Topic};
pub use channel::{
    HostLease, JournalAck, JournalPush, LeaseAnswer, LeaseClose, LeaseWish, LeaseWishes,
    SealedSecret, SecretAsk, SecretName, Secrets,
};
pub use document::{Batch, EpochRaise, Heartbeat, Item, ReleaseApproval, Snapshot, kind};
pub use host::{CheckResult, Enrol, Enrolled, HostProof, HostReport, HostRole, NotRunning};
pub use payload::payload_text;
pub use review::{Noticed, Passport, Reached, ReviewJob, Scenario, Watched};
pub use risk::RiskClass;
pub use state::{
    AcceptedOffer, CandidateState, ConstitutionNotice, GateState, Installed, IssuerState,
    KillNotice, PublisherKeys, RevisionState, Revoked, RevokedKind, RevokedRelease, SecretVersion,
};

/// What the host's proof travels in: an envelope, in unpadded base64url.
pub const PROOF_HEADER: &str = "soma-host-proof";
/// How old a proof may be, and how far ahead of the server's clock (milliseconds).
pub const PROOF_AGE_MAX_MS: u64 = 120_000;
/// Changes of one batch.
pub const BATCH_CHANGES_MAX: usize = 500;
/// How long a request for changes may wait for one (milliseconds).
pub const WAIT_MAX_MS: u64 = 20_000;
