//! What a token says.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use soma_policy::{Digest, EnvironmentId, InstallationId, OrgId, TokenId};

use super::TokenError;

/// The claims of a token. Unknown claims are ignored, as RFC 7519 asks; these must all be right.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// Who minted it.
    pub iss: String,
    /// The host that it is for.
    pub aud: String,
    /// The principal that holds it.
    pub sub: String,
    /// The one org that it names.
    pub org: OrgId,
    /// The one environment that it names.
    pub env: EnvironmentId,
    /// What it may do.
    pub caps: Vec<Scope>,
    /// The constitution's hash when it was minted: evidence only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub con: Option<Digest>,
    /// Its own name.
    pub jti: TokenId,
    /// Minted at (seconds).
    pub iat: u64,
    /// Not before (seconds).
    pub nbf: u64,
    /// Not after (seconds).
    pub exp: u64,
}

/// One thing that a token may do.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// `call:*`: call every installation of its org and environment.
    CallAny,
    /// `call:ID`: call this installation.
    Call(InstallationId),
    /// `read:calls`: see calls, logs and receipts.
    ReadCalls,
    /// `operate`: see and change the host's configuration. Kill orders need signatures besides.
    Operate,
}

impl FromStr for Scope {
    type Err = TokenError;

    fn from_str(text: &str) -> Result<Self, TokenError> {
        let unknown = || TokenError::Scope { given: text.chars().take(80).collect() };
        match text {
            "read:calls" => Ok(Self::ReadCalls),
            "operate" => Ok(Self::Operate),
            "call:*" => Ok(Self::CallAny),
            _ => {
                let id = text.strip_prefix("call:").ok_or_else(unknown)?;
                id.parse().map(Self::Call).map_err(|_| unknown())
            }
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CallAny => f.write_str("call:*"),
            Self::Call(id) => write!(f, "call:{id}"),
            Self::ReadCalls => f.write_str("read:calls"),
            Self::Operate => f.write_str("operate"),
        }
    }
}

impl Serialize for Scope {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Scope {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_read_as_they_are_written() {
        for text in ["call:*", "call:issues", "read:calls", "operate"] {
            assert_eq!(text.parse::<Scope>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn unknown_scopes_are_refused_and_never_widen() {
        for bad in ["", "call", "call:", "call:*x", "Call:*", "*", "operate ", "read:*", "call:a/b"]
        {
            let refused = bad.parse::<Scope>().unwrap_err();
            assert!(refused.to_string().contains("call:ID"), "{bad}: {refused}");
        }
    }
}
