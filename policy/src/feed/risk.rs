//! How long a host may go on without hearing from its server, by what a capsule can do.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::amount::Millis;
use crate::grant::Grants;

/// The class of an installation: that of its widest granted capability.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum RiskClass {
    /// Computes, and reaches nothing.
    Low,
    /// Keeps state, or shows something to others than its caller.
    Medium,
    /// Reaches the outside, holds a secret, or calls other capsules.
    High,
}

impl RiskClass {
    /// The class of these grants.
    #[must_use]
    pub fn of(grants: &Grants) -> Self {
        if !(grants.http.is_empty() && grants.secret.is_empty() && grants.tool.is_empty()) {
            Self::High
        } else if !(grants.kv.is_empty() && grants.files.is_empty() && grants.emit.is_empty())
            || grants.serve.is_some()
        {
            Self::Medium
        } else {
            Self::Low
        }
    }

    /// How long after the last fresh heartbeat calls may start and run.
    #[must_use]
    pub const fn lease(self) -> Millis {
        match self {
            Self::Low => Millis(900_000),
            Self::Medium => Millis(300_000),
            Self::High => Millis(30_000),
        }
    }
}
