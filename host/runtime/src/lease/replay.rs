//! Leases out of the journal: what was taken, and what its receipts spent.
//!
//! The journal alone decides: what was reserved and never settled was a call that a crash cut off, whose
//! `interrupted` receipt is in the journal too.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use soma_policy::{
    InstallationKey, JournalEntry, LeaseEvent, LeaseId, LeaseRecord, Receipt, Timestamp,
};

use super::account::{Account, Purse, month};
use super::meter::MoneyMeter;

const DAY_MS: u64 = 86_400_000;

/// Bytes that an installation moved over HTTP on the latest day of any lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MovedToday {
    /// The installation.
    pub installation: InstallationKey,
    /// An instant of that day.
    pub at: Timestamp,
    /// Sent by its guests.
    pub sent: u64,
    /// Received by them.
    pub received: u64,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Moved {
    sent: u64,
    received: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Taken {
    record: LeaseRecord,
    spent: i64,
}

/// Gathers leases while the journal is replayed.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeaseReplay {
    leases: BTreeMap<LeaseId, Taken>,
    /// The latest day of any lease.
    day: u64,
    #[serde(with = "pairs")]
    moved: HashMap<InstallationKey, (u64, Moved)>,
}

/// A map whose keys are no text, as a list of pairs.
mod pairs {
    use std::collections::HashMap;
    use std::hash::Hash;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(super) fn serialize<S: Serializer, K: Serialize, V: Serialize>(
        map: &HashMap<K, V>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        to.collect_seq(map)
    }

    pub(super) fn deserialize<'de, D, K, V>(from: D) -> Result<HashMap<K, V>, D::Error>
    where
        D: Deserializer<'de>,
        K: Deserialize<'de> + Eq + Hash,
        V: Deserialize<'de>,
    {
        Ok(Vec::<(K, V)>::deserialize(from)?.into_iter().collect())
    }
}

impl LeaseReplay {
    /// Takes the next entry of the journal into account.
    pub fn see(&mut self, entry: &JournalEntry) {
        match entry {
            JournalEntry::Lease(record) => {
                self.day = self.day.max(record.day);
                let (lease, event) = (record.lease, record.event);
                let first = || Taken { record: record.clone(), spent: 0 };
                self.leases.entry(lease).or_insert_with(first).record.event = event;
            }
            JournalEntry::Receipt(receipt) => self.receipt(receipt),
            _ => {}
        }
    }

    /// Leases of a server that it has not heard the last word on. Those of an earlier run are closed, never
    /// started on.
    #[must_use]
    pub fn unclosed(&self) -> Vec<LeaseRecord> {
        let open = |taken: &&Taken| {
            taken.record.given.is_some() && taken.record.event != LeaseEvent::Closed
        };
        self.leases.values().filter(open).map(|taken| taken.record.clone()).collect()
    }

    /// Forgets what no account can need any more, and adds up what only a month's total needs: leases older
    /// than yesterday's (calls that began on them have ended), and bytes that were moved on earlier days.
    #[must_use]
    pub fn compacted(mut self) -> Self {
        let (today, this_month) = (self.day, month(self.day));
        let leases = std::mem::take(&mut self.leases);
        let mut older: HashMap<_, Taken> = HashMap::new();
        for (lease, taken) in leases {
            let record = &taken.record;
            let unclosed = record.given.is_some() && record.event != LeaseEvent::Closed;
            if unclosed || record.day.saturating_add(1) >= today {
                self.leases.insert(lease, taken);
            } else if record.given.is_none() && month(record.day) == this_month {
                let which = (record.installation.clone(), record.currency);
                match older.get_mut(&which) {
                    Some(other) => {
                        other.spent = other.spent.saturating_add(taken.spent);
                        other.record.day = other.record.day.max(record.day);
                    }
                    None => drop(older.insert(which, taken)),
                }
            }
        }
        self.leases.extend(older.into_values().map(|taken| (taken.record.lease, taken)));
        self.moved.retain(|_, (day, _)| *day == today);
        self
    }

    fn receipt(&mut self, receipt: &Receipt) {
        let facts = &receipt.facts;
        let Some(taken) = self.leases.get_mut(&facts.lease) else {
            return;
        };
        let charge = receipt.charge.filter(|charge| charge.currency == taken.record.currency);
        taken.spent = taken.spent.saturating_add(charge.map_or(0, |charge| charge.micros));
        let key = InstallationKey {
            org: facts.org.clone(),
            environment: facts.environment.clone(),
            id: facts.installation.clone(),
        };
        let day = taken.record.day;
        let (latest, moved) = self.moved.entry(key).or_default();
        if day > *latest {
            (*latest, *moved) = (day, Moved::default());
        }
        if day == *latest {
            moved.sent = moved.sent.saturating_add(receipt.usage.http_sent);
            moved.received = moved.received.saturating_add(receipt.usage.http_received);
        }
    }

    /// What each installation moved over HTTP on the latest day.
    #[must_use]
    pub fn moved(&self) -> Vec<MovedToday> {
        let today = self.moved.iter().filter(|(_, (day, _))| *day == self.day);
        let moved = |(key, (day, moved)): (&InstallationKey, &(u64, Moved))| MovedToday {
            installation: key.clone(),
            at: Timestamp(day.saturating_mul(DAY_MS)),
            sent: moved.sent,
            received: moved.received,
        };
        today.map(moved).collect()
    }

    /// The latest day, and the accounts with what is spent of the latest lease and of its month.
    pub(super) fn accounts(self) -> (u64, HashMap<InstallationKey, Arc<Account>>) {
        let mut latest: HashMap<_, Taken> = HashMap::new();
        let mut months: HashMap<_, i64> = HashMap::new();
        let own = self.leases.into_values().filter(|taken| taken.record.given.is_none());
        for taken in own {
            let record = &taken.record;
            let which = (record.installation.clone(), record.currency);
            let spent = months.entry((which.clone(), month(record.day))).or_default();
            *spent = spent.saturating_add(taken.spent);
            match latest.get_mut(&which) {
                Some(other) if other.record.day == record.day => {
                    other.spent = other.spent.saturating_add(taken.spent);
                }
                Some(other) if other.record.day > record.day => {}
                _ => drop(latest.insert(which, taken)),
            }
        }
        let mut purses: HashMap<InstallationKey, Vec<Arc<Purse>>> = HashMap::new();
        for ((key, currency), Taken { record, spent }) in latest {
            let spent_month = months.get(&((key.clone(), currency), month(record.day)));
            purses.entry(key).or_default().push(Arc::new(Purse {
                lease: record.lease,
                currency,
                day: record.day,
                today: MoneyMeter::spent_already(spent),
                month: Arc::new(MoneyMeter::spent_already(spent_month.copied().unwrap_or(0))),
            }));
        }
        let accounts =
            purses.into_iter().map(|(key, purses)| (key, Arc::new(Account::with(purses))));
        (self.day, accounts.collect())
    }
}
