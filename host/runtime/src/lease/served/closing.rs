//! The last word on a lease: in the journal first, then to the server until it has heard it.

use std::sync::Arc;

use soma_policy::feed::LeaseClose;
use soma_policy::{JournalEntry, JournalId, LeaseEvent, LeaseId, LeaseRecord, Timestamp};

use super::Served;
use super::given::Given;
use super::keeping::Keeping;
use crate::journal::{Journal, JournalError};

/// Closes of one request.
const CLOSES_MAX: usize = 256;

/// A lease on which no call runs or will start.
#[derive(Debug, Clone)]
pub(super) struct Closing {
    record: LeaseRecord,
    /// Where the journal says so. The record itself is the last entry that names the lease.
    seq: Option<u64>,
}

impl Closing {
    pub(super) fn of(given: &Arc<Given>, now: Timestamp) -> Self {
        Self { record: given.record(LeaseEvent::Closing, now), seq: None }
    }

    /// Of an earlier run, as the journal tells it.
    pub(super) fn of_record(record: LeaseRecord) -> Self {
        Self { record: LeaseRecord { event: LeaseEvent::Closing, ..record }, seq: None }
    }

    fn lease(&self) -> LeaseId {
        self.record.lease
    }
}

impl Keeping {
    /// The closes that the journal holds and the server has not heard.
    pub(super) fn closes(&self, journal: JournalId) -> Vec<LeaseClose> {
        let close = |closing: &Closing| {
            let lease = closing.lease();
            closing.seq.map(|seq| LeaseClose { journal, lease, seq })
        };
        let most = if self.singly { 1 } else { CLOSES_MAX };
        self.closings.iter().filter_map(close).take(most).collect()
    }
}

impl Served {
    /// Records the last word on each drained lease. It is durable before the server hears it, and after
    /// everything that names the lease.
    pub(in crate::lease) async fn close(
        &self,
        journal: &Journal,
        now: Timestamp,
    ) -> Result<(), JournalError> {
        let due = |closing: &&Closing| closing.seq.is_none();
        let due: Vec<_> = self.keeping.lock().closings.iter().filter(due).cloned().collect();
        let append = |closing: Closing| {
            let record = LeaseRecord { at: now, ..closing.record };
            (record.lease, journal.append(&JournalEntry::Lease(record)))
        };
        let tickets: Vec<_> = due.into_iter().map(append).collect();
        for (lease, ticket) in tickets {
            let seq = Some(ticket.durable().await?.seq);
            let mut keeping = self.keeping.lock();
            let closing = keeping.closings.iter_mut().find(|closing| closing.lease() == lease);
            if let Some(closing) = closing {
                closing.seq = seq;
            }
        }
        Ok(())
    }

    /// The server has heard these, or will never want to.
    pub(super) fn closed(&self, closes: &[LeaseClose], journal: &Journal, now: Timestamp) {
        let mut keeping = self.keeping.lock();
        let heard = |closing: &Closing| closes.iter().any(|close| close.lease == closing.lease());
        let (heard, left) =
            std::mem::take(&mut keeping.closings).into_iter().partition::<Vec<_>, _>(heard);
        keeping.closings = left;
        drop(keeping);
        for closing in heard {
            let record = LeaseRecord { at: now, event: LeaseEvent::Closed, ..closing.record };
            // If it is lost, the next start says the last word once more.
            drop(journal.append(&JournalEntry::Lease(record)));
        }
    }

    /// The server refused a request with these closes. They are sent one by one from then on, and one that is
    /// refused alone is not sent again: the server knows better what became of that lease.
    pub(in crate::lease) fn close_refused(
        &self,
        closes: &[LeaseClose],
        journal: &Journal,
        now: Timestamp,
    ) {
        let singly = std::mem::replace(&mut self.keeping.lock().singly, true);
        if let ([close], true) = (closes, singly) {
            tracing::warn!(lease = %close.lease, "the server refuses the last word on a lease");
            self.closed(closes, journal, now);
        }
    }
}
