//! What hosts are told: committed changes in one chain, and the whole of it for who has lost the place.
//!
//! ```text
//! effect + change (one transaction) ─► sequencer: number, hash, state (one transaction) ─► Batch | Snapshot, signed
//!                                                                     └─► Heartbeat: how far it is, over a nonce
//! ```
//!
//! The types, the chain and the rules of freshness are soma-policy's. Nothing here decides what is installed,
//! revoked or killed; those rooms write changes, and this one hands them on.

mod answer;
mod epoch;
mod heartbeat;
mod issuers;
mod number;
#[cfg(test)]
mod tests;

pub(crate) use answer::{Made, Place};
pub(crate) use epoch::{EpochError, FeedEpoch};
pub(crate) use number::{change, number};

use bytes::Bytes;
use soma_capsule::dsse;
use soma_policy::Code;

use crate::server::Server;
use crate::store::StoreError;

/// Why a host is told nothing.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FeedError {
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Committed changes wait for a number: nobody can say how far the feed is.
    #[error("the sequencer is behind; what it would say is not the whole of it")]
    Behind,
    /// The host has applied what this server never said.
    #[error(
        "the host has applied what is not in this feed; if the server was restored, raise the epoch"
    )]
    Forked,
    /// More than hosts read as one document.
    #[error("a document of {0} bytes is larger than hosts read")]
    TooLarge(usize),
    /// The server's key.
    #[error("a document could not be signed")]
    Signing,
}

impl FeedError {
    /// The stable code of this refusal.
    pub(crate) fn code(&self) -> Code {
        match self {
            Self::Store(_) | Self::Behind => Code::StoreDown,
            Self::Forked => Code::FeedForked,
            Self::TooLarge(_) | Self::Signing => Code::HostFailure,
        }
    }
}

/// Largest snapshot: what a host reads at most, about 60,000 installations. All other documents are ordinary ones.
const SNAPSHOT_BYTES_MAX: usize = 256 << 20;

impl Server {
    /// A document for hosts, signed by the feed key: the envelope as JSON.
    pub(crate) fn signed<T: serde::Serialize>(
        &self,
        kind: &str,
        document: &T,
    ) -> Result<Bytes, FeedError> {
        self.signed_within(kind, document, dsse::ENVELOPE_BYTES_MAX)
    }

    fn signed_within<T: serde::Serialize>(
        &self,
        kind: &str,
        document: &T,
        bytes_max: usize,
    ) -> Result<Bytes, FeedError> {
        let envelope = dsse::sign_document(kind, document, &[&self.feed_key]);
        let bytes = envelope.map_err(|_| FeedError::Signing)?.to_json();
        match bytes.len() {
            length if length > bytes_max => Err(FeedError::TooLarge(length)),
            _ => Ok(bytes.into()),
        }
    }
}
