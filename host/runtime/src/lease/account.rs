//! One installation's money: a purse per currency, renewed each UTC day.

use std::sync::Arc;

use parking_lot::RwLock;
use soma_policy::{Currency, LeaseId, Money, Timestamp};

use super::Standing;
use super::meter::MoneyMeter;
use super::slots::Slots;

const DAY_MS: u64 = 86_400_000;

/// An installation, over all of its days.
#[derive(Debug, Default)]
pub(crate) struct Account {
    /// Calls that run.
    pub(crate) running: Slots,
    /// The present purse of each currency: one, unless the tenant changed it today.
    purses: RwLock<Vec<Arc<Purse>>>,
}

/// The money of one lease: one day, one currency.
#[derive(Debug)]
pub(crate) struct Purse {
    pub(crate) lease: LeaseId,
    pub(crate) currency: Currency,
    pub(crate) day: u64,
    pub(crate) today: MoneyMeter,
    /// The same month's money, shared with the purses of its other days.
    pub(crate) month: Arc<MoneyMeter>,
}

impl Account {
    /// An account that goes on with these purses.
    pub(crate) fn with(purses: Vec<Arc<Purse>>) -> Self {
        Self { running: Slots::default(), purses: RwLock::new(purses) }
    }

    /// The purse of a day; a new one with a new lease if there is none. A purse of a later day than
    /// asked for is the present one.
    pub(crate) fn purse(
        &self,
        currency: Currency,
        day: u64,
        lease: impl FnOnce(u64) -> LeaseId,
    ) -> Arc<Purse> {
        if let Some(purse) = present(&self.purses.read(), currency, day) {
            return purse;
        }
        let mut purses = self.purses.write();
        if let Some(purse) = present(&purses, currency, day) {
            return purse;
        }
        let before = purses.iter().position(|purse| purse.currency == currency);
        let before = before.map(|at| purses.swap_remove(at));
        let month = before.filter(|before| month(before.day) == month(day));
        let purse = Arc::new(Purse {
            lease: lease(day),
            currency,
            day,
            today: MoneyMeter::default(),
            month: month.map(|before| Arc::clone(&before.month)).unwrap_or_default(),
        });
        purses.push(Arc::clone(&purse));
        purse
    }

    /// The purses of a day, for people.
    pub(crate) fn standings(&self, day: u64) -> Vec<Standing> {
        let purses = self.purses.read();
        let today = purses.iter().filter(|purse| purse.day >= day);
        today.map(|purse| purse.standing(self.running.taken())).collect()
    }
}

impl Purse {
    fn standing(&self, running: u32) -> Standing {
        let money = |micros| Money { micros, currency: self.currency };
        Standing {
            lease: self.lease,
            spent: money(self.today.spent()),
            reserved: money(self.today.reserved()),
            running,
        }
    }
}

fn present(purses: &[Arc<Purse>], currency: Currency, day: u64) -> Option<Arc<Purse>> {
    let mut purses = purses.iter();
    purses.find(|purse| purse.currency == currency && purse.day >= day).cloned()
}

/// The calendar month of a UTC day: the `2026-11` of its date.
pub(crate) fn month(day: u64) -> String {
    let date = Timestamp(day.saturating_mul(DAY_MS)).to_string();
    date.get(..7).unwrap_or_default().to_owned()
}
