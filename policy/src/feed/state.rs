//! What the subjects of the feed are: one type per topic.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::amount::Money;
use crate::id::{
    CapsuleName, Digest, EnvironmentId, FunctionName, InstallationKey, OrgId, PublisherName,
    RegionId, SecretName, Timestamp,
};
use crate::installation::InstallationSpec;
use crate::text::decimal;

/// What the tenant accepted, as far as a host charges by it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AcceptedOffer {
    /// The offer: what receipts name.
    pub offer: Digest,
    /// The author's price of one call at most; none when it is free.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price: Option<Money>,
}

/// One revision, as a host runs it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RevisionState {
    /// What its calls cost.
    pub accepted: AcceptedOffer,
    /// Its number.
    #[serde(with = "decimal")]
    #[schemars(with = "String")]
    pub number: u64,
    /// The file: digest, grants, budget, configuration.
    pub spec: InstallationSpec,
}

/// How a candidate is judged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum GateState {
    /// Hosts call this function once and report whether it answered as declared.
    Check {
        /// The arguments.
        args: Value,
        /// What it must return; anything but an error, if none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        expect: Option<Value>,
        /// The function.
        function: FunctionName,
    },
    /// So many thousandths of the real calls go to the candidate.
    Canary {
        /// 1 to 500.
        share: u16,
    },
}

/// A revision at its health gate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CandidateState {
    /// How it is judged.
    pub gate: GateState,
    /// The revision. Its calls are not billed.
    pub revision: RevisionState,
}

/// An installation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Installed {
    /// What runs.
    pub active: RevisionState,
    /// What may run next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub candidate: Option<CandidateState>,
    /// Where it is.
    pub key: InstallationKey,
    /// The only region in which it may run; any if none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<RegionId>,
}

/// A release that may never run again, whoever installed it. Nothing lifts this, a lifted kill order neither.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RevokedRelease {
    /// The capsule.
    pub capsule: CapsuleName,
    /// Why, for people.
    pub reason: String,
    /// The version, for people.
    pub version: String,
}

/// Whose signature counts for a publisher's capsules.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PublisherKeys {
    /// SPKI in base64, at most 64.
    pub keys: Vec<String>,
    /// The publisher.
    pub publisher: PublisherName,
}

/// A key that signs callers' tokens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct IssuerState {
    /// `iss` of its tokens.
    pub issuer: String,
    /// The public key.
    pub jwk: Value,
}

/// By what tokens are revoked.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum RevokedKind {
    /// One token, by its `jti`.
    Token,
    /// All of a subject of one org, by `org/sub`: service accounts of two orgs may share a name.
    Subject,
    /// All of an org.
    Org,
    /// All that were made from one session or API key, by `cred`. (A key that signs tokens is
    /// revoked by its `Issuer` subject being gone.)
    Key,
}

/// Tokens that count no more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Revoked {
    /// Tokens issued at or before this count no more.
    pub before: Timestamp,
    /// By what.
    pub kind: RevokedKind,
    /// After this no such token can be valid: it may be forgotten.
    pub until: Timestamp,
    /// Which.
    pub value: String,
}

/// A signed order or lift: itself, word for word.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct KillNotice {
    /// The DSSE envelope as JSON text.
    pub envelope: String,
}

/// The constitution that holds: itself, word for word, with its signatures.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ConstitutionNotice {
    /// The DSSE envelope as JSON text.
    pub envelope: String,
}

/// That a secret has a value, and which: never the value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SecretVersion {
    /// The environment.
    pub environment: EnvironmentId,
    /// Its name.
    pub name: SecretName,
    /// The org.
    pub org: OrgId,
    /// Rises with each value.
    #[serde(with = "decimal")]
    #[schemars(with = "String")]
    pub version: u64,
}

impl RevisionState {
    /// The component that it runs.
    #[must_use]
    pub const fn digest(&self) -> Digest {
        self.spec.digest
    }
}
