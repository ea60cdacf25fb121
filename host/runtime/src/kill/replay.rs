//! What the journal knows of orders and of uptime.

use serde::{Deserialize, Serialize};
use soma_capsule::dsse::{self, Envelope};
use soma_policy::{JournalEntry, KillRecord, Uptime};

use super::document::RECEIPT_KIND;
use super::error::KillOpenError;

/// Gathers kill records while the journal is replayed.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KillReplay {
    records: Vec<KillRecord>,
    uptime: Uptime,
}

impl KillReplay {
    /// Takes the next entry of the journal into account.
    pub fn see(&mut self, entry: &JournalEntry) {
        match entry {
            JournalEntry::Kill(record) => {
                self.saw(Uptime(record.uptime_ms));
                self.records.push(record.clone());
            }
            JournalEntry::Uptime(mark) => self.saw(Uptime(mark.uptime_ms)),
            _ => {}
        }
    }

    fn saw(&mut self, uptime: Uptime) {
        self.uptime = self.uptime.max(uptime);
    }

    /// Leaves out receipts, which are evidence and stand in files of their own.
    #[must_use]
    pub fn compacted(mut self) -> Self {
        let kind = dsse::payload_type(RECEIPT_KIND);
        let is_receipt = |record: &KillRecord| {
            let envelope = Envelope::from_json(record.envelope.as_bytes());
            envelope.is_ok_and(|envelope| envelope.payload_type() == kind)
        };
        self.records.retain(|record| !is_receipt(record));
        self
    }

    /// The latest uptime on record.
    pub(super) fn uptime(&self) -> Uptime {
        self.uptime
    }

    /// The orders and lifts on record.
    pub(super) fn documents(self) -> Result<Vec<Recorded>, KillOpenError> {
        let mut documents = Vec::new();
        for record in self.records {
            let envelope = Envelope::from_json(record.envelope.as_bytes()).map_err(|error| {
                KillOpenError::Refused { order: record.order, why: error.to_string() }
            })?;
            if envelope.payload_type() != dsse::payload_type(RECEIPT_KIND) {
                let (since, complete) = (Uptime(record.uptime_ms), record.complete);
                documents.push(Recorded { envelope, since, complete });
            }
        }
        Ok(documents)
    }
}

/// A document as the host recorded it.
#[derive(Debug)]
pub(super) struct Recorded {
    pub(super) envelope: Envelope,
    /// Uptime when it came.
    pub(super) since: Uptime,
    /// Whether it had been signed to its quorum.
    pub(super) complete: bool,
}
