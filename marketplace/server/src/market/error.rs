//! Why something of the marketplace was not done.

use soma_capsule::VerifyError;
use soma_market::Refusal;
use soma_policy::Code;

use crate::packages::PackageError;
use crate::store::StoreError;

/// A refusal of the rules, of verification, or a failure below.
#[derive(Debug, thiserror::Error)]
pub(crate) enum MarketError {
    /// The rules say no.
    #[error(transparent)]
    Refused(#[from] Box<Refusal>),
    /// The package is not what it should be.
    #[error(transparent)]
    Verify(#[from] Box<VerifyError>),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The component files.
    #[error(transparent)]
    Package(#[from] PackageError),
    /// It is not there.
    #[error("{1}")]
    Unknown(Code, String),
    /// Somebody else changed it in the meantime.
    #[error("it was changed in the meantime")]
    Raced,
    /// Too many at once.
    #[error("{0}")]
    Busy(&'static str),
    /// A key or a task of ours.
    #[error("{0}")]
    Failed(String),
}

impl From<Refusal> for MarketError {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(Box::new(refusal))
    }
}

impl From<VerifyError> for MarketError {
    fn from(error: VerifyError) -> Self {
        Self::Verify(Box::new(error))
    }
}

impl MarketError {
    pub(crate) fn unknown(code: Code, what: impl Into<String>) -> Self {
        Self::Unknown(code, what.into())
    }

    pub(crate) fn failed(cause: impl std::fmt::Display) -> Self {
        Self::Failed(cause.to_string())
    }
}
