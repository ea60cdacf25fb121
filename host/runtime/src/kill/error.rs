//! Why an order is not taken, and why a host does not start with the orders that it finds.

use std::path::{Path, PathBuf};

pub use soma_capsule::kill::KillRefusal;
use soma_policy::{Code, OrderId};

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
