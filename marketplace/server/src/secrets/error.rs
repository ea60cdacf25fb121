//! Why a secret is not set, removed or sent. No message holds a value.

use soma_policy::Code;

use crate::store::StoreError;

/// What went wrong with a secret.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SecretError {
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// There is none of that name.
    #[error("there is no such secret")]
    Missing,
    /// Somebody was quicker, or it is not there any more.
    #[error("it has another version now")]
    Stale,
    /// It is there, and the caller does not say which version is replaced.
    #[error("the secret has a value; send If-Match with the version that it replaces")]
    Unseen,
    /// The environment is full.
    #[error("an environment has at most {0} secrets")]
    TooMany(u64),
    /// Keys or sealing.
    #[error("the value cannot be sealed or opened")]
    Failed,
}

impl SecretError {
    /// The stable code of this refusal.
    pub(crate) const fn code(&self) -> Code {
        match self {
            Self::Store(_) => Code::StoreDown,
            Self::Missing => Code::NotFound,
            Self::Stale => Code::PreconditionFailed,
            Self::Unseen => Code::PreconditionMissing,
            Self::TooMany(_) => Code::TooMany,
            Self::Failed => Code::HostFailure,
        }
    }
}
