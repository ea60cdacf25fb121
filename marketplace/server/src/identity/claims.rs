//! What a token says.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use soma_policy::{AccountId, Digest, EnvironmentId, OrgId, TokenId, UserId};

use super::{Assurance, CapSet};

/// Who holds a token: a person by a pseudonym, or a service account of the token's org.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Subject {
    User(UserId),
    Account(AccountId),
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User(user) => write!(f, "user:{user}"),
            Self::Account(account) => write!(f, "account:{account}"),
        }
    }
}

/// Not a subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a subject is `user:ID` or `account:NAME`")]
pub(crate) struct SubjectError;

impl FromStr for Subject {
    type Err = SubjectError;
    fn from_str(text: &str) -> Result<Self, SubjectError> {
        match text.split_once(':') {
            Some(("user", id)) => id.parse().map(Self::User).map_err(|_| SubjectError),
            Some(("account", id)) => id.parse().map(Self::Account).map_err(|_| SubjectError),
            _ => Err(SubjectError),
        }
    }
}

impl Serialize for Subject {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Subject {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// The claims of a token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Claims {
    pub(crate) iss: String,
    pub(crate) aud: String,
    pub(crate) sub: Subject,
    pub(crate) org: OrgId,
    pub(crate) env: EnvironmentId,
    pub(crate) caps: CapSet,
    /// The constitution's hash when it was minted: evidence only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) con: Option<Digest>,
    pub(crate) acr: Assurance,
    /// When the person last proved who they are (seconds); service accounts have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) auth_time: Option<u64>,
    /// The session or API key that it was made from.
    pub(crate) cred: String,
    /// Whether it is its credential's own token. What was narrowed lacks it, and so does what does not say.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) whole: bool,
    pub(crate) jti: TokenId,
    pub(crate) iat: u64,
    pub(crate) nbf: u64,
    pub(crate) exp: u64,
}
