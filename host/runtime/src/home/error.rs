//! What can be wrong with a home. Every message names the path and, where there is one, the way out.

use std::io;
use std::path::PathBuf;

use soma_capsule::oci::OciError;
use soma_policy::Code;

/// Why a home, or a file in it, cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HomeError {
    /// There is no such folder.
    #[error("no home at `{}`; make one with `soma up`", path.display())]
    Missing {
        /// The folder.
        path: PathBuf,
    },
    /// The folder has no `home.toml`: its making was cut short.
    #[error("the home at `{}` is not finished; run `soma up` again to complete it", path.display())]
    Unfinished {
        /// The folder.
        path: PathBuf,
    },
    /// The folder holds something else.
    #[error("`{}` is not a home: it holds `{found}`; choose an empty folder with --home", path.display())]
    Foreign {
        /// The folder.
        path: PathBuf,
        /// What was found in it.
        found: String,
    },
    /// Others than the owner may read or write it.
    #[error("`{}` is open to others (mode {mode:04o}); close it with `chmod go= {}`", path.display(), path.display())]
    Shared {
        /// The file or folder.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// Made by another version of the program.
    #[error("`{}` has schema {found}, this program knows {known}", path.display())]
    Schema {
        /// The file.
        path: PathBuf,
        /// What it says.
        found: u32,
        /// What we know.
        known: u32,
    },
    /// A file that cannot be understood.
    #[error("`{}`: {what}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// Larger than it may be.
    #[error("`{}` is larger than {limit} bytes", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The bound.
        limit: u64,
    },
    /// Another process holds the home.
    #[error("the home at `{}` is in use by {holder}", path.display())]
    InUse {
        /// The folder.
        path: PathBuf,
        /// Who holds it, as far as known.
        holder: String,
    },
    /// A sealed file does not open: another key, or it was changed.
    #[error("`{}` does not open with this home's sealing key; set the secret again", path.display())]
    Sealed {
        /// The file.
        path: PathBuf,
    },
    /// A value that cannot be a secret.
    #[error("a secret's value {rule}")]
    Secret {
        /// The rule that it breaks.
        rule: &'static str,
    },
    /// A signature of the home's own documents is not right.
    #[error("`{}`: {what}", path.display())]
    Untrusted {
        /// The document.
        path: PathBuf,
        /// Why it is not trusted.
        what: String,
    },
    /// A key could not be made, opened or used.
    #[error("key `{}`: {what}", path.display())]
    Key {
        /// The key file.
        path: PathBuf,
        /// What failed.
        what: String,
    },
    /// A capsule of the store is not what was put there.
    #[error("`{}`: {source}", path.display())]
    Stored {
        /// Its layout in the store.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: OciError,
    },
    /// The disk said no.
    #[error("cannot {action} `{}`", path.display())]
    Io {
        /// What was tried: "read", "write", …
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

impl HomeError {
    /// Wraps an I/O error with what was tried on which path.
    pub(crate) fn io(action: &'static str, path: impl Into<PathBuf>, source: io::Error) -> Self {
        Self::Io { action, path: path.into(), source }
    }
}

impl HomeError {
    /// The stable code of this error.
    #[must_use]
    pub fn code(&self) -> Code {
        match self {
            Self::Missing { .. } => Code::NotFound,
            Self::Unfinished { .. } | Self::Io { .. } => Code::HomeIo,
            Self::Foreign { .. } => Code::Exists,
            Self::Shared { .. } => Code::HomeUnsafe,
            Self::InUse { .. } => Code::HomeLocked,
            Self::Key { .. } => Code::KeyFile,
            Self::Untrusted { .. } => Code::TrustStore,
            Self::Schema { .. } | Self::Malformed { .. } | Self::TooLarge { .. } => {
                Code::ConfigurationBad
            }
            Self::Stored { source, .. } => source.code(),
            Self::Sealed { .. } | Self::Secret { .. } => Code::SecretEmpty,
        }
    }
}
