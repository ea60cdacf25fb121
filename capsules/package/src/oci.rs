//! Capsules in an OCI image layout on disk: the store that needs no registry, in the format that
//! registries and their tools read (`skopeo`, `oras`, `wkg`).
//!
//! A component is an artifact with one `application/wasm` layer; its bundle is attached to it as
//! a referrer. Everything read back is bounded and checked against its digest, and is still
//! unverified: whose it is, `verify` decides.

mod documents;
mod layout;
mod store;

use soma_policy::{Digest, Timestamp};

pub use layout::OciError;
pub use store::{read_layout, tags, write_layout};

use crate::component::Analysis;
use crate::verify::UnverifiedPackage;

/// What to put into a layout.
#[derive(Debug, Clone, Copy)]
pub struct Artifact<'a> {
    /// The component with its manifest inside.
    pub component: &'a [u8],
    /// The bundle that signs it.
    pub bundle: &'a [u8],
    /// File name of the component, for tools that unpack it.
    pub title: &'a str,
    /// What the component imports and exports, for tools that list it.
    pub analysis: &'a Analysis,
    /// When it was built.
    pub created: Timestamp,
}

/// What was read from a layout. Digests fit; nothing else is proven.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// Digest of the OCI manifest. It is not the digest of the capsule, which is the component's.
    pub manifest: Digest,
    /// The component.
    pub component: Vec<u8>,
    /// The bundles attached to it, oldest first.
    pub bundles: Vec<Vec<u8>>,
}

impl Stored {
    /// The component with the bundle that was attached last.
    #[must_use]
    pub fn into_package(mut self) -> UnverifiedPackage {
        let bundle = self.bundles.pop().unwrap_or_default();
        UnverifiedPackage { component: self.component, bundle }
    }
}

/// Which artifact of a layout is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reference {
    /// By its tag.
    Tag(Tag),
    /// By the digest of its OCI manifest.
    Digest(Digest),
}

impl std::fmt::Display for Reference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Tag(tag) => tag.fmt(f),
            Self::Digest(digest) => digest.fmt(f),
        }
    }
}

/// A tag, as registries allow them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Tag(String);

impl Tag {
    /// The tag of a release: its version, with `+` written as `_`, which tags allow.
    #[must_use]
    pub fn of_version(version: &semver::Version) -> Option<Self> {
        version.to_string().replace('+', "_").parse().ok()
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::str::FromStr for Tag {
    type Err = OciError;

    fn from_str(text: &str) -> Result<Self, OciError> {
        let first = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let rest = |c: char| first(c) || c == '.' || c == '-';
        let fits = text.len() <= 128 && text.starts_with(first) && text.chars().all(rest);
        if fits {
            Ok(Self(text.to_string()))
        } else {
            Err(OciError::Tag(crate::component::bounded(text)))
        }
    }
}

impl std::fmt::Display for Tag {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests;
