//! What a host says that it stopped, made from the calls that it cut.

use soma_policy::{Digest, HostId, OrderId, Timestamp};

pub use soma_capsule::kill::{KillReceipt, Micros, StoppedCall};

/// Calls that a receipt lists; more are counted.
const CALLS_MAX: usize = 2000;

/// What a receipt is made of.
pub(super) struct Carried {
    pub(super) accepted_at: Timestamp,
    pub(super) document: Digest,
    pub(super) order: OrderId,
    pub(super) calls: Vec<StoppedCall>,
}

impl Carried {
    /// The receipt of this host for it.
    pub(super) fn receipt(self, host: HostId) -> KillReceipt {
        let Self { accepted_at, document, order, mut calls } = self;
        let took_us = calls.iter().filter_map(|call| call.stopped_us).max().map_or(0, |us| us.0);
        // Those that still run come first, then by time.
        calls.sort_by_key(|call| std::cmp::Reverse(call.stopped_us.map_or(u64::MAX, |us| us.0)));
        let stopped = u32::try_from(calls.len()).unwrap_or(u32::MAX);
        calls.truncate(CALLS_MAX);
        let v = KillReceipt::VERSION;
        KillReceipt { accepted_at, calls, document, host, order, stopped, took_us, v }
    }
}
