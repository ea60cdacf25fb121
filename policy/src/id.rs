//! Typed ids: slugs that people choose, 128-bit ids that hosts make, digests, fingerprints and instants.
//!
//! Ids are made from values; nothing here draws randomness or reads a clock.

mod digest;
mod slug;
mod time;
mod wide;

pub use digest::{Digest, Fingerprint};
pub use slug::{
    AccountId, CapabilityName, CapsuleName, EnvironmentId, FunctionName, InstallationId,
    InstallationKey, OrgId, PublisherName, RegionId, SecretName, TaxName,
};
pub use time::{Timestamp, Uptime};
pub use wide::{
    BootId, CallId, EntryId, HostId, InvitationId, JournalId, KeyId, LeaseId, OrderId, PayoutId,
    ServiceId, SessionId, SubmissionId, TokenId, TransferId, UserId,
};

/// Why a text is not an id of its kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{value}` is not {kind}: {rule}")]
pub struct IdError {
    /// What it should have been, with its article.
    pub kind: &'static str,
    /// The text, cut to a printable length.
    pub value: String,
    /// The rule that it breaks.
    pub rule: &'static str,
}

impl IdError {
    pub(crate) fn new(kind: &'static str, value: &str, rule: &'static str) -> Self {
        Self { kind, value: shown(value), rule }
    }
}

/// A text as an error may show it: short, and without control characters.
pub(crate) fn shown(value: &str) -> String {
    let plain = |c: char| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c };
    let mut text: String = value.chars().take(80).map(plain).collect();
    if value.chars().nth(80).is_some() {
        text.push('…');
    }
    text
}
