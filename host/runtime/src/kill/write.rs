//! Writing down what was accepted and what was stopped: each document in a file of its own and in the
//! journal. Whatever cannot be written is said, and stands all the same.

use std::sync::Arc;

use soma_capsule::crash_point;
use soma_capsule::dsse::Envelope;
use soma_policy::{Digest, JournalEntry, KillRecord, OrderId, Timestamp, Uptime};

use super::book::{Line, Taken};
use super::receipt::Carried;
use super::{KillReceipt, Kills, StoppedCall};
use crate::journal::JournalError;

impl Kills {
    /// Writes documents to their files and to the journal. They stand already; what can be written to
    /// neither is said, and stands until the host stops.
    pub(super) async fn write_down(&self, lines: Vec<Line>, at: Timestamp, uptime: Uptime) -> bool {
        let tickets: Vec<_> = lines
            .iter()
            .map(|line| self.journal.append(&self.entry(&line.record(), at, uptime)))
            .collect();
        let mut all = true;
        for (line, ticket) in lines.into_iter().zip(tickets) {
            let (folder, copy) = (Arc::clone(&self.folder), line.clone());
            let stored = tokio::task::spawn_blocking(move || folder.store(&copy)).await;
            let stored = stored.unwrap_or_else(|error| Err(std::io::Error::other(error)));
            crash_point!("host.kill.stored");
            let recorded = ticket.durable().await.map(drop);
            all &= self.written(&line, stored, recorded);
        }
        all
    }

    /// The same for what is complete by another list of operators: on this thread.
    pub(super) fn write_down_here(&self, lines: &[Line]) {
        let (at, uptime) = (self.clock.now(), self.uptime.now());
        for line in lines {
            let ticket = self.journal.append(&self.entry(&line.record(), at, uptime));
            self.written(line, self.folder.store(line), ticket.wait().map(drop));
        }
    }

    /// Remembers and tells whether a document is on disk.
    fn written(
        &self,
        line: &Line,
        stored: std::io::Result<()>,
        recorded: Result<(), JournalError>,
    ) -> bool {
        let durable = stored.is_ok() || recorded.is_ok();
        let errors = [stored.err().map(|e| e.to_string()), recorded.err().map(|e| e.to_string())];
        for error in errors.into_iter().flatten() {
            tracing::error!(order = %line.order, %error, "a kill document could not be written down");
        }
        self.book.lock().written(line, durable);
        durable
    }

    fn entry(&self, what: &Record<'_>, at: Timestamp, uptime: Uptime) -> JournalEntry {
        let Record { order, document, envelope, complete } = *what;
        let envelope = String::from_utf8(envelope.to_json()).unwrap_or_default();
        let uptime_ms = uptime.0;
        JournalEntry::Kill(KillRecord { at, complete, document, order, envelope, uptime_ms })
    }

    /// Signs and keeps what was stopped; none if the document stops nothing.
    pub(super) async fn receipt(
        &self,
        taken: &Taken,
        accepted_at: Timestamp,
        uptime: Uptime,
        calls: Vec<StoppedCall>,
    ) -> Option<(KillReceipt, Envelope)> {
        taken.stands.as_ref().filter(|_| taken.changed || !calls.is_empty())?;
        let (order, document) = (taken.order, taken.hash);
        let carried = Carried { accepted_at, document, order, calls };
        let receipt = carried.receipt(self.host);
        let signed = receipt.sign(&self.key);
        let envelope = signed
            .inspect_err(|error| tracing::error!(%order, %error, "a kill receipt is not signed"))
            .ok()?;
        let hash = Digest::of(envelope.unverified_payload());
        let record = Record { order, document: hash, envelope: &envelope, complete: false };
        let ticket = self.journal.append(&self.entry(&record, accepted_at, uptime));
        let (folder, copy) = (Arc::clone(&self.folder), envelope.clone());
        let stored =
            tokio::task::spawn_blocking(move || folder.store_receipt(order, hash, &copy)).await;
        if !matches!(stored, Ok(Ok(()))) && ticket.durable().await.is_err() {
            tracing::error!(%order, "a kill receipt could not be written down");
        }
        crash_point!("host.kill.receipted");
        self.book.lock().keep_receipt(order, envelope.clone());
        Some((receipt, envelope))
    }
}

/// What the journal is told of a document.
struct Record<'a> {
    order: OrderId,
    document: Digest,
    envelope: &'a Envelope,
    complete: bool,
}

impl Line {
    fn record(&self) -> Record<'_> {
        let Self { order, hash, ref envelope, complete, .. } = *self;
        Record { order, document: hash, envelope, complete }
    }
}
