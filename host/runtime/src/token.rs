//! Tokens of callers: ES256 JWTs that name one org, one environment and what they may do.
//!
//! `issue` mints them from the home, `issuers` holds the trusted public keys, `verify` judges a token,
//! `cache` remembers what was judged, `revoked` what was taken back. Times are compared with a clock that the caller hands in.
//!
//! It deliberately knows no roles and no installations: what a token may do is a list of [`Scope`]s, and
//! `soma-policy` decides what follows from them.

mod cache;
mod claims;
mod error;
mod holders;
mod issue;
mod issuers;
mod revoked;
mod verify;
mod withdrawn;

#[cfg(test)]
mod tests;

pub use claims::{Claims, Scope};
pub use error::TokenError;
pub use issue::{Issuer, Minted, TokenAsk};
pub use issuers::{Issuers, KeySet, TrustedIssuer};
pub use revoked::{REVOKED_MAX, Revoked};
pub(crate) use verify::Bearer;
pub use verify::{TokenVerifier, VerifiedToken};
pub(crate) use withdrawn::Withdrawn;

/// Longest life of a token.
pub const LIFE_SECONDS_MAX: u64 = 3600;
/// Difference between clocks that is forgiven.
pub const LEEWAY_SECONDS: u64 = 30;
/// Longest token that is looked at.
pub const TOKEN_BYTES_MAX: usize = 8 * 1024;
