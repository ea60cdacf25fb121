//! Hosts as the server sees them: who asks, by the proof that every request of theirs carries.
//!
//! ```text
//! Soma-Host-Proof ─► read (bounded) ─► enrolled key fits ─► method, path, server, age ─► body ─► nonce, once
//! ```
//!
//! What a host may be told is decided by the rooms that tell it; leases, secrets and journals are others'.

#[cfg(test)]
pub(crate) mod fixture;
mod nonces;
mod proof;
#[cfg(test)]
mod tests;

pub(crate) use nonces::Nonces;
pub(crate) use proof::{HostError, HostPrincipal, is_nonce};
