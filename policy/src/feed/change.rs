//! One change, and how it hangs on the change before.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::payload::Narrow;
use crate::canonical;
use crate::id::{Digest, Timestamp};
use crate::receipt::FeedPosition;
use crate::text::decimal;

/// What a change is about. The subject says which one of them.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Topic {
    /// An installation; subject `org/environment/id`, payload [`super::Installed`].
    Installation,
    /// Keys of a publisher; subject its name, payload [`super::PublisherKeys`].
    Publisher,
    /// A key that signs callers' tokens; subject its key id, payload [`super::IssuerState`].
    Issuer,
    /// Tokens that count no more; subject `kind/value`, payload [`super::Revoked`].
    Revocation,
    /// A signed order or lift; subject its hash, payload [`super::KillNotice`]. Never taken back.
    Kill,
    /// Terms that leases name; subject their digest, payload [`crate::price::Terms`].
    Terms,
    /// A version of a secret; subject `org/environment/name`, payload [`super::SecretVersion`].
    Secret,
    /// The operators' law; its one subject is `active`, payload [`super::ConstitutionNotice`]. Never taken back.
    Constitution,
    /// A release that was revoked; subject its digest, payload [`super::RevokedRelease`]. Never taken back.
    Release,
}

impl Topic {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Installation,
        Self::Publisher,
        Self::Issuer,
        Self::Revocation,
        Self::Kill,
        Self::Terms,
        Self::Secret,
        Self::Constitution,
        Self::Release,
    ];

    /// As documents write it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Installation => "installation",
            Self::Publisher => "publisher",
            Self::Issuer => "issuer",
            Self::Revocation => "revocation",
            Self::Kill => "kill",
            Self::Terms => "terms",
            Self::Secret => "secret",
            Self::Constitution => "constitution",
            Self::Release => "release",
        }
    }

    /// Reads it back.
    #[must_use]
    pub fn named(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|topic| topic.as_str() == text)
    }
}

/// A place in the feed. The hash tells two feeds apart that have the same numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FeedHead {
    /// Rises when a server is restored; only the root key can raise it.
    #[serde(with = "decimal")]
    #[schemars(with = "String")]
    pub epoch: u64,
    /// The hash of the last change.
    pub hash: Digest,
    /// Its number; zero before the first.
    #[serde(with = "decimal")]
    #[schemars(with = "String")]
    pub n: u64,
}

impl FeedHead {
    /// Before the first change of an epoch.
    #[must_use]
    pub const fn start(epoch: u64) -> Self {
        Self { epoch, hash: Digest::ZERO, n: 0 }
    }

    /// The place as receipts name it.
    #[must_use]
    pub const fn position(&self) -> FeedPosition {
        FeedPosition { epoch: self.epoch, n: self.n }
    }
}

/// One change: from now on, the subject is so. Applying it twice is applying it once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Change {
    /// When it was made.
    pub at: Timestamp,
    /// What the subject is now; null when it is gone.
    #[serde(serialize_with = "super::payload::serialize")]
    #[schemars(with = "Value")]
    pub payload: Value,
    /// Which.
    pub subject: String,
    /// What it is about.
    pub topic: Topic,
}

/// What a change's hash covers.
#[derive(Serialize)]
struct Link<'a> {
    at: Timestamp,
    #[serde(with = "decimal")]
    epoch: u64,
    #[serde(with = "decimal")]
    n: u64,
    payload: Narrow<'a>,
    prev: Digest,
    subject: &'a str,
    topic: Topic,
}

/// Why changes do not follow a place.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ChainFault {
    /// The batch begins elsewhere: a gap, a replay, or another feed.
    #[error("the changes follow number {found} of epoch {epoch}, here is another place")]
    Elsewhere {
        /// The epoch that they are of.
        epoch: u64,
        /// The number that they follow.
        found: u64,
    },
    /// The head that the batch names is not where its changes lead.
    #[error("the changes do not lead to the head that the batch names")]
    Head,
    /// A payload has no canonical form.
    #[error("change {0} has no canonical form")]
    Form(u64),
    /// There are no more numbers.
    #[error("the feed has no more numbers")]
    Full,
}

impl FeedHead {
    /// The place after `change`.
    ///
    /// # Errors
    /// [`ChainFault`] when it has no canonical form or there is no next number.
    pub fn after(&self, change: &Change) -> Result<Self, ChainFault> {
        let n = self.n.checked_add(1).ok_or(ChainFault::Full)?;
        let Change { at, ref payload, ref subject, topic } = *change;
        let (payload, prev) = (Narrow(payload), self.hash);
        let link = Link { at, epoch: self.epoch, n, payload, prev, subject, topic };
        let hash = canonical::digest(&link).map_err(|_| ChainFault::Form(n))?;
        Ok(Self { epoch: self.epoch, hash, n })
    }
}
