//! What goes between the server and one host alone: leases, secrets, the journal.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::amount::Money;
use crate::id::{
    BootId, Digest, EnvironmentId, HostId, InstallationKey, JournalId, LeaseId, OrgId, Timestamp,
};
use crate::text::decimal;

pub use crate::id::SecretName;

/// A lease, as its host holds it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HostLease {
    /// The run of the host that may start calls on it.
    pub boot: BootId,
    /// Bytes by outbound HTTP, both ways, that its calls may move together; none where nothing is granted that moves any.
    #[serde(default, with = "decimal::maybe", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub bytes: Option<u64>,
    /// The UTC day that it belongs to, by the server's clock: days since 1970-01-01.
    #[serde(with = "decimal")]
    #[schemars(with = "String")]
    pub day: u64,
    /// Its id.
    pub id: LeaseId,
    /// The installation.
    pub installation: InstallationKey,
    /// The money that its calls may come to.
    pub money: Money,
    /// No call starts on it from then on.
    pub start_by: Timestamp,
    /// The terms by which its calls are charged.
    pub terms: Digest,
}

/// That a host needs (more) money for an installation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LeaseWish {
    /// The worst case of one call: less than this helps nobody.
    pub at_least: Money,
    /// The installation.
    pub installation: InstallationKey,
}

/// What a host asks of the server about its leases.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LeaseWishes {
    /// This run of it.
    pub boot: BootId,
    /// Leases on which no call runs or will start any more.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub closes: Vec<LeaseClose>,
    /// Leases that it wants; at most 256.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub wishes: Vec<LeaseWish>,
}

/// The last word on a lease.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LeaseClose {
    /// The journal.
    pub journal: JournalId,
    /// The lease.
    pub lease: LeaseId,
    /// No entry after this one names the lease.
    #[serde(with = "decimal")]
    #[schemars(with = "String")]
    pub seq: u64,
}

/// The server's answer, signed by the feed key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LeaseAnswer {
    /// For whom.
    pub host: HostId,
    /// Given. A lease that was given before and is still open is given again, word for word.
    pub leases: Vec<HostLease>,
    /// Leases that are asked back: none of their calls may start any more.
    pub recalls: Vec<LeaseId>,
    /// Wishes that were refused: whose, and why.
    pub refused: Vec<(InstallationKey, String)>,
}

/// Values that a host needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SecretAsk {
    /// The environment.
    pub environment: EnvironmentId,
    /// Its name.
    pub name: SecretName,
    /// The org.
    pub org: OrgId,
}

/// A value, sealed to the host's key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SealedSecret {
    /// The environment.
    pub environment: EnvironmentId,
    /// Its name.
    pub name: SecretName,
    /// The org.
    pub org: OrgId,
    /// HPKE (RFC 9180, base mode), encapsulated key before the ciphertext, in base64; bound to
    /// `soma-secret/HOST/ORG/ENVIRONMENT/NAME/VERSION`.
    pub sealed: String,
    /// Which version.
    #[serde(with = "decimal")]
    #[schemars(with = "String")]
    pub version: u64,
}

/// The server's answer, signed by the feed key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Secrets {
    /// For whom.
    pub host: HostId,
    /// Those of the asked ones that exist and that an installation of this host may use.
    pub secrets: Vec<SealedSecret>,
}

/// Durable records of a host's journal, in order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct JournalPush {
    /// The number of the first one.
    #[serde(with = "decimal")]
    #[schemars(with = "String")]
    pub from: u64,
    /// The journal.
    pub journal: JournalId,
    /// Drawn for this request; the answer is over it. 16 to 64 characters of base64url.
    pub nonce: String,
    /// The records as they lie in the journal, heads included.
    pub records: Vec<String>,
}

/// How far the server has taken a journal, signed by the feed key: what was taken a host may prune.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct JournalAck {
    /// The hash of the last record that it took; zero before the first.
    pub hash: Digest,
    /// For whom.
    pub host: HostId,
    /// The journal.
    pub journal: JournalId,
    /// The number of the next record that it wants.
    #[serde(with = "decimal")]
    #[schemars(with = "String")]
    pub next: u64,
    /// Of the host's request.
    pub nonce: String,
}
