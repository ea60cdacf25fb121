//! Why a backup, a restore or a move did not come about.

use std::path::{Path, PathBuf};

use soma_capsule::dsse::DsseError;
use soma_policy::Code;

use crate::server::OpenError;
use crate::store::StoreError;

/// What went wrong.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ContinuityError {
    /// The database.
    #[error("the database: {0}")]
    Store(#[from] StoreError),
    /// The configuration does not fit what was asked for.
    #[error("{0}")]
    Configuration(String),
    /// The target of a move holds something.
    #[error("the database is not empty: the table `{table}` holds rows that a new one has not")]
    NotEmpty {
        /// The first such table.
        table: String,
    },
    /// The move was done before.
    #[error("the data of this deployment is in that database already; the file is closed")]
    MovedAlready,
    /// The target may or may not have taken everything.
    #[error("PostgreSQL did not say whether it took everything; the file stays closed: {0}")]
    Unclear(StoreError),
    /// A chain does not hold.
    #[error("the chain `{chain}` is not sound: {what}")]
    Unsound {
        /// Which chain.
        chain: &'static str,
        /// The first finding.
        what: String,
    },
    /// The archive is not one, is not whole, or was changed.
    #[error("the backup cannot be used: {0}")]
    Bad(String),
    /// The passphrase, or what it opens.
    #[error("the keys of the backup do not open: wrong passphrase, or they were changed")]
    Passphrase,
    /// A passphrase that protects nothing.
    #[error("the passphrase of a backup has at least {0} characters")]
    WeakPassphrase(usize),
    /// Something is there already.
    #[error("`{}` is there already", .0.display())]
    Exists(PathBuf),
    /// Something changes faster than it can be copied.
    #[error("`{0}` changes all the time; try again, or stop the host")]
    Busy(String),
    /// Something in the home that no backup can hold.
    #[error("`{path}` {what}")]
    Unfit {
        /// The path in the home.
        path: String,
        /// What is wrong with it.
        what: String,
    },
    /// The disk.
    #[error("`{}` could not be {what}: {cause}", .path.display())]
    Disk {
        /// The file.
        path: PathBuf,
        /// What was tried.
        what: &'static str,
        /// Why not.
        cause: std::io::Error,
    },
    /// The server's keys.
    #[error(transparent)]
    Keys(#[from] OpenError),
    /// The document of the new epoch.
    #[error("the new epoch does not count: {0}")]
    Epoch(String),
    /// Something could not be signed.
    #[error("the backup could not be signed: {0}")]
    Signing(#[from] DsseError),
}

impl ContinuityError {
    /// The stable code of it.
    #[must_use]
    pub fn code(&self) -> Code {
        match self {
            Self::Store(StoreError::Schema(_) | StoreError::Unsafe(_) | StoreError::Closed)
            | Self::Configuration(_) => Code::ConfigurationBad,
            Self::Store(_) | Self::Unclear(_) => Code::StoreDown,
            Self::NotEmpty { .. } | Self::MovedAlready => Code::DatabaseNotEmpty,
            Self::Unsound { .. } | Self::Bad(_) | Self::Passphrase | Self::Epoch(_) => {
                Code::BackupBad
            }
            Self::WeakPassphrase(_) => Code::WeakPassword,
            Self::Exists(_) => Code::Exists,
            Self::Busy(_) => Code::Busy,
            Self::Unfit { .. } | Self::Disk { .. } => Code::HomeIo,
            Self::Keys(_) => Code::ConfigurationBad,
            Self::Signing(error) => error.code(),
        }
    }

    /// Names the file that the disk refused.
    pub(super) fn disk(
        what: &'static str,
        path: &Path,
    ) -> impl FnOnce(std::io::Error) -> Self + use<> {
        let path = path.to_owned();
        move |cause| Self::Disk { path, what, cause }
    }

    pub(super) fn bad(what: impl Into<String>) -> Self {
        Self::Bad(what.into())
    }
}
