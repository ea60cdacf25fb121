//! The documents that the feed key signs.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::change::{ChainFault, Change, FeedHead, Topic};
use crate::id::{CapsuleName, Digest, HostId, OrgId, Timestamp};
use crate::text::decimal;

/// Kinds of documents: `application/vnd.soma.KIND.v1+json`.
pub mod kind {
    /// [`super::Batch`].
    pub const BATCH: &str = "feed-batch";
    /// [`super::Snapshot`].
    pub const SNAPSHOT: &str = "feed-snapshot";
    /// [`super::Heartbeat`].
    pub const HEARTBEAT: &str = "feed-heartbeat";
    /// [`super::EpochRaise`], signed by the root key.
    pub const EPOCH: &str = "feed-epoch";
    /// [`super::ReleaseApproval`].
    pub const APPROVAL: &str = "release-approval";
    /// [`crate::feed::HostProof`], signed by a host.
    pub const PROOF: &str = "host-proof";
    /// [`crate::feed::LeaseAnswer`].
    pub const LEASES: &str = "host-leases";
    /// [`crate::feed::JournalAck`].
    pub const ACK: &str = "journal-ack";
    /// [`crate::feed::Passport`], signed by a review host.
    pub const PASSPORT: &str = "conformance-passport";
    /// [`crate::feed::Secrets`].
    pub const SECRETS: &str = "host-secrets";
}

/// Changes in a row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Batch {
    /// In their order, at most [`super::BATCH_CHANGES_MAX`].
    pub changes: Vec<Change>,
    /// Which server.
    pub deployment: String,
    /// What the first one follows.
    pub from: FeedHead,
    /// The last one.
    pub head: FeedHead,
}

impl Batch {
    /// Whether the changes follow `here` and lead to the head that the batch names.
    ///
    /// # Errors
    /// [`ChainFault`]; nothing of the batch may be applied then.
    pub fn check(&self, here: &FeedHead) -> Result<(), ChainFault> {
        if self.from != *here {
            return Err(ChainFault::Elsewhere { epoch: self.from.epoch, found: self.from.n });
        }
        let head = self.changes.iter().try_fold(*here, |head, change| head.after(change))?;
        if head == self.head { Ok(()) } else { Err(ChainFault::Head) }
    }
}

/// One subject as it is at a snapshot's head.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Item {
    /// What it is.
    #[serde(serialize_with = "super::payload::serialize")]
    #[schemars(with = "Value")]
    pub payload: Value,
    /// Which.
    pub subject: String,
    /// What it is about.
    pub topic: Topic,
}

/// Everything as it is at one place of the feed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Snapshot {
    /// Which server.
    pub deployment: String,
    /// The place.
    pub head: FeedHead,
    /// By topic and subject, ascending, each once.
    pub items: Vec<Item>,
}

/// Proof that the server is there and how far its feed is, over a nonce that the host drew.
///
/// It is fresh from when the host *sent* the nonce, and only once the host has applied the head that it names:
/// a feed that is held back proves nothing, and neither does an answer that is held back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Heartbeat {
    /// The server's clock.
    pub at: Timestamp,
    /// Which server.
    pub deployment: String,
    /// How far the feed is.
    pub head: FeedHead,
    /// For whom.
    pub host: HostId,
    /// Of the host's request.
    pub nonce: String,
}

/// That a restored server begins anew: signed by the root key, which no server needs to run.
///
/// A host that applied changes of an older epoch takes a snapshot of this one, and of no other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EpochRaise {
    /// When it was signed.
    pub at: Timestamp,
    /// Which server.
    pub deployment: String,
    /// The new epoch.
    #[serde(with = "decimal")]
    #[schemars(with = "String")]
    pub epoch: u64,
}

/// The marketplace's countersignature: this digest is that release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReleaseApproval {
    /// When it was published.
    pub at: Timestamp,
    /// The capsule.
    pub capsule: CapsuleName,
    /// Which server.
    pub deployment: String,
    /// The component.
    pub digest: Digest,
    /// The org that published it.
    pub owner: OrgId,
    /// The release.
    #[schemars(with = "String")]
    pub version: semver::Version,
}
