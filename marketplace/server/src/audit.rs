//! The record: what is written about, how entries are chained, and how anyone finds out that one was
//! changed, removed or signed again.
//!
//! A transaction writes its entry unchained; the sequencer chains committed entries in batches and
//! signs heads, which are kept in the database and outside of it. Entries name pseudonymous ids, so
//! erasing a person leaves the chain valid.

mod act;
mod alarm;
mod chain;
mod checkpoint;
mod sequencer;
#[cfg(test)]
mod tests;
mod verify;

pub(crate) use act::Act;
pub(crate) use chain::{START, delta};
pub(crate) use sequencer::Sequencer;
pub use verify::{AuditFinding, Verification};
pub(crate) use verify::{Signer, read_kept, walk};
