//! The book of orders in memory: the rules' state, each document's envelope, and receipts.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use soma_capsule::dsse::Envelope;
use soma_policy::{
    Digest, KillOrder, KillScope, KillSet, KillState, Operators, OrderId, Standing, Uptime,
};

use super::document::{Checked, Document, Trusted};
use super::error::{KillOpenError, KillRefusal};
use super::receipt::KillReceipt;
use super::replay::KillReplay;
use super::state;
use super::store::Folder;

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
    kept: BTreeMap<(OrderId, Digest), Kept>,
    receipts: BTreeMap<OrderId, Vec<Envelope>>,
    /// Documents that could not be written down: tried again when they come again.
    unwritten: BTreeSet<(OrderId, Digest)>,
    /// When the next suspension lapses.
    pub(super) lapse: Option<Uptime>,
    marked: Uptime,
}

/// A document that was taken.
pub(super) struct Taken {
    pub(super) order: OrderId,
    pub(super) hash: Digest,
    /// With every signature that is known.
    pub(super) envelope: Envelope,
    pub(super) since: Uptime,
    /// Whether it, or a signature, is new.
    pub(super) changed: bool,
    /// Whether it must be written down.
    pub(super) write: bool,
    /// Persons who signed this document, as far as this copy of it says.
    pub(super) signed: usize,
    /// What must stop, if it is an order that stands now.
    pub(super) stands: Option<KillScope>,
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
    /// Reads what was stored and what the journal recorded; whatever is in either counts. A document
    /// that only the journal has is stored again.
    pub(super) fn read(
        folder: &Folder,
        trusted: &Trusted,
        replayed: KillReplay,
    ) -> Result<Self, KillOpenError> {
        let mut book = Self { marked: replayed.uptime(), ..Self::default() };
        let mut unproven = Vec::new();
        for (_, envelope, since) in folder.documents()? {
            if let Err(refused) = book.restore(trusted, &envelope, since) {
                unproven.push((envelope, refused));
            }
        }
        for (envelope, since) in replayed.documents()? {
            match book.restore(trusted, &envelope, since) {
                Ok(taken) if taken.changed => store_again(folder, &taken)?,
                Ok(_) => {}
                Err(refused) => unproven.push((envelope, refused)),
            }
        }
        book.nothing_dropped(unproven)?;
        for receipt in folder.receipts()? {
            if let Some(read) = KillReceipt::stored(&receipt) {
                book.keep_receipt(read.order, receipt);
            }
        }
        Ok(book)
    }

    fn restore(
        &mut self,
        trusted: &Trusted,
        envelope: &Envelope,
        since: Uptime,
    ) -> Result<Taken, KillRefusal> {
        let checked = trusted.check_kept(envelope)?;
        self.take(checked, &trusted.operators, since)
    }

    /// A copy that cannot be proven any more, because its signer is no operator now, is passed over only
    /// if another copy of the same document is.
    fn nothing_dropped(&self, unproven: Vec<(Envelope, KillRefusal)>) -> Result<(), KillOpenError> {
        for (envelope, refused) in unproven {
            let order = claimed_order(&envelope);
            let hash = Digest::of(envelope.unverified_payload());
            if !self.kept.contains_key(&(order, hash)) {
                let why = refused.to_string();
                return Err(match refused {
                    KillRefusal::State(_) => KillOpenError::Refused { order, why },
                    _ => KillOpenError::Unrecognised { order, why },
                });
            }
        }
        Ok(())
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
    pub(super) fn take(
        &mut self,
        checked: Checked,
        operators: &Operators,
        now: Uptime,
    ) -> Result<Taken, KillRefusal> {
        let Checked { document, envelope, hash } = checked;
        let order = document.order();
        let scope = document.scope().cloned();
        let (envelope, since) = self.merged((order, hash), envelope, now)?;
        let (signed, changed) = match document {
            Document::Order(signed) => {
                (signed.persons().len(), self.state.accept_order(signed, now)?)
            }
            Document::Lift(signed) => {
                (signed.persons().len(), self.state.accept_lift(signed, now)?)
            }
        };
        self.kept.insert((order, hash), Kept { envelope: envelope.clone(), since });
        let standing = self.standing(operators, now, hash);
        let stands = matches!(standing, Some(Standing::Complete | Standing::Suspended { .. }));
        let stands = scope.filter(|_| stands);
        let write = changed || self.unwritten.contains(&(order, hash));
        Ok(Taken { order, hash, envelope, since, changed, write, signed, stands })
    }

    /// The document with the signatures that are already kept of it, and its first arrival.
    fn merged(
        &self,
        key: (OrderId, Digest),
        mut envelope: Envelope,
        now: Uptime,
    ) -> Result<(Envelope, Uptime), KillRefusal> {
        let mut since = now;
        if let Some(kept) = self.kept.get(&key) {
            envelope.merge(&kept.envelope)?;
            since = since.min(kept.since);
        }
        Ok((envelope, since))
    }

    fn standing(&self, operators: &Operators, now: Uptime, hash: Digest) -> Option<Standing> {
        let statuses = self.state.statuses(operators, now);
        statuses
            .into_iter()
            .find(|status| status.order.hash() == hash)
            .map(|status| status.standing)
    }

    /// The latest arrival of any document: uptime is at least that.
    pub(super) fn latest(&self) -> Uptime {
        self.kept.values().map(|kept| kept.since).max().unwrap_or_default()
    }

    /// Remembers whether a document is on disk.
    pub(super) fn written(&mut self, taken: &Taken, durable: bool) {
        let key = (taken.order, taken.hash);
        match durable {
            true => self.unwritten.remove(&key),
            false => self.unwritten.insert(key),
        };
    }

    /// What stands at `now`; remembers when that next changes by itself.
    pub(super) fn set(&mut self, operators: &Operators, now: Uptime) -> KillSet {
        self.lapse = self.state.next_lapse(operators, now);
        self.state.set(operators, now)
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

    pub(super) fn receipts(&self, order: OrderId) -> Vec<Envelope> {
        self.receipts.get(&order).cloned().unwrap_or_default()
    }
}

/// Stores a document that only the journal had.
fn store_again(folder: &Folder, taken: &Taken) -> Result<(), KillOpenError> {
    let Taken { order, hash, envelope, since, .. } = taken;
    folder
        .store(*order, *hash, envelope, *since)
        .map_err(|error| KillOpenError::Refused { order: *order, why: error.to_string() })
}

/// The order that an unchecked document says it is about, for messages only.
fn claimed_order(envelope: &Envelope) -> OrderId {
    let document: serde_json::Value =
        serde_json::from_slice(envelope.unverified_payload()).unwrap_or_default();
    let id = document.get("order").or_else(|| document.get("id")).and_then(|id| id.as_str());
    id.and_then(|id| id.parse().ok()).unwrap_or(OrderId::from_u128(0))
}
