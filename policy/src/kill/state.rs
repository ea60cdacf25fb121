//! What was ever accepted. It only grows and merges as a union.
//!
//! An order stands if it is complete (enough persons signed) or still within its suspension, and no complete
//! lift of a higher version names its hash. The highest version wins; between an order and a lift of one
//! version the order wins.
//!
//! Completeness is judged when a signature comes, by the quorum of that day, and kept: another list of operators
//! or another quorum later takes back neither an order nor a lift, and brings back none that lapsed.

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
    /// The quorum when it was last signed.
    quorum: usize,
    /// Whether enough persons have signed it.
    complete: bool,
}

impl<T> Entry<T> {
    fn new(document: T, since: Uptime) -> Self {
        Self { document, persons: BTreeSet::new(), since, quorum: usize::MAX, complete: false }
    }

    /// Takes further signatures; true if they are by persons who had not signed.
    fn sign(&mut self, persons: BTreeSet<String>, quorum: usize, now: Uptime) -> bool {
        let before = self.persons.len();
        self.persons.extend(persons);
        self.since = self.since.min(now);
        self.quorum = quorum;
        self.persons.len() > before
    }

    /// Whether it has become complete by this.
    fn completes(&mut self, needed: usize) -> bool {
        let newly = !self.complete && self.persons.len() >= needed;
        self.complete |= newly;
        newly
    }

    /// Takes over what was recorded; true if that is more than was known.
    fn restore(&mut self, complete: bool) -> bool {
        let newly = complete && !self.complete;
        self.complete |= complete;
        newly
    }
}

/// A document: what it is about, and the hash of its canonical form.
pub type DocumentKey = (OrderId, Digest);

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
    orders: BTreeMap<DocumentKey, Entry<KillOrder>>,
    lifts: BTreeMap<DocumentKey, Entry<Lift>>,
    /// Documents that became complete and were not yet told of.
    completed: BTreeSet<DocumentKey>,
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
        let Signed { document, persons, quorum } = signed;
        let key = (document.id, document.hash());
        let known = self.orders.contains_key(&key);
        self.room_for(known)?;
        let entry = self.orders.entry(key).or_insert_with(|| Entry::new(document, now));
        let signed = entry.sign(persons, quorum, now);
        let needed = entry.document.scope.needs(quorum);
        let completed = entry.completes(needed);
        if completed {
            self.completed.insert(key);
        }
        self.judge_lifts(key);
        Ok(!known || signed || completed)
    }

    /// Takes a lift, or more signatures of one. True if that changed anything.
    ///
    /// A lift may come before its order: it is kept, and judged when the order is here. So nothing is refused
    /// for what it names; whoever takes a lift from a person asks [`Self::check_lift`] first.
    ///
    /// # Errors
    /// When there are too many documents.
    pub fn accept_lift(&mut self, signed: Signed<Lift>, now: Uptime) -> Result<bool, KillError> {
        let Signed { document, persons, quorum } = signed;
        let (key, lifts) = ((document.order, document.hash()), (document.order, document.lifts));
        let known = self.lifts.contains_key(&key);
        self.room_for(known)?;
        let entry = self.lifts.entry(key).or_insert_with(|| Entry::new(document, now));
        let (signed, before) = (entry.sign(persons, quorum, now), entry.complete);
        self.judge_lifts(lifts);
        Ok(!known || signed || self.was_complete(&key) != before)
    }

    /// Completes the lifts of an order that enough persons signed.
    fn judge_lifts(&mut self, order: DocumentKey) {
        let Some(scope) = self.orders.get(&order).map(|entry| entry.document.scope.clone()) else {
            return;
        };
        for (key, entry) in self.lifts.range_mut(all_of(order.0)) {
            let names = entry.document.lifts == order.1;
            if names && entry.completes(scope.needs(entry.quorum)) {
                self.completed.insert(*key);
            }
        }
    }

    /// Takes an order that was taken before, with the persons whose signatures can still be proven (nobody, if
    /// they are no operators now) and with what was recorded of it.
    ///
    /// # Errors
    /// When there are too many documents.
    pub fn restore_order(
        &mut self,
        order: KillOrder,
        persons: BTreeSet<String>,
        since: Uptime,
        complete: bool,
    ) -> Result<bool, KillError> {
        let key = (order.id, order.hash());
        let signed = Signed { document: order, persons, quorum: usize::MAX };
        let changed = self.accept_order(signed, since)?;
        let entry = self.orders.get_mut(&key);
        Ok(entry.is_some_and(|entry| entry.restore(complete)) || changed)
    }

    /// The same for a lift.
    ///
    /// # Errors
    /// When there are too many documents.
    pub fn restore_lift(
        &mut self,
        lift: Lift,
        persons: BTreeSet<String>,
        since: Uptime,
        complete: bool,
    ) -> Result<bool, KillError> {
        let key = (lift.order, lift.hash());
        let signed = Signed { document: lift, persons, quorum: usize::MAX };
        let changed = self.accept_lift(signed, since)?;
        let entry = self.lifts.get_mut(&key);
        Ok(entry.is_some_and(|entry| entry.restore(complete)) || changed)
    }

    /// Judges what is suspended by another list of operators: a lower quorum may complete it.
    pub fn judge_by(&mut self, operators: &Operators, now: Uptime) {
        for (key, entry) in &mut self.orders {
            let suspended = now < lapse_of(entry.since);
            if suspended && entry.completes(operators.needed(&entry.document.scope)) {
                self.completed.insert(*key);
            }
        }
    }

    /// The documents that became complete since this was last asked: each of them is to be recorded.
    pub fn take_completed(&mut self) -> BTreeSet<DocumentKey> {
        std::mem::take(&mut self.completed)
    }

    /// Whether enough persons have ever signed a document.
    #[must_use]
    pub fn was_complete(&self, key: &DocumentKey) -> bool {
        let order = self.orders.get(key).is_some_and(|entry| entry.complete);
        order || self.lifts.get(key).is_some_and(|entry| entry.complete)
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
            standing: self.standing(entry, now),
        };
        self.orders.values().map(status).collect()
    }

    /// How an order stands at `now`; `None` if it is not here.
    #[must_use]
    pub fn standing_of(&self, key: &DocumentKey, now: Uptime) -> Option<Standing> {
        self.orders.get(key).map(|entry| self.standing(entry, now))
    }

    /// What stands at `now`.
    #[must_use]
    pub fn set(&self, now: Uptime) -> KillSet {
        let stands = |entry: &&Entry<KillOrder>| {
            matches!(self.standing(entry, now), Standing::Complete | Standing::Suspended { .. })
        };
        let standing = self.orders.values().filter(stands);
        KillSet::of(standing.map(|entry| (&entry.document.scope, entry.document.id)))
    }

    /// The next uptime at which a suspension lapses.
    #[must_use]
    pub fn next_lapse(&self, now: Uptime) -> Option<Uptime> {
        let until = |entry| match self.standing(entry, now) {
            Standing::Suspended { until } => Some(until),
            _ => None,
        };
        self.orders.values().filter_map(until).min()
    }

    fn standing(&self, entry: &Entry<KillOrder>, now: Uptime) -> Standing {
        if self.is_lifted(&entry.document) {
            return Standing::Lifted;
        }
        if entry.complete {
            return Standing::Complete;
        }
        let until = lapse_of(entry.since);
        if now < until { Standing::Suspended { until } } else { Standing::Lapsed }
    }

    fn is_lifted(&self, order: &KillOrder) -> bool {
        let hash = order.hash();
        let lifts = |entry: &Entry<Lift>| {
            let lift = &entry.document;
            lift.lifts == hash && lift.version > order.version && entry.complete
        };
        self.lifts.range(all_of(order.id)).any(|(_, entry)| lifts(entry))
    }
}

/// When what came at `since` lapses, unless it is complete.
const fn lapse_of(since: Uptime) -> Uptime {
    Uptime(since.0.saturating_add(SUSPENSION.0))
}

/// The keys of all documents of one id.
fn all_of(id: OrderId) -> std::ops::RangeInclusive<DocumentKey> {
    (id, Digest::ZERO)..=(id, Digest::from_bytes([0xff; 32]))
}
