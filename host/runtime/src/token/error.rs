//! Why a token is not taken. Messages name the rule and never the token.

use std::path::PathBuf;

use soma_policy::Code;

/// Why a token, or a list of issuers, is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TokenError {
    /// Not a token at all.
    #[error("this is not a token: {what}")]
    Malformed {
        /// What is wrong with its form.
        what: &'static str,
    },
    /// Another algorithm than the one that is allowed.
    #[error("the token is signed with `{found}`; only ES256 is taken")]
    Algorithm {
        /// What its header says.
        found: String,
    },
    /// No trusted key has this name.
    #[error("the token's key `{kid}` is not in trust/issuers.jwks")]
    UnknownKey {
        /// The key's name, cut to a sane length.
        kid: String,
    },
    /// The signature is not right.
    #[error("the token's signature is wrong")]
    Signature,
    /// The key belongs to another issuer.
    #[error("the token's issuer is not the owner of its key")]
    WrongIssuer,
    /// For another host.
    #[error("the token is for another host")]
    WrongAudience,
    /// A claim is missing or has the wrong form.
    #[error("the token's claims are not right: {what}")]
    Claims {
        /// Which claim.
        what: String,
    },
    /// Too late.
    #[error("the token expired {seconds} s ago; mint a new one with `soma token new`")]
    Expired {
        /// How long ago.
        seconds: u64,
    },
    /// Too early.
    #[error("the token is not valid yet")]
    NotYet,
    /// Lives longer than a token may.
    #[error("the token lives {seconds} s; at most {} s are allowed", super::LIFE_SECONDS_MAX)]
    TooLong {
        /// How long.
        seconds: u64,
    },
    /// An unknown thing to be allowed.
    #[error("`{given}` is not a scope; one of `call:ID`, `call:*`, `read:calls`, `operate`")]
    Scope {
        /// What was given.
        given: String,
    },
    /// The list of issuers is not usable.
    #[error("`{}`: {what}", path.display())]
    Issuers {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// Taken back.
    #[error("the token was revoked")]
    Revoked,
    /// The list of revoked tokens is not usable.
    #[error("`{}`: {what}", path.display())]
    Revocations {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// The list of revoked tokens is full.
    #[error("{} tokens are revoked already; replace the issuer's key instead", super::REVOKED_MAX)]
    RevocationsFull,
    /// Signing failed.
    #[error("the token could not be signed")]
    Signing,
}

impl TokenError {
    /// The stable code of this refusal.
    #[must_use]
    pub fn code(&self) -> Code {
        match self {
            Self::Malformed { .. } | Self::Algorithm { .. } | Self::Claims { .. } => {
                Code::TokenMalformed
            }
            Self::UnknownKey { .. } | Self::Signature => Code::TokenSignature,
            Self::WrongIssuer => Code::TokenIssuer,
            Self::WrongAudience => Code::TokenAudience,
            Self::Expired { .. } | Self::NotYet => Code::TokenExpired,
            Self::TooLong { .. } => Code::TokenLifetime,
            Self::Scope { .. } => Code::Usage,
            Self::Revoked => Code::TokenRevoked,
            Self::Issuers { .. } | Self::Revocations { .. } | Self::RevocationsFull => {
                Code::TrustStore
            }
            Self::Signing => Code::KeyFile,
        }
    }
}
