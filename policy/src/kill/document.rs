//! The two signed documents: an order, and the lift that names it by hash.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::KillScope;
use crate::canonical;
use crate::id::{Digest, OrderId, Timestamp};

/// Why an order was given, for receipts and statistics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// It attacks.
    Malware,
    /// It has a hole.
    Vulnerability,
    /// A key was stolen.
    KeyCompromise,
    /// It takes data where they must not go.
    Exfiltration,
    /// It costs more than it may.
    Abuse,
    /// A law or contract asks for it.
    Legal,
    /// It does harm without intent.
    Malfunction,
    /// An exercise.
    Drill,
}

impl std::str::FromStr for Reason {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        serde_json::from_value(serde_json::Value::String(text.to_owned())).map_err(|_| {
            let known = [
                "malware",
                "vulnerability",
                "key-compromise",
                "exfiltration",
                "abuse",
                "legal",
                "malfunction",
                "drill",
            ];
            format!("`{text}` is no reason code{}", crate::suggest::did_you_mean(text, &known))
        })
    }
}

/// How bad it is.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Default,
    Serialize,
    Deserialize,
    JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Can wait.
    Low,
    /// Should not wait.
    Medium,
    /// Must not wait.
    #[default]
    High,
    /// Happening now.
    Critical,
}

/// An order to stop. Self-contained: nothing else is needed to carry it out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct KillOrder {
    /// Where the evidence lies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<String>,
    /// Its unique id.
    pub id: OrderId,
    /// When it was written, by the writer's clock.
    pub issued_at: Timestamp,
    /// Why.
    pub reason: Reason,
    /// What must stop.
    pub scope: KillScope,
    /// How bad it is.
    pub severity: Severity,
    /// Rises when the same order is given again after a lift.
    pub version: u32,
}

/// Free words that say why a lift is right.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
pub struct LiftReason(String);

impl LiftReason {
    /// Longest text, in bytes.
    pub const BYTES_MAX: usize = 1000;

    /// The words.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for LiftReason {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        let trimmed = text.trim();
        if trimmed.is_empty() || trimmed.len() > Self::BYTES_MAX {
            return Err(format!("a lift needs a reason of 1 to {} bytes", Self::BYTES_MAX));
        }
        Ok(Self(trimmed.to_owned()))
    }
}

impl From<LiftReason> for String {
    fn from(reason: LiftReason) -> Self {
        reason.0
    }
}

/// The end of an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Lift {
    /// When it was written.
    pub issued_at: Timestamp,
    /// Hash of the order's canonical form: a lift lifts this order and no other.
    pub lifts: Digest,
    /// The order's id.
    pub order: OrderId,
    /// Why.
    pub reason: LiftReason,
    /// Above the version of the order.
    pub version: u32,
}

impl KillOrder {
    /// The hash that a lift must name.
    #[must_use]
    pub fn hash(&self) -> Digest {
        hash(self)
    }
}

impl Lift {
    /// The hash of this document.
    #[must_use]
    pub fn hash(&self) -> Digest {
        hash(self)
    }

    /// The lift of an order.
    #[must_use]
    pub fn of(order: &KillOrder, reason: LiftReason, issued_at: Timestamp) -> Self {
        Self {
            issued_at,
            lifts: order.hash(),
            order: order.id,
            reason,
            version: order.version.saturating_add(1),
        }
    }
}

fn hash<T: Serialize>(document: &T) -> Digest {
    // INVARIANT: the documents hold strings, small integers and options only, which all have a canonical form.
    canonical::digest(document).unwrap_or(Digest::ZERO)
}
