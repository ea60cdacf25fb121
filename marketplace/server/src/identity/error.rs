//! Why a token is not taken. Messages name the rule and never the token.

use soma_policy::Code;

/// Why a token is refused, or could not be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TokenError {
    /// There is none.
    #[error("the request carries no bearer token")]
    Missing,
    /// It has another form.
    #[error("this is not a token: {0}")]
    Malformed(&'static str),
    /// No key of ours has this name any more.
    #[error("no key of this server has the name that the token gives")]
    UnknownKey,
    /// The signature is not right.
    #[error("the token's signature is wrong")]
    Signature,
    /// Issuer or audience are not ours.
    #[error("the token was not minted here, or not for here")]
    Foreign,
    /// A claim is missing or has the wrong form.
    #[error("a claim of the token is missing or has the wrong form")]
    Claims,
    /// Too late.
    #[error("the token expired {0} s ago")]
    Expired(u64),
    /// Too early.
    #[error("the token is not valid yet")]
    NotYet,
    /// Lives longer than a token may.
    #[error("the token lives longer than an hour")]
    TooLong,
    /// Revoked.
    #[error("the token was revoked")]
    Revoked,
    /// No key signs now, or signing failed.
    #[error("no token can be signed now")]
    Signing,
}

impl TokenError {
    pub(crate) fn code(&self) -> Code {
        match self {
            Self::Missing => Code::TokenMissing,
            Self::Malformed(_) | Self::Claims => Code::TokenMalformed,
            Self::UnknownKey | Self::Signature => Code::TokenSignature,
            Self::Foreign => Code::TokenAudience,
            Self::Expired(_) | Self::NotYet => Code::TokenExpired,
            Self::TooLong => Code::TokenLifetime,
            Self::Revoked => Code::TokenRevoked,
            Self::Signing => Code::NotReady,
        }
    }
}
