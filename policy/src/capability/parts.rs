//! The small types that declarations and grants are made of.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::amount::Bytes;
use crate::pattern::PatternError;
use crate::text::string_form;

/// Bytes sent and received.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Transfer {
    /// Bytes sent, head and body.
    pub request: Bytes,
    /// Bytes received, head and body.
    pub response: Bytes,
}

impl Transfer {
    /// Whether both amounts are at least those of `inner`.
    #[must_use]
    pub fn covers(&self, inner: &Self) -> bool {
        self.request >= inner.request && self.response >= inner.response
    }
}

/// Reading, writing or both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Access {
    /// Read only.
    Read,
    /// Write only.
    Write,
    /// Both.
    ReadWrite,
}

impl Access {
    /// Whether reading is allowed.
    #[must_use]
    pub const fn reads(self) -> bool {
        matches!(self, Self::Read | Self::ReadWrite)
    }

    /// Whether writing is allowed.
    #[must_use]
    pub const fn writes(self) -> bool {
        matches!(self, Self::Write | Self::ReadWrite)
    }

    /// Whether all that `inner` allows is allowed.
    #[must_use]
    pub const fn covers(self, inner: Self) -> bool {
        (self.reads() || !inner.reads()) && (self.writes() || !inner.writes())
    }
}

impl fmt::Display for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::ReadWrite => "read-write",
        })
    }
}

/// A key of the configuration: letters, digits, `.`, `_` and `-`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConfigKey(Box<str>);

impl ConfigKey {
    /// The key as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ConfigKey {
    type Err = PatternError;
    fn from_str(text: &str) -> Result<Self, PatternError> {
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
        if (1..=128).contains(&text.len()) && text.bytes().all(plain) {
            return Ok(Self(text.into()));
        }
        let rule = "use 1 to 128 letters, digits, `.`, `_` and `-`; patterns are not used here";
        Err(PatternError::new("a configuration key", text, rule))
    }
}

impl fmt::Display for ConfigKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::borrow::Borrow<str> for ConfigKey {
    fn borrow(&self) -> &str {
        &self.0
    }
}

string_form!(ConfigKey, "ConfigKey", "a configuration key");

/// Where a guest sees a mount: an absolute path without `.`, `..` and empty segments.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GuestPath(Box<str>);

impl GuestPath {
    /// The path as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for GuestPath {
    type Err = PatternError;
    fn from_str(text: &str) -> Result<Self, PatternError> {
        let fail = |rule: &str| PatternError::new("a mount such as /data", text, rule);
        let Some(rest) = text.strip_prefix('/') else {
            return Err(fail(&format!("it is absolute; did you mean \"/{text}\"?")));
        };
        let plain = |part: &str| {
            !part.is_empty()
                && part != "."
                && part != ".."
                && !part.contains('\\')
                && !part.chars().any(char::is_control)
        };
        if text.len() > 256 || !rest.split('/').all(plain) {
            return Err(fail("use at most 256 bytes, without `.`, `..`, `\\` and empty segments"));
        }
        Ok(Self(text.into()))
    }
}

impl fmt::Display for GuestPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

string_form!(GuestPath, "GuestPath", "an absolute mount such as /data");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn access_covers_what_it_includes() {
        assert!(Access::ReadWrite.covers(Access::Read) && Access::ReadWrite.covers(Access::Write));
        assert!(!Access::Read.covers(Access::ReadWrite) && !Access::Write.covers(Access::Read));
        assert_eq!(Access::ReadWrite.to_string(), "read-write");
    }

    #[test]
    fn mounts_and_keys_are_checked() {
        assert_eq!("/data/in".parse::<GuestPath>().unwrap().as_str(), "/data/in");
        for bad in ["data", "/", "/a/../b", "/a//b", "/a\\b", "/a/", "/."] {
            assert!(bad.parse::<GuestPath>().is_err(), "{bad}");
        }
        assert_eq!("api.region".parse::<ConfigKey>().unwrap().to_string(), "api.region");
        for bad in ["", "a b", "a*", &"x".repeat(129)] {
            assert!(bad.parse::<ConfigKey>().is_err(), "{bad}");
        }
    }
}
