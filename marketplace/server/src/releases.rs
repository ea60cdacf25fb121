//! From what is submitted to what is in the catalogue: submission, examination, review, publication, withdrawal.
//!
//! ```text
//! submit ─► examine (no transaction) ─► one transaction: submitted, verifying, reported, judged, published
//! ```
//!
//! Each step is a rule of soma-market on the release's record, and each transaction keeps the last one by a
//! conditional update: of two at once, one is told that it was changed in the meantime. Files are `packages`'.

mod behaviour;
mod facts;
mod judge;
mod killed;
mod names;
mod publish;
mod submit;
mod withdraw;

pub(crate) use facts::{approved, approved_of, facts_of};
pub(crate) use judge::ReviewWish;
pub(crate) use names::{add_signing_key, complete_transfers, tell_keys};
pub(crate) use submit::Given;
pub(crate) use withdraw::Withdrawal;
