//! How a tenant's account is filled: paid before, or on credit up to a limit.

use serde::{Deserialize, Serialize};
use soma_policy::{Code, Money};

use crate::Refusal;

/// How far below zero a tenant's account may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Funding {
    /// Not at all.
    #[default]
    Prepaid,
    /// To this limit, which the operator grants.
    Credit {
        /// Micro-units, not negative.
        #[serde(with = "soma_policy::decimal")]
        limit: u64,
    },
}

impl Funding {
    /// Credit up to a limit.
    ///
    /// # Errors
    /// [`Code::AmountBad`] for a negative limit.
    pub fn credit(limit: Money) -> Result<Self, Refusal> {
        let refuse =
            || Refusal::new(Code::AmountBad, "grant credit", format!("`{limit}` is negative"));
        u64::try_from(limit.micros).map(|limit| Self::Credit { limit }).map_err(|_| refuse())
    }

    /// The least that the balance may become by an ordinary posting.
    #[must_use]
    pub fn floor(self) -> i64 {
        match self {
            Self::Prepaid => 0,
            Self::Credit { limit } => i64::try_from(limit).map_or(i64::MIN, |limit| -limit),
        }
    }
}
