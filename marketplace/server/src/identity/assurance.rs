//! How sure we are of who it is: one factor or two.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How a session or a token was proven.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Assurance {
    /// One factor: a password, or an API key.
    Aal1,
    /// Two factors.
    Aal2,
}

impl Assurance {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Aal1 => "aal1",
            Self::Aal2 => "aal2",
        }
    }
}

impl fmt::Display for Assurance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Neither `aal1` nor `aal2`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an assurance is `aal1` or `aal2`")]
pub(crate) struct UnknownAssurance;

impl FromStr for Assurance {
    type Err = UnknownAssurance;
    fn from_str(text: &str) -> Result<Self, UnknownAssurance> {
        match text {
            "aal1" => Ok(Self::Aal1),
            "aal2" => Ok(Self::Aal2),
            _ => Err(UnknownAssurance),
        }
    }
}
