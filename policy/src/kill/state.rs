//! What was ever accepted. It only grows and merges as a union.
//!
//! An order stands if it is complete (enough persons signed) or still within its suspension, and no complete
//! lift of a higher version names its hash. The highest version wins; between an order and a lift of one
//! version the order wins.

use std::collections::{BTreeMap, BTreeSet};

use super::{KillOrder, KillSet, Lift, Operators, Signed};
use crate::amount::Millis;
use crate::id::{Digest, OrderId, Uptime};

/// How long an incomplete wide order works, in host uptime.
pub const SUSPENSION: Millis = Millis(3_600_000);
/// Documents that a host keeps at most.
const DOCUMENTS_MAX: usize = 10_000;

#[derive(Debug, Clone, PartialEq, Eq)]
struct Entry<T> {
    document: T,
    persons: BTreeSet<String>,
    /// Host uptime of the first arrival.
    since: Uptime,
}

/// Whether an order holds, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Signed by as many persons as it takes: never lapses.
    Complete,
    /// Signed by fewer: works until this uptime.
    Suspended {
        /// When it lapses.
        until: Uptime,
    },
    /// A suspension that was not signed to its quorum in time.
    Lapsed,
    /// Lifted by a complete lift.
    Lifted,
}

/// An order as people see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderStatus<'a> {
    /// The order.
    pub order: &'a KillOrder,
    /// Who signed it.
    pub persons: &'a BTreeSet<String>,
    /// How many must.
    pub needed: usize,
    /// Whether it holds.
    pub standing: Standing,
}

/// Why a document is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KillError {
    /// The order that a lift names is not known here.
    #[error("no order `{0}` is known here")]
    Unknown(OrderId),
    /// The lift names another hash than the order has.
    #[error("the lift names another document than order `{0}`")]
    Hash(OrderId),
    /// The lift's version is not above the order's.
    #[error("the lift of order `{0}` must have a higher version than it")]
    Version(OrderId),
    /// There are too many documents.
    #[error("this host keeps no more than {DOCUMENTS_MAX} kill documents")]
    Full,
}

/// All orders and lifts of a host.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct KillState {
    orders: BTreeMap<(OrderId, Digest), Entry<KillOrder>>,
    lifts: BTreeMap<(OrderId, Digest), Entry<Lift>>,
}

impl KillState {
    /// Takes an order, or more signatures of one. True if that changed anything.
    ///
    /// # Errors
    /// When the host keeps too many documents.
    pub fn accept_order(
        &mut self,
        signed: Signed<KillOrder>,
        now: Uptime,
    ) -> Result<bool, KillError> {
        let key = (signed.document.id, signed.document.hash());
        self.room_for(self.orders.contains_key(&key))?;
        Ok(merge(&mut self.orders, key, signed, now))
    }

    /// Takes a lift, or more signatures of one. True if that changed anything.
    ///
    /// A lift may come before its order: it is kept, and judged when the order is here. So nothing is refused
    /// for what it names; whoever takes a lift from a person asks [`Self::check_lift`] first.
    ///
    /// # Errors
    /// When there are too many documents.
    pub fn accept_lift(&mut self, signed: Signed<Lift>, now: Uptime) -> Result<bool, KillError> {
        let lift = &signed.document;
        let key = (lift.order, lift.hash());
        self.room_for(self.lifts.contains_key(&key))?;
        Ok(merge(&mut self.lifts, key, signed, now))
    }

    /// Whether a lift would lift an order that is known here: for the person who submits it.
    ///
    /// # Errors
    /// When the order is here and the lift does not name it, or its version is not above the order's.
    pub fn check_lift(&self, lift: &Lift) -> Result<(), KillError> {
        let mut known = self.of_id(lift.order).peekable();
        if known.peek().is_none() {
            return Ok(());
        }
        match known.find(|order| order.hash() == lift.lifts) {
            None => Err(KillError::Hash(lift.order)),
            Some(order) if lift.version <= order.version => Err(KillError::Version(lift.order)),
            Some(_) => Ok(()),
        }
    }

    fn room_for(&self, known: bool) -> Result<(), KillError> {
        let full = self.orders.len() + self.lifts.len() >= DOCUMENTS_MAX;
        if full && !known { Err(KillError::Full) } else { Ok(()) }
    }

    fn of_id(&self, id: OrderId) -> impl Iterator<Item = &KillOrder> {
        self.orders.range(all_of(id)).map(|(_, entry)| &entry.document)
    }

    /// The order of an id: the one of the highest version.
    ///
    /// # Errors
    /// When there is none.
    pub fn order(&self, id: OrderId) -> Result<&KillOrder, KillError> {
        self.of_id(id).max_by_key(|order| order.version).ok_or(KillError::Unknown(id))
    }

    /// Every order with its standing at `now`, oldest id first.
    #[must_use]
    pub fn statuses<'a>(&'a self, operators: &Operators, now: Uptime) -> Vec<OrderStatus<'a>> {
        let status = |entry: &'a Entry<KillOrder>| OrderStatus {
            order: &entry.document,
            persons: &entry.persons,
            needed: operators.needed(&entry.document.scope),
            standing: self.standing(entry, operators, now),
        };
        self.orders.values().map(status).collect()
    }

    /// What stands at `now`.
    #[must_use]
    pub fn set(&self, operators: &Operators, now: Uptime) -> KillSet {
        let stands = |entry: &&Entry<KillOrder>| {
            matches!(
                self.standing(entry, operators, now),
                Standing::Complete | Standing::Suspended { .. }
            )
        };
        let standing = self.orders.values().filter(stands);
        KillSet::of(standing.map(|entry| (&entry.document.scope, entry.document.id)))
    }

    /// The next uptime at which a suspension lapses.
    #[must_use]
    pub fn next_lapse(&self, operators: &Operators, now: Uptime) -> Option<Uptime> {
        let until = |entry| match self.standing(entry, operators, now) {
            Standing::Suspended { until } => Some(until),
            _ => None,
        };
        self.orders.values().filter_map(until).min()
    }

    fn standing(&self, entry: &Entry<KillOrder>, operators: &Operators, now: Uptime) -> Standing {
        let needed = operators.needed(&entry.document.scope);
        if self.is_lifted(&entry.document, needed) {
            return Standing::Lifted;
        }
        if entry.persons.len() >= needed {
            return Standing::Complete;
        }
        let until = Uptime(entry.since.0.saturating_add(SUSPENSION.0));
        if now < until { Standing::Suspended { until } } else { Standing::Lapsed }
    }

    fn is_lifted(&self, order: &KillOrder, needed: usize) -> bool {
        let hash = order.hash();
        let lifts = |entry: &Entry<Lift>| {
            let lift = &entry.document;
            lift.lifts == hash && lift.version > order.version && entry.persons.len() >= needed
        };
        self.lifts.range(all_of(order.id)).any(|(_, entry)| lifts(entry))
    }
}

/// The keys of all documents of one id.
fn all_of(id: OrderId) -> std::ops::RangeInclusive<(OrderId, Digest)> {
    (id, Digest::ZERO)..=(id, Digest::from_bytes([0xff; 32]))
}

fn merge<T>(
    into: &mut BTreeMap<(OrderId, Digest), Entry<T>>,
    key: (OrderId, Digest),
    signed: Signed<T>,
    now: Uptime,
) -> bool {
    let Signed { document, persons } = signed;
    match into.get_mut(&key) {
        Some(entry) => {
            let before = entry.persons.len();
            entry.persons.extend(persons);
            entry.since = entry.since.min(now);
            entry.persons.len() > before
        }
        None => {
            into.insert(key, Entry { document, persons, since: now });
            true
        }
    }
}
