//! Who somebody is and what they may do: passwords, second factors, roles, tokens and their keys.
//!
//! Everything here takes time, ids and rows as values; the flows that join them with the store are
//! in `login/`. A right is a [`Cap`] in a verified token and nothing else.

mod assurance;
mod cap;
mod claims;
mod error;
mod keyring;
mod password;
mod principal;
mod role;
mod seal;
mod secret;
mod totp;

pub(crate) use assurance::Assurance;
pub(crate) use cap::{Cap, CapSet};
pub(crate) use claims::{Claims, Subject};
pub(crate) use error::TokenError;
pub(crate) use keyring::{Keyring, LIFE_SECONDS_MAX, NewKey};
pub use password::PasswordCost;
pub(crate) use password::{GivenPassword, PasswordError, Passwords, judge_password};
pub(crate) use principal::Principal;
pub(crate) use role::Role;
pub(crate) use seal::Sealer;
pub(crate) use secret::{ApiKeyText, SecretText, same_secret, secret_hash};
pub(crate) use soma_policy::AccountId;
pub(crate) use totp::TotpSecret;
