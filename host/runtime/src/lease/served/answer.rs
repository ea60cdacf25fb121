//! What the server answers: leases, recalls, refusals.

use std::sync::Arc;

use soma_policy::feed::{HostLease, LeaseAnswer, LeaseWishes};
use soma_policy::{JournalEntry, LeaseEvent, LeaseId, Timestamp};

use super::Served;
use super::given::Given;
use super::keeping::{Asked, Keeping};
use crate::journal::Journal;

/// Longest words of a refusal that are kept.
const WORDS_MAX: usize = 400;

impl Served {
    /// Takes an answer to what was asked. What is not for this run of this host is passed over.
    pub(in crate::lease) fn answered(
        &self,
        asked: &LeaseWishes,
        answer: LeaseAnswer,
        journal: &Journal,
        now: Timestamp,
    ) {
        if answer.host != self.holder.host {
            tracing::error!(host = %answer.host, "leases of another host are not taken");
            return;
        }
        self.keeping.lock().singly = false;
        self.closed(&asked.closes, journal, now);
        for lease in answer.leases {
            self.give(lease, journal, now);
        }
        // Afterwards: what is given and asked back at once is closed, not kept.
        for lease in answer.recalls {
            self.recall(lease, journal, now);
        }
        for (key, why) in answer.refused {
            let plain = why.chars().filter(|c| !c.is_control()).take(WORDS_MAX).collect();
            self.pool(&key).refused(plain);
            if let Some(asked) = self.keeping.lock().asked.get_mut(&key) {
                asked.refused = true;
            }
        }
    }

    /// Leases that came before their terms are looked at again.
    pub(in crate::lease) fn retry(&self, journal: &Journal, now: Timestamp) {
        let early = std::mem::take(&mut self.keeping.lock().early);
        for lease in early {
            self.give(lease, journal, now);
        }
    }

    fn give(&self, lease: HostLease, journal: &Journal, now: Timestamp) {
        let terms = self.terms.load().get(&lease.terms).cloned();
        let mut keeping = self.keeping.lock();
        if lease.boot != self.holder.boot || keeping.known.contains_key(&lease.id) {
            return;
        }
        let Some(terms) = terms else { return keeping.early(lease) };
        if terms.currency() != lease.money.currency || lease.money.micros < 0 {
            tracing::error!(lease = %lease.id, "a lease that does not fit its terms is not taken");
            return;
        }
        keeping.known.insert(lease.id, lease.day);
        drop(keeping);
        let pool = self.pool(&lease.installation);
        let given = Arc::new(Given::new(lease, terms, now));
        let record = given.record(LeaseEvent::Taken, now);
        // It stands before any entry that names the lease, because entries keep their order.
        drop(journal.append(&JournalEntry::Lease(record)));
        let mut leases = Vec::clone(&pool.leases());
        leases.push(given);
        pool.set(leases);
        pool.given();
    }

    fn recall(&self, lease: LeaseId, journal: &Journal, now: Timestamp) {
        let pools: Vec<_> = self.pools.read().values().cloned().collect();
        let found = pools.iter().find_map(|pool| {
            let leases = pool.leases();
            leases.iter().find(|given| given.lease.id == lease).cloned()
        });
        self.keeping.lock().early.retain(|early| early.id != lease);
        let Some(given) = found.filter(|given| !given.is_ended()) else { return };
        given.end();
        let key = given.lease.installation.clone();
        let resting = Asked { at: now, refused: false, resting: true };
        self.keeping.lock().asked.insert(key, resting);
        drop(journal.append(&JournalEntry::Lease(given.record(LeaseEvent::Recalled, now))));
    }
}

impl Keeping {
    /// Kept until the feed brings its terms; it can be given again, so few are enough.
    fn early(&mut self, lease: HostLease) {
        const EARLY_MAX: usize = 4096;
        if self.early.len() < EARLY_MAX && self.early.iter().all(|early| early.id != lease.id) {
            self.early.push(lease);
        }
    }
}
