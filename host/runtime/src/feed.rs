//! The host's side of the feed: what a server says of installations, publishers, issuers, revocations,
//! kills and terms takes the place of the home's files.
//!
//! Every request is signed by the host ([`FeedClient`]), every answer that decides anything by the feed
//! key that enrolment pinned. What the feed cannot change: the operator's policy, the limits, the list of
//! operators, the root. Nothing here lies on the path of a call: calls ask what was applied before.
//!
//! Deliberately absent: money and the journal's way upward, which use the same client (`lease`, `push`).

mod client;
mod enrol;
mod error;
mod proof;
mod route;
pub(crate) mod secrets;
mod wire;

pub use client::{FeedClient, Request};
pub use enrol::{Joining, enrol};
pub use error::FeedError;

/// Largest answer unless the asker says otherwise.
pub const ANSWER_BYTES_MAX: usize = 8 << 20;
