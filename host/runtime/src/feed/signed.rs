//! What the feed key signed, read: the one door from the server's bytes to what this host believes.

use serde::{Deserialize, Serialize};
use soma_capsule::dsse::{self, Envelope};
use soma_capsule::key::PublicKey;
use soma_policy::feed::{
    BATCH_CHANGES_MAX, Batch, EpochRaise, Heartbeat, ReleaseApproval, Snapshot, kind,
};
use soma_policy::{Digest, HostId};

use super::FeedError;
use crate::home::Server;

/// Largest snapshot: the most installations of a host, spelled out.
pub(super) const SNAPSHOT_BYTES_MAX: usize = 256 << 20;

/// The feed key, and the deployment that must be named by what it signs.
#[derive(Debug, Clone)]
pub(crate) struct Signed {
    deployment: String,
    key: PublicKey,
}

/// What the server answers to whoever asks for changes.
#[derive(Debug)]
pub(super) enum News {
    Batch(Batch),
    Snapshot(Snapshot),
}

impl Signed {
    pub(crate) fn by(server: &Server) -> Self {
        Self { deployment: server.deployment.clone(), key: server.feed_key.clone() }
    }

    /// A document of any kind whose own fields say whose it is.
    pub(super) fn read<T>(&self, kind: &str, envelope: &Envelope) -> Result<T, FeedError>
    where
        T: Serialize + for<'de> Deserialize<'de>,
    {
        Ok(dsse::verify(envelope, kind, std::slice::from_ref(&self.key))?.read()?)
    }

    /// A batch or a snapshot.
    pub(super) fn news(&self, bytes: &[u8]) -> Result<News, FeedError> {
        let envelope = Envelope::from_json_within(bytes, SNAPSHOT_BYTES_MAX)?;
        if envelope.payload_type() == dsse::payload_type(kind::SNAPSHOT) {
            let snapshot: Snapshot = self.read(kind::SNAPSHOT, &envelope)?;
            self.ours(&snapshot.deployment)?;
            sorted(&snapshot)?;
            return Ok(News::Snapshot(snapshot));
        }
        let batch: Batch = self.read(kind::BATCH, &envelope)?;
        self.ours(&batch.deployment)?;
        if batch.changes.len() > BATCH_CHANGES_MAX {
            let what = format!("a batch has more than {BATCH_CHANGES_MAX} changes");
            return Err(FeedError::Unfit(what));
        }
        Ok(News::Batch(batch))
    }

    /// A heartbeat for this host, over the nonce that it sent.
    pub(super) fn heartbeat(
        &self,
        bytes: &[u8],
        host: HostId,
        nonce: &str,
    ) -> Result<Heartbeat, FeedError> {
        let beat: Heartbeat = self.read(kind::HEARTBEAT, &Envelope::from_json(bytes)?)?;
        self.ours(&beat.deployment)?;
        if beat.host != host || beat.nonce != nonce {
            return Err(FeedError::Unfit("the heartbeat answers another request".to_owned()));
        }
        Ok(beat)
    }

    /// The marketplace's word that a component is a release.
    pub(crate) fn approval(
        &self,
        bytes: &[u8],
        digest: &Digest,
    ) -> Result<ReleaseApproval, FeedError> {
        let approval: ReleaseApproval = self.read(kind::APPROVAL, &Envelope::from_json(bytes)?)?;
        self.ours(&approval.deployment)?;
        if approval.digest != *digest {
            return Err(FeedError::Unfit(format!("the approval is of {}", approval.digest)));
        }
        Ok(approval)
    }

    /// The root's word that a new epoch began.
    pub(super) fn epoch(&self, bytes: &[u8], root: &PublicKey) -> Result<EpochRaise, FeedError> {
        let envelope = Envelope::from_json(bytes)?;
        let raise: EpochRaise =
            dsse::verify(&envelope, kind::EPOCH, std::slice::from_ref(root))?.read()?;
        self.ours(&raise.deployment)?;
        Ok(raise)
    }

    fn ours(&self, deployment: &str) -> Result<(), FeedError> {
        if deployment == self.deployment {
            return Ok(());
        }
        let found = deployment.escape_debug().to_string();
        Err(FeedError::Unfit(format!("it is of another deployment, `{found}`")))
    }
}

/// By topic and subject, ascending, each once: a snapshot has one form.
fn sorted(snapshot: &Snapshot) -> Result<(), FeedError> {
    let ascending = snapshot.items.windows(2).all(|pair| match pair {
        [a, b] => (a.topic.as_str(), &a.subject) < (b.topic.as_str(), &b.subject),
        _ => true,
    });
    if ascending {
        return Ok(());
    }
    Err(FeedError::Unfit("the snapshot names a subject twice, or out of order".to_owned()))
}
