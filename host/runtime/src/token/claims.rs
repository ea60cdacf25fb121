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
    /// What it may do here. What only its server knows (`publish`, `org:read`) is left out.
    #[serde(deserialize_with = "known")]
    pub caps: Vec<Scope>,
    /// The constitution's hash when it was minted: evidence only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub con: Option<Digest>,
    /// The session or API key that it was made from, if a server minted it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cred: Option<String>,
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

/// Rights that concern the server and mean nothing to a host.
const ELSEWHERE: &[&str] = &[
    "org:read",
    "org:write",
    "members:write",
    "keys:write",
    "audit:read",
    "install",
    "publish",
    "review",
    "billing:read",
    "billing:write",
];
/// Most rights that a token may carry, those of the server included.
const RIGHTS_MAX: usize = 64;

fn known<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Vec<Scope>, D::Error> {
    let given = Vec::<String>::deserialize(deserializer)?;
    if given.len() > RIGHTS_MAX {
        return Err(serde::de::Error::custom("`caps` has 1 to 64 entries"));
    }
    let ours = given.iter().filter(|text| !ELSEWHERE.contains(&text.as_str()));
    ours.map(|text| text.parse().map_err(serde::de::Error::custom)).collect()
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
    fn rights_of_the_server_are_left_out_and_others_refused() {
        let read = |caps: &[&str]| known(serde_json::json!(caps)).map_err(|e| e.to_string());
        assert_eq!(read(&["publish", "call:*", "org:read"]), Ok(vec![Scope::CallAny]));
        assert_eq!(read(&["publish"]), Ok(Vec::new()));
        assert!(read(&["call:*", "everything"]).is_err());
        assert!(read(&["call:*"; 65]).is_err());
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
