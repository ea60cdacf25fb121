//! A host that may lie: its journal, and batches of it that repeat, skip or fork.

use std::sync::Arc;

use soma_policy::{CallId, Digest, HostId, JournalId, OrderId, Outcome, Receipt, Timestamp, Usage};

use crate::lease::Lease;
use crate::money::fixture;
use crate::offer::Offer;
use crate::settle::Entry;

pub(super) const OUTCOMES: [Outcome; 8] = [
    Outcome::Ok,
    Outcome::GuestError,
    Outcome::Denied,
    Outcome::Trapped,
    Outcome::Interrupted,
    Outcome::Killed(OrderId::from_u128(1)),
    Outcome::InDoubt,
    Outcome::Cancelled,
];

#[derive(Debug, Clone)]
pub(super) struct HostState {
    pub(super) host: HostId,
    pub(super) journal: JournalId,
    pub(super) written: Vec<(Entry, Arc<Receipt>)>,
}

impl HostState {
    pub(super) fn new(n: u128) -> Self {
        let (host, journal) = (HostId::from_u128(100 + n), JournalId::from_u128(200 + n));
        Self { host, journal, written: Vec::new() }
    }

    /// Writes the receipt of a call on this lease, whatever state the lease is in.
    pub(super) fn write(&mut self, receipt: Receipt) {
        let seq = self.written.len() as u64 + 1;
        let prev = self.written.last().map_or(Digest::ZERO, |(entry, _)| entry.hash);
        let hash = Digest::of(format!("{} {seq}", self.journal).as_bytes());
        self.written.push((Entry { hash, prev, seq }, Arc::new(receipt)));
    }

    /// A part of the journal; `twin` adds another entry in the place of one of them.
    pub(super) fn batch(
        &self,
        from: usize,
        count: usize,
        twin: Option<usize>,
    ) -> Vec<(Entry, Arc<Receipt>)> {
        let mut batch: Vec<_> = self.written.iter().skip(from).take(count).cloned().collect();
        if let Some((entry, receipt)) =
            twin.and_then(|at| batch.get(at % batch.len().max(1))).cloned()
        {
            let hash = Digest::of(b"twin");
            batch.push((Entry { hash, ..entry }, receipt));
        }
        batch
    }
}

pub(super) fn receipt(
    lease: &Lease,
    offer: &Offer,
    outcome: usize,
    cpu_us: u64,
    call: u128,
    at: Timestamp,
) -> Receipt {
    let mut receipt = fixture::receipt(lease, offer, OUTCOMES[outcome % OUTCOMES.len()]);
    receipt.usage = Usage { cpu_us, http_sent: cpu_us / 7, ..Usage::default() };
    receipt.facts.call = CallId::from_u128(call);
    receipt.facts.started_at = at;
    receipt
}
