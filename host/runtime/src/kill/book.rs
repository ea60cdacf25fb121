//! The book of orders in memory: the rules' state, each document's envelope, and receipts.
//!
//! What is taken again after a restart, or under other operators, stands in `restore.rs`.

mod restore;

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use soma_capsule::dsse::Envelope;
use soma_policy::{
    Digest, DocumentKey, KillOrder, KillScope, KillSet, KillState, Operators, OrderId, Standing,
    Uptime,
};

use super::document::{Checked, Document};
use super::error::KillRefusal;
use super::state;

/// Receipts that are kept in memory of one order.
const RECEIPTS_MAX: usize = 64;

/// A document that is kept.
struct Kept {
    envelope: Envelope,
    since: Uptime,
}

/// All documents and receipts.
#[derive(Default)]
pub(super) struct Book {
    state: KillState,
    kept: BTreeMap<DocumentKey, Kept>,
    receipts: BTreeMap<OrderId, Vec<Envelope>>,
    /// Documents that could not be written down: tried again when they come again.
    unwritten: BTreeSet<DocumentKey>,
    /// When the next suspension lapses.
    pub(super) lapse: Option<Uptime>,
    marked: Uptime,
}

/// A document that was taken.
pub(super) struct Taken {
    pub(super) order: OrderId,
    pub(super) hash: Digest,
    /// Whether it, or a signature, is new.
    pub(super) changed: bool,
    /// What must be written down: itself, and what is complete by it.
    pub(super) lines: Vec<Line>,
    /// Persons who signed this document, as far as this copy of it says.
    pub(super) signed: usize,
    /// What must stop, if it is an order that stands now.
    pub(super) stands: Option<KillScope>,
}

/// A document as it is written down, with every signature that is known.
#[derive(Debug, Clone)]
pub(super) struct Line {
    pub(super) order: OrderId,
    pub(super) hash: Digest,
    pub(super) envelope: Envelope,
    pub(super) since: Uptime,
    pub(super) complete: bool,
}

/// An order as people see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OrderView {
    /// The order.
    pub order: KillOrder,
    /// `complete`, `suspended`, `lapsed` or `lifted`.
    pub state: &'static str,
    /// Who signed it.
    pub persons: Vec<String>,
    /// How many persons must.
    pub needed: usize,
    /// How long a suspension still runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lapses_in_ms: Option<String>,
    /// How many receipts this host gave for it.
    pub receipts: usize,
}

impl Book {
    /// What a lower quorum completes of what is suspended, to be written down.
    pub(super) fn judge_by(&mut self, operators: &Operators, now: Uptime) -> Vec<Line> {
        self.state.judge_by(operators, now);
        let completed = self.state.take_completed();
        completed.iter().filter_map(|key| self.line(key)).collect()
    }

    fn line(&self, key: &DocumentKey) -> Option<Line> {
        let Kept { envelope, since } = self.kept.get(key)?;
        let ((order, hash), complete) = (*key, self.state.was_complete(key));
        Some(Line { order, hash, envelope: envelope.clone(), since: *since, complete })
    }

    /// Whether a document that a person submits would do something: a lift that names another order than
    /// is known here is refused, though a copy of it that comes from elsewhere is kept.
    pub(super) fn fits(&self, document: &Document) -> Result<(), KillRefusal> {
        match document {
            Document::Order(_) => Ok(()),
            Document::Lift(lift) => Ok(self.state.check_lift(lift.document())?),
        }
    }

    /// Takes a checked document. Nothing changes if it is refused.
    pub(super) fn take(&mut self, checked: Checked, now: Uptime) -> Result<Taken, KillRefusal> {
        let Checked { document, envelope, hash } = checked;
        let (order, scope) = (document.order(), document.scope().cloned());
        let kept = self.merged(&(order, hash), envelope, now)?;
        let (signed, changed) = match document {
            Document::Order(signed) => {
                (signed.persons().len(), self.state.accept_order(signed, now)?)
            }
            Document::Lift(signed) => {
                (signed.persons().len(), self.state.accept_lift(signed, now)?)
            }
        };
        self.kept.insert((order, hash), kept);
        let mut write = self.state.take_completed();
        if changed || self.unwritten.contains(&(order, hash)) {
            write.insert((order, hash));
        }
        let lines = write.iter().filter_map(|key| self.line(key)).collect();
        let stands = scope.filter(|_| self.stands(now, order, hash));
        Ok(Taken { order, hash, changed, lines, signed, stands })
    }

    /// The document with the signatures that are already kept of it, and its first arrival.
    fn merged(
        &self,
        key: &DocumentKey,
        mut envelope: Envelope,
        mut since: Uptime,
    ) -> Result<Kept, KillRefusal> {
        if let Some(kept) = self.kept.get(key) {
            envelope.merge(&kept.envelope)?;
            since = since.min(kept.since);
        }
        Ok(Kept { envelope, since })
    }

    /// Whether an order of this hash stands.
    fn stands(&self, now: Uptime, order: OrderId, hash: Digest) -> bool {
        let standing = self.state.standing_of(&(order, hash), now);
        matches!(standing, Some(Standing::Complete | Standing::Suspended { .. }))
    }

    /// The latest arrival of any document: uptime is at least that.
    pub(super) fn latest(&self) -> Uptime {
        self.kept.values().map(|kept| kept.since).max().unwrap_or_default()
    }

    /// Remembers whether a document is on disk.
    pub(super) fn written(&mut self, line: &Line, durable: bool) {
        let key = (line.order, line.hash);
        match durable {
            true => self.unwritten.remove(&key),
            false => self.unwritten.insert(key),
        };
    }

    /// What stands at `now`; remembers when that next changes by itself.
    pub(super) fn set(&mut self, now: Uptime) -> KillSet {
        self.lapse = self.state.next_lapse(now);
        self.state.set(now)
    }

    /// Whether uptime should be recorded; it then counts as recorded.
    pub(super) fn mark_due(&mut self, now: Uptime, every: u64) -> bool {
        let due = now.since(self.marked).0 >= every;
        if due {
            self.marked = now;
        }
        due
    }

    pub(super) fn list(&self, operators: &Operators, now: Uptime) -> Vec<OrderView> {
        let statuses = self.state.statuses(operators, now).into_iter();
        let view = |status: soma_policy::OrderStatus<'_>| OrderView {
            order: status.order.clone(),
            state: state(status.standing),
            persons: status.persons.iter().cloned().collect(),
            needed: status.needed,
            lapses_in_ms: match status.standing {
                Standing::Suspended { until } => Some(until.since(now).0.to_string()),
                _ => None,
            },
            receipts: self.receipts.get(&status.order.id).map_or(0, Vec::len),
        };
        statuses.map(view).collect()
    }

    pub(super) fn order(&self, order: OrderId) -> Option<KillOrder> {
        self.state.order(order).ok().cloned()
    }

    pub(super) fn keep_receipt(&mut self, order: OrderId, receipt: Envelope) {
        let receipts = self.receipts.entry(order).or_default();
        if receipts.len() >= RECEIPTS_MAX {
            receipts.remove(0);
        }
        receipts.push(receipt);
    }

    pub(super) fn documents(&self) -> Vec<Envelope> {
        self.kept.values().map(|kept| kept.envelope.clone()).collect()
    }

    pub(super) fn all_receipts(&self) -> Vec<Envelope> {
        self.receipts.values().flatten().cloned().collect()
    }

    pub(super) fn receipts(&self, order: OrderId) -> Vec<Envelope> {
        self.receipts.get(&order).cloned().unwrap_or_default()
    }
}
