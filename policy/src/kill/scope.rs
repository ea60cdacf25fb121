//! What an order stops: `digest:`, `capsule:NAME[@RANGE]`, `publisher:` … or `everything`.

use std::fmt;
use std::str::FromStr;

use crate::capability::CapabilityKind;
use crate::id::{
    CapsuleName, Digest, Fingerprint, InstallationKey, OrgId, PublisherName, RegionId,
};
use crate::pattern::VersionRange;
use crate::suggest::did_you_mean;
use crate::text::string_form;

/// The scope of an order.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum KillScope {
    /// One component.
    Digest(Digest),
    /// A capsule, in all versions or in a range of them.
    Capsule(CapsuleName, Option<VersionRange>),
    /// Everything of a publisher.
    Publisher(PublisherName),
    /// Everything that a key signed.
    Signer(Fingerprint),
    /// Everything that was granted a capability of this kind.
    Capability(CapabilityKind),
    /// A capsule as a tool: itself, and everything that may call it.
    Tool(CapsuleName),
    /// Everything of an organisation.
    Tenant(OrgId),
    /// One installation, as `org/environment/id`.
    Installation(InstallationKey),
    /// Everything in a region.
    Region(RegionId),
    /// Everything.
    Everything,
}

const KINDS: &[&str] = &[
    "digest",
    "capsule",
    "publisher",
    "signer",
    "capability",
    "tool",
    "tenant",
    "installation",
    "region",
    "everything",
];

/// Why a text is no scope.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no kill scope: {why}")]
pub struct ScopeError {
    /// The text.
    pub text: String,
    /// What is wrong with it, and what would be right.
    pub why: String,
}

impl KillScope {
    /// How many persons it takes under a quorum.
    #[must_use]
    pub const fn needs(&self, quorum: usize) -> usize {
        if self.is_wide() { quorum } else { 1 }
    }

    /// Whether it takes the quorum, not one signature.
    #[must_use]
    pub const fn is_wide(&self) -> bool {
        match self {
            Self::Digest(_) | Self::Capsule(..) | Self::Installation(_) => false,
            Self::Publisher(_)
            | Self::Signer(_)
            | Self::Capability(_)
            | Self::Tool(_)
            | Self::Tenant(_)
            | Self::Region(_)
            | Self::Everything => true,
        }
    }
}

impl FromStr for KillScope {
    type Err = ScopeError;

    fn from_str(text: &str) -> Result<Self, ScopeError> {
        if text == "everything" {
            return Ok(Self::Everything);
        }
        let fail = |why: String| ScopeError { text: text.to_owned(), why };
        let Some((kind, value)) = text.split_once(':') else {
            return Err(fail(format!(
                "write KIND:VALUE or everything{}",
                did_you_mean(text, KINDS)
            )));
        };
        read(kind, value).map_err(fail)
    }
}

fn read(kind: &str, value: &str) -> Result<KillScope, String> {
    Ok(match kind {
        // A digest's own text begins with `sha256:`; both spellings are taken.
        "digest" => KillScope::Digest(parse(value)?),
        "sha256" => KillScope::Digest(parse(&format!("sha256:{value}"))?),
        "capsule" => capsule(value)?,
        "publisher" => KillScope::Publisher(parse(value)?),
        "signer" => KillScope::Signer(parse(value)?),
        "capability" => KillScope::Capability(parse(value)?),
        "tool" => KillScope::Tool(parse(value)?),
        "tenant" => KillScope::Tenant(parse(value)?),
        "installation" => KillScope::Installation(parse(value)?),
        "region" => KillScope::Region(parse(value)?),
        other => {
            return Err(format!(
                "the kinds are {}{}",
                KINDS.join(", "),
                did_you_mean(other, KINDS)
            ));
        }
    })
}

fn capsule(value: &str) -> Result<KillScope, String> {
    match value.split_once('@') {
        None => Ok(KillScope::Capsule(parse(value)?, None)),
        Some((name, range)) => Ok(KillScope::Capsule(parse(name)?, Some(parse(range)?))),
    }
}

fn parse<T: FromStr<Err: fmt::Display>>(text: &str) -> Result<T, String> {
    text.parse().map_err(|error: T::Err| error.to_string())
}

impl fmt::Display for KillScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Digest(digest) => write!(f, "digest:{digest}"),
            Self::Capsule(name, None) => write!(f, "capsule:{name}"),
            Self::Capsule(name, Some(range)) => write!(f, "capsule:{name}@{range}"),
            Self::Publisher(publisher) => write!(f, "publisher:{publisher}"),
            Self::Signer(key) => write!(f, "signer:{key}"),
            Self::Capability(kind) => write!(f, "capability:{kind}"),
            Self::Tool(name) => write!(f, "tool:{name}"),
            Self::Tenant(org) => write!(f, "tenant:{org}"),
            Self::Installation(key) => write!(f, "installation:{key}"),
            Self::Region(region) => write!(f, "region:{region}"),
            Self::Everything => f.write_str("everything"),
        }
    }
}

string_form!(
    KillScope,
    "KillScope",
    "a kill scope: digest:, capsule:NAME[@RANGE], publisher: … or everything"
);
