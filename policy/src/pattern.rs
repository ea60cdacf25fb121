//! Patterns: what a rule allows. Each parses or says what was probably meant; none can be built unchecked.
//!
//! `allows` asks about one request, `covers` asks whether a rule is at least as wide as another one.
//! `covers` may say no where the truth is yes, never the other way round. Wildcards stand for whole
//! segments only; there are no regular expressions. An empty pattern does not exist: leave the entry out.

mod host;
mod ip;
mod key;
mod method;
mod origin;
mod path;
mod version;

pub(crate) use host::canonical_host;
pub use host::{HostPattern, Scheme};
pub use ip::{IpRule, peer_is_public};
pub use key::KeyPrefix;
pub use method::{Method, MethodSet};
pub use origin::{Origin, OriginPattern};
pub(crate) use origin::{origin_hash, split_port};
pub use path::PathPattern;
pub(crate) use path::push_segment;
pub use version::VersionRange;

use crate::id::shown;

/// Why a text is not a pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{value}` is not {kind}: {rule}")]
pub struct PatternError {
    /// What it should have been, with its article.
    pub kind: &'static str,
    /// The text, cut to a printable length.
    pub value: String,
    /// The rule that it breaks, or the spelling that was probably meant.
    pub rule: String,
}

impl PatternError {
    pub(crate) fn new(kind: &'static str, value: &str, rule: impl Into<String>) -> Self {
        Self { kind, value: shown(value), rule: rule.into() }
    }
}
