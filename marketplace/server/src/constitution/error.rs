//! Why a constitution is not taken or not found.

use soma_capsule::constitution::ConstitutionRefusal;
use soma_policy::Code;

use crate::store::StoreError;
use crate::trust::TrustError;

/// A refusal, or a failure below.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConstitutionError {
    /// The document does not count.
    #[error(transparent)]
    Refused(#[from] ConstitutionRefusal),
    /// Nobody here can say who the operators are.
    #[error(transparent)]
    Trust(#[from] TrustError),
    /// The path names another one than the document.
    #[error("the document is `{0}`")]
    Other(soma_policy::Digest),
    /// It is not known.
    #[error("this server knows no constitution `{0}`")]
    Unknown(String),
    /// Too many wait already.
    #[error("{0} proposals for this number wait already")]
    Crowded(usize),
    /// A task of ours.
    #[error("{0}")]
    Failed(String),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl ConstitutionError {
    /// The stable code of this refusal.
    pub(crate) fn code(&self) -> Code {
        match self {
            Self::Refused(refused) => refused.code(),
            Self::Trust(error) => error.code(),
            Self::Other(_) => Code::ConstitutionMalformed,
            Self::Unknown(_) => Code::ConstitutionUnknown,
            Self::Crowded(_) => Code::TooMany,
            Self::Failed(_) => Code::HostFailure,
            Self::Store(_) => Code::StoreDown,
        }
    }
}
