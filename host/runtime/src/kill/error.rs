//! Why an order is not taken, and why a host does not start with the orders that it finds.

use std::path::{Path, PathBuf};

use soma_capsule::dsse::DsseError;
use soma_policy::{Code, OperatorsError, OrderId};

/// Why a signed order or lift is not taken. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum KillRefusal {
    /// It is no signed document of this kind, or a signature is wrong.
    #[error(transparent)]
    Document(#[from] DsseError),
    /// It is longer than any order.
    #[error("an order has at most {bound} bytes, this has {length}")]
    TooLong {
        /// Its length.
        length: usize,
        /// The bound.
        bound: usize,
    },
    /// No operator signed it.
    #[error(transparent)]
    Operators(#[from] OperatorsError),
    /// It does not fit the orders that are here.
    #[error(transparent)]
    State(#[from] soma_policy::KillError),
}

impl KillRefusal {
    /// Its code in the catalogue.
    #[must_use]
    pub fn code(&self) -> Code {
        use soma_policy::KillError as State;
        match self {
            Self::Document(DsseError::Unsigned | DsseError::BadSignature(_)) => Code::KillSigner,
            Self::Operators(_) => Code::KillSigner,
            Self::Document(_) | Self::TooLong { .. } => Code::KillMalformed,
            Self::State(State::Unknown(_)) => Code::KillUnknown,
            Self::State(State::Hash(_) | State::Version(_)) => Code::KillLiftHash,
            Self::State(State::Full) => Code::KillFull,
        }
    }
}

/// Why a host does not start: what must stop is not known for certain, and starting would let it run.
#[derive(Debug, thiserror::Error)]
pub enum KillOpenError {
    /// The folder cannot be read or written.
    #[error("cannot {action} `{path}`: {source}", path = path.display())]
    Disk {
        /// What was tried.
        action: &'static str,
        /// On which path.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A stored order is not what was stored.
    #[error(
        "`{path}` is not a stored kill order ({why}); restore it from a backup, or remove it and apply \
         the signed order again with `soma kill apply`",
        path = path.display()
    )]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// A stored order bears no signature of a present operator.
    #[error(
        "order `{order}` bears no signature of an operator in trust/operators.toml ({why}); list its \
         signer there again, start, have a present operator sign the order (`soma kill sign`) or lift \
         it, and only then remove the signer"
    )]
    Unrecognised {
        /// The order.
        order: OrderId,
        /// What is wrong.
        why: String,
    },
    /// The orders do not fit each other.
    #[error("order `{order}` cannot be taken again: {why}")]
    Refused {
        /// The order.
        order: OrderId,
        /// Why not.
        why: String,
    },
    /// The list of operators.
    #[error(transparent)]
    Home(#[from] crate::home::HomeError),
    /// The host key cannot sign receipts.
    #[error(transparent)]
    Key(#[from] soma_capsule::key::KeyError),
}

impl KillOpenError {
    /// For `map_err`: what was tried, on which path.
    pub(super) fn disk(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        move |source| Self::Disk { action, path: path.to_path_buf(), source }
    }

    /// Its code in the catalogue.
    #[must_use]
    pub fn code(&self) -> Code {
        match self {
            Self::Disk { .. } => Code::JournalWrite,
            Self::Corrupt { .. } | Self::Refused { .. } => Code::KillMalformed,
            Self::Unrecognised { .. } => Code::KillSigner,
            Self::Home(error) => error.code(),
            Self::Key(error) => error.code(),
        }
    }
}
