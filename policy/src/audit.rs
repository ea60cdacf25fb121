//! What an auditor reads besides receipts and kills: changes of keys, trust, policy, installations, secrets.
//!
//! Names only pseudonymous ids and digests; no personal data and no secret value has a field here.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::id::{Digest, EnvironmentId, OrgId, Timestamp};

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum AuditKind {
    /// A home was set up with a quorum of one operator.
    SingleOperatorMode,
    /// The list of operators changed.
    OperatorsChanged,
    /// A publisher's key was trusted or no longer is.
    TrustChanged,
    /// The operator's policy changed.
    PolicyChanged,
    /// An installation appeared, changed or went.
    InstallationChanged,
    /// An installation file was refused; the revision before stays.
    InstallationRefused,
    /// What an uninstalled installation had kept was removed.
    DataPurged,
    /// A secret was set or removed (its name, never its value).
    SecretChanged,
    /// A token was made.
    TokenMade,
    /// A token was taken back.
    TokenRevoked,
    /// The journal's torn tail was repaired at start.
    JournalRepaired,
}

/// One event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AuditEvent {
    /// Who did it: a token id, a key fingerprint, or `home` for an edit of its files.
    pub actor: String,
    /// When.
    pub at: Timestamp,
    /// Hash of what it is now, where it is a document.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
    /// The environment, where it belongs to one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<EnvironmentId>,
    /// What happened.
    pub event: AuditKind,
    /// The owner, where it belongs to one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub org: Option<OrgId>,
    /// What it is about: an installation id, a publisher, a secret's name.
    pub subject: String,
}
