//! The kill switch on the server: signed orders and lifts are taken from operators and hosts, kept for good,
//! told to every host in the same transaction, and followed by what they mean for the marketplace.
//!
//! What authorises a document is the operators' signatures under the root that is pinned here, never a token.
//! Documents merge as a union: the same ones in any order lead to the same state. Hosts carry orders out, and
//! a suspension runs by a host's uptime; what this server says of one is by its own clock, for people alone.

mod book;
mod radius;
mod receipts;
mod take;
#[cfg(test)]
mod tests;
mod wanted;

pub(crate) use book::OrderView;
pub(crate) use radius::{Live, Radius};
pub(crate) use take::{Giver, Taken};
pub(crate) use wanted::Wanted;

use soma_capsule::kill::KillRefusal;
use soma_policy::{Code, OrderId};

use crate::store::StoreError;
use crate::trust::TrustError;

/// Why an order, a lift or a receipt is not taken.
#[derive(Debug, thiserror::Error)]
pub(crate) enum KillsError {
    /// The document does not count.
    #[error(transparent)]
    Refused(#[from] KillRefusal),
    /// Nobody here can say who the operators are.
    #[error(transparent)]
    Trust(#[from] TrustError),
    /// The path names another order, or one that is not known.
    #[error("this server knows no order `{0}`")]
    Unknown(OrderId),
    /// The path names another order than the document.
    #[error("the document is about order `{0}`")]
    Other(OrderId),
    /// A host's receipt that is not one.
    #[error("the receipt does not count: {0}")]
    Receipt(&'static str),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl KillsError {
    /// The stable code of this refusal.
    pub(crate) fn code(&self) -> Code {
        match self {
            Self::Refused(refused) => refused.code(),
            Self::Trust(error) => error.code(),
            Self::Unknown(_) => Code::KillUnknown,
            Self::Other(_) | Self::Receipt(_) => Code::KillMalformed,
            Self::Store(_) => Code::StoreDown,
        }
    }
}
