//! The host's side of the feed: what a server says of installations, publishers, issuers, revocations,
//! kills and terms takes the place of the home's files.
//!
//! Every request is signed by the host ([`FeedClient`]), every answer that decides anything by the feed
//! key that enrolment pinned. What the feed cannot change: the operator's policy, the limits, the list of
//! operators, the root. Nothing here lies on the path of a call: calls ask what was applied before.
//!
//! Deliberately absent: money and the journal's way upward, which use the same client (`lease`, `push`).

mod apply;
mod beat;
mod check;
mod client;
mod disk;
mod enrol;
mod error;
mod fetch;
mod following;
mod freshness;
mod held;
mod proof;
mod read;
mod route;
pub(crate) mod secrets;
mod signed;
#[cfg(test)]
mod tests;
mod upward;
mod wire;

use std::sync::Arc;

pub(crate) use apply::first;
pub use client::{FeedClient, Request};
pub use enrol::{Joining, enrol};
pub use error::FeedError;
pub(crate) use following::Feed;
pub use following::FeedStatus;
pub(crate) use held::Held;
pub(crate) use proof::nonce;
pub(crate) use signed::Signed;
use soma_policy::feed::HostRole;

use crate::host::Host;

/// Changes that were read and wait to be applied, in batches.
const STEPS_MAX: usize = 4;

/// Largest answer unless the asker says otherwise.
pub const ANSWER_BYTES_MAX: usize = 8 << 20;

/// Starts the tasks; they end with the host. A host that only reviews hears of no installation, and says that it
/// is there.
pub(crate) fn start(host: &Arc<Host>, feed: &Arc<Feed>) {
    let (weak, control) = (Arc::downgrade(host), host.control());
    if feed.role() == HostRole::Host {
        let (send, steps) = tokio::sync::mpsc::channel(STEPS_MAX);
        control.spawn(apply::apply(weak.clone(), Arc::clone(feed), steps));
        control.spawn(read::read(weak.clone(), Arc::clone(feed), send));
        control.spawn(upward::pass(weak.clone(), Arc::clone(feed)));
    }
    control.spawn(beat::beat(weak, Arc::clone(feed)));
}
