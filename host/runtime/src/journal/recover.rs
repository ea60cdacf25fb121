//! What a restart owes to the calls that a crash cut off.
//!
//! A start without an end becomes an `interrupted` receipt, settled at its last durable usage mark: what
//! it used after that is unknown, and is nobody's to pay.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use soma_policy::{
    AuditEvent, AuditKind, CallId, JournalEntry, Outcome, Receipt, StartRecord, Timestamp,
    UsageMark,
};

/// Starts whose end has not been seen.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct OpenStarts(BTreeMap<CallId, (StartRecord, Option<UsageMark>)>);

impl OpenStarts {
    /// Takes the next entry of the journal into account.
    pub(crate) fn see(&mut self, entry: &JournalEntry) {
        match entry {
            JournalEntry::Start(start) => {
                self.0.insert(start.facts.call, (start.clone(), None));
            }
            JournalEntry::Usage(mark) => {
                if let Some((_, latest)) = self.0.get_mut(&mark.call) {
                    *latest = Some(mark.clone());
                }
            }
            JournalEntry::Receipt(receipt) => {
                self.0.remove(&receipt.facts.call);
            }
            _ => {}
        }
    }

    /// The receipts that are owed, children before their parents.
    pub(crate) fn interrupted(self) -> impl Iterator<Item = Receipt> {
        self.0.into_values().rev().map(|(start, mark)| interrupted(start, mark))
    }
}

fn interrupted(start: StartRecord, mark: Option<UsageMark>) -> Receipt {
    let (ended_at, usage) = match mark {
        Some(mark) => (mark.at, mark.usage),
        None => (start.facts.started_at, soma_policy::Usage::default()),
    };
    Receipt {
        charge: None,
        denials: Vec::new(),
        denials_dropped: 0,
        ended_at,
        facts: start.facts,
        mapped_peers: Vec::new(),
        outcome: Outcome::Interrupted,
        usage,
        v: Receipt::VERSION,
    }
}

/// The entry that says that a torn tail was cut.
pub(crate) fn repaired(bytes: u64, at: Timestamp) -> JournalEntry {
    JournalEntry::Audit(Box::new(AuditEvent {
        actor: "host".to_owned(),
        at,
        digest: None,
        environment: None,
        event: AuditKind::JournalRepaired,
        org: None,
        subject: format!("{bytes} bytes that were never acknowledged"),
    }))
}

/// The name of an entry's kind, as its canonical form spells it.
pub(crate) const fn kind(entry: &JournalEntry) -> &'static str {
    match entry {
        JournalEntry::Boot(_) => "boot",
        JournalEntry::Start(_) => "start",
        JournalEntry::Usage(_) => "usage",
        JournalEntry::Receipt(_) => "receipt",
        JournalEntry::Denials(_) => "denials",
        JournalEntry::Lease(_) => "lease",
        JournalEntry::Kill(_) => "kill",
        JournalEntry::Uptime(_) => "uptime",
        JournalEntry::Audit(_) => "audit",
    }
}
