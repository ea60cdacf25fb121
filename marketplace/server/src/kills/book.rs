//! What was ever taken, as the rules see it: made anew from the rows, under the operators of today.

use std::collections::{BTreeMap, BTreeSet};

use soma_capsule::dsse::Envelope;
use soma_capsule::kill::{Document, Trusted, Vouched};
use soma_policy::{
    DocumentKey, KillOrder, KillSet, KillState, OrderId, Standing, Timestamp, Uptime,
};

use crate::store::{KillRow, StoreError};

/// Documents with their envelopes.
#[derive(Debug, Default)]
pub(super) struct Book {
    pub(super) state: KillState,
    pub(super) kept: BTreeMap<DocumentKey, (Envelope, Timestamp)>,
}

/// An order as people see it.
#[derive(Debug, Clone)]
pub(crate) struct OrderView {
    pub(crate) order: KillOrder,
    /// `complete`, `suspended`, `lapsed` or `lifted`.
    pub(crate) state: &'static str,
    pub(crate) persons: BTreeSet<String>,
    pub(crate) needed: usize,
    /// How long a suspension still runs, by the server's clock.
    pub(crate) lapses_in_ms: Option<u64>,
}

/// The server's clock in place of a host's uptime.
pub(super) fn clock(now: Timestamp) -> Uptime {
    Uptime(now.0)
}

/// The name of a standing.
pub(crate) fn state(standing: Option<Standing>) -> &'static str {
    match standing {
        None => "unknown",
        Some(Standing::Complete) => "complete",
        Some(Standing::Suspended { .. }) => "suspended",
        Some(Standing::Lapsed) => "lapsed",
        Some(Standing::Lifted) => "lifted",
    }
}

impl Book {
    /// Reads rows again. Who signed counts as far as it can still be proven; what was complete stays so.
    pub(super) fn of(rows: &[KillRow], trusted: &Trusted) -> Result<Self, StoreError> {
        let mut book = Self::default();
        for row in rows {
            book.read(row, trusted)?;
        }
        book.state.take_completed();
        Ok(book)
    }

    fn read(&mut self, row: &KillRow, trusted: &Trusted) -> Result<(), StoreError> {
        let corrupt = || StoreError::Corrupt { column: "envelope", expected: "a kill document" };
        let envelope = Envelope::from_json(row.envelope.as_bytes()).map_err(|_| corrupt())?;
        let vouched = Vouched::read(&envelope).ok_or_else(corrupt)?;
        let since = clock(row.since);
        let proven = trusted.check_envelope(&envelope).ok().map(|checked| checked.document);
        let taken = match (vouched, proven) {
            (Vouched::Order(order), proven) => {
                let persons = match proven {
                    Some(Document::Order(signed)) => signed.into_parts().1,
                    _ => BTreeSet::new(),
                };
                self.state.restore_order(order, persons, since, row.complete)
            }
            (Vouched::Lift(lift), Some(Document::Lift(signed))) => {
                // A lift that came before its order is judged when that comes.
                self.state.accept_lift(signed, since).and_then(|_| {
                    self.state.restore_lift(lift, BTreeSet::new(), since, row.complete)
                })
            }
            (Vouched::Lift(lift), _) => {
                self.state.restore_lift(lift, BTreeSet::new(), since, row.complete)
            }
        };
        taken.map_err(|_| corrupt())?;
        self.kept.insert((row.order, row.hash), (envelope, row.since));
        Ok(())
    }

    /// A document as it is kept from now on.
    pub(super) fn row(&self, key: &DocumentKey) -> Option<KillRow> {
        let (envelope, since) = self.kept.get(key)?;
        let is_lift = matches!(Vouched::read(envelope)?, Vouched::Lift(_));
        let complete = self.state.was_complete(key);
        let text = String::from_utf8(envelope.to_json()).ok()?;
        let ((order, hash), since) = (*key, *since);
        Some(KillRow { order, hash, is_lift, envelope: text, complete, since })
    }

    /// How the order of an id stands: that of the highest version.
    pub(super) fn standing(&self, id: OrderId, now: Timestamp) -> Option<Standing> {
        let order = self.state.order(id).ok()?;
        self.state.standing_of(&(id, order.hash()), clock(now))
    }

    pub(super) fn views(&self, trusted: &Trusted, now: Timestamp) -> Vec<OrderView> {
        let statuses = self.state.statuses(&trusted.operators, clock(now)).into_iter();
        let view = |status: soma_policy::OrderStatus<'_>| OrderView {
            order: status.order.clone(),
            state: state(Some(status.standing)),
            persons: status.persons.clone(),
            needed: status.needed,
            lapses_in_ms: match status.standing {
                Standing::Suspended { until } => Some(until.since(clock(now)).0),
                _ => None,
            },
        };
        statuses.map(view).collect()
    }

    pub(super) fn set(&self, now: Timestamp) -> KillSet {
        self.state.set(clock(now))
    }
}
