//! Versions as ETags, and the If-Match that every update carries.

use std::fmt;

use axum::extract::FromRequestParts;
use http::header::IF_MATCH;
use http::request::Parts;
use soma_policy::Code;

use super::problem::Problem;

/// A version of something: `"v3"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Version(pub(crate) u64);

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"v{}\"", self.0)
    }
}

/// The one version that an update is meant for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct IfMatch(u64);

/// The version that an update is meant for, if it says one.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seen(pub(crate) Option<IfMatch>);

impl IfMatch {
    /// The version that it names.
    pub(crate) const fn version(self) -> u64 {
        self.0
    }

    /// Refuses if the thing has another version now.
    pub(crate) fn judge(self, current: u64) -> Result<u64, Problem> {
        if self.0 == current { Ok(current) } else { Err(stale()) }
    }
}

/// Somebody was quicker.
pub(crate) fn stale() -> Problem {
    Problem::new(Code::PreconditionFailed, "it has another version now")
}

impl<S: Sync> FromRequestParts<S> for IfMatch {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let mut values = parts.headers.get_all(IF_MATCH).iter();
        let (Some(value), None) = (values.next(), values.next()) else {
            return Err(Problem::new(Code::PreconditionMissing, "send If-Match once"));
        };
        let number = value
            .to_str()
            .ok()
            .and_then(|text| text.strip_prefix("\"v")?.strip_suffix('"')?.parse().ok());
        // A tag that is none of ours cannot be the current one.
        number.map(Self).ok_or_else(stale)
    }
}

impl<S: Sync> FromRequestParts<S> for Seen {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        if parts.headers.contains_key(IF_MATCH) {
            return IfMatch::from_request_parts(parts, state).await.map(|it| Self(Some(it)));
        }
        Ok(Self(None))
    }
}
