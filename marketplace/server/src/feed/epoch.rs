//! A new epoch of the feed: after a restore the numbers that hosts know are given again, so their feed is
//! begun anew, by the root key alone.

use serde::{Deserialize, Serialize};
use serde_json::json;
use soma_capsule::dsse::{self, DsseError, Envelope};
use soma_policy::{Code, Timestamp, decimal};

use crate::audit::Act;
use crate::server::Server;
use crate::store::{PlatformScope, StoreError};
use crate::trust::{TrustError, root};

const SCOPE: PlatformScope = PlatformScope::of("feed epoch");

/// What the root key signs, as a document of kind `feed-epoch`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FeedEpoch {
    /// When it was signed.
    pub(crate) at: Timestamp,
    /// Which server.
    pub(crate) deployment: String,
    /// The epoch that begins: above the one before.
    #[serde(with = "decimal")]
    pub(crate) epoch: u64,
}

impl FeedEpoch {
    /// The kind of the signed document.
    pub(crate) const KIND: &'static str = "feed-epoch";
    /// The longest one.
    const BYTES_MAX: usize = 16 << 10;
    /// Further than this nobody jumps: the highest epoch must never be used up.
    const STEP_MAX: u64 = 1000;
}

/// Why no epoch begins.
#[derive(Debug, thiserror::Error)]
pub(crate) enum EpochError {
    /// It is no document of the root.
    #[error(transparent)]
    Document(#[from] DsseError),
    /// The root is not pinned here.
    #[error(transparent)]
    Trust(#[from] TrustError),
    /// It says something that does not fit.
    #[error("{0}")]
    Unfit(String),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl EpochError {
    /// The stable code of this refusal.
    pub(crate) fn code(&self) -> Code {
        match self {
            Self::Document(error) => error.code(),
            Self::Trust(error) => error.code(),
            Self::Unfit(_) => Code::FieldBad,
            Self::Store(_) => Code::StoreDown,
        }
    }
}

impl Server {
    /// Begins the epoch that a signed document names.
    pub(crate) async fn raise_epoch(&self, document: &[u8]) -> Result<FeedEpoch, EpochError> {
        if document.len() > FeedEpoch::BYTES_MAX {
            return Err(EpochError::Unfit("the document has at most 16 KiB".to_owned()));
        }
        let root = root(&self.trust).await?;
        let envelope = Envelope::from_json(document)?;
        let proven = dsse::verify(&envelope, FeedEpoch::KIND, std::slice::from_ref(&root))?;
        let said: FeedEpoch = proven.read()?;
        if said.deployment != self.deployment {
            return Err(EpochError::Unfit("`deployment`: it is for another server".to_owned()));
        }
        let mut unit = self.store.platform(SCOPE).await?;
        let head = super::answer::head(&mut unit).await?;
        if said.epoch <= head.epoch || said.epoch - head.epoch > FeedEpoch::STEP_MAX {
            let (from, to) = (head.epoch + 1, head.epoch + FeedEpoch::STEP_MAX);
            return Err(EpochError::Unfit(format!("`epoch`: the next one is from {from} to {to}")));
        }
        let text = String::from_utf8(proven.proven().to_json()).unwrap_or_default();
        if !unit.raise_epoch(said.epoch, &text, self.now()).await? {
            return Err(EpochError::Unfit("`epoch`: another one began meanwhile".to_owned()));
        }
        let detail = json!({ "from": head.epoch.to_string(), "n": head.n.to_string() });
        let actor = format!("root:{}", root.fingerprint());
        let entry = self.note(&self.platform, &actor, Act::EpochRaised, said.epoch, &detail);
        unit.audit(&entry).await?;
        unit.commit().await?;
        self.bell.notify_one();
        self.numbered.send_replace(head.n);
        Ok(said)
    }

    /// The root's document for the epoch that is, if it did not begin with the database.
    pub(crate) async fn epoch_document(&self) -> Result<Option<String>, StoreError> {
        let mut unit = self.store.survey(SCOPE).await?;
        let head = super::answer::head(&mut unit).await?;
        unit.epoch_document(head.epoch).await
    }
}
