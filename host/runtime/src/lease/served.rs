//! Leases that a server gave: calls reserve the worst case under the lease's terms, and are charged as the
//! server will settle their receipts.
//!
//! Calls only read what is here. What is asked of the server, what it answers and what is closed is the
//! control thread's ([`Keeping`]), which no call waits for: a call that finds too little is refused at once, and
//! more is asked for. A lease of another run of the host is never started on, only closed.
//!
//! Deliberately absent: the way to the server (`host/money.rs`), and what an offer includes per period, which
//! the server knows: here every call costs its price.

mod answer;
mod closing;
mod given;
mod keeping;
mod pool;
mod share;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use parking_lot::{Mutex, RwLock};
use soma_policy::price::{Origin, PriceError, Terms};
use soma_policy::{
    BootId, Budget, Code, Denial, Digest, HostId, Installation, InstallationKey, Layer,
    LeaseRecord, Limits, Money, Timestamp,
};
use tokio::sync::Notify;

pub(super) use share::Share;
#[cfg(test)]
pub(crate) use tests::with_bytes;

use super::Standing;
use keeping::Keeping;
use pool::Pool;

/// Who pays for a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Billing {
    /// The org that called, out of the lease.
    Tenant,
    /// The platform: a call of a revision at its health gate. Its receipt charges nothing to the lease.
    Platform,
}

/// All that a call's cost depends on beside the terms, its usage and its outcome.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cost {
    pub(super) billing: Billing,
    pub(super) limits: Limits,
    pub(super) origin: Origin,
    /// The author's price.
    pub(super) price: Option<Money>,
}

/// What of an installation decides about its leases.
#[derive(Debug, Clone, Copy)]
pub(super) struct Need<'a> {
    pub(super) key: &'a InstallationKey,
    pub(super) price: Option<Money>,
    pub(super) budget: Option<Budget>,
    /// What one call of it may use.
    pub(super) limits: &'a Limits,
}

impl<'a> Need<'a> {
    pub(super) const fn of(installation: &'a Installation, limits: &'a Limits) -> Self {
        let Installation { ref key, price, budget, .. } = *installation;
        Self { key, price, budget, limits }
    }
}

impl Cost {
    /// Of a call from outside.
    pub(super) const fn of(need: &Need<'_>, billing: Billing) -> Self {
        Self { billing, limits: *need.limits, origin: Origin::Outside, price: need.price }
    }
}

/// Which run of which host leases are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Holder {
    /// The host.
    pub host: HostId,
    /// This run of it.
    pub boot: BootId,
}

/// All leases of a host that has a server.
#[derive(Debug)]
pub(super) struct Served {
    holder: Holder,
    pools: RwLock<HashMap<InstallationKey, Arc<Pool>>>,
    /// By digest. Terms are never taken back: leases name them.
    terms: ArcSwap<HashMap<Digest, Arc<Terms>>>,
    keeping: Mutex<Keeping>,
    /// Something is to be asked.
    bell: Arc<Notify>,
}

impl Served {
    /// No leases yet; those of earlier runs are to be closed.
    pub(super) fn new(holder: Holder, unclosed: Vec<LeaseRecord>) -> Self {
        let (pools, terms, bell) = Default::default();
        Self { holder, pools, terms, keeping: Mutex::new(Keeping::new(unclosed)), bell }
    }

    /// Reserves the worst case of a call from outside.
    pub(super) fn take(
        &self,
        need: &Need<'_>,
        billing: Billing,
        now: Timestamp,
    ) -> Result<Share, Box<Denial>> {
        let (pool, cost) = (self.pool(need.key), Cost::of(need, billing));
        let taken = pool.take(None, &cost, now);
        let taken = taken.inspect_err(|_| {
            if pool.is_wanted() {
                self.bell.notify_one();
            }
        });
        let (given, reserved) = taken?;
        let mut slot = false;
        if let Some(budget) = need.budget {
            let entered = pool.slots.enter(budget.concurrent_calls);
            slot = entered.is_ok();
            if let Err(running) = entered {
                drop(Share::new((pool, given), cost, reserved, false));
                return Err(Box::new(super::own::crowded(need.key, running)));
            }
        }
        Ok(Share::new((pool, given), cost, reserved, slot))
    }

    fn pool(&self, key: &InstallationKey) -> Arc<Pool> {
        if let Some(pool) = self.pools.read().get(key) {
            return Arc::clone(pool);
        }
        let mut pools = self.pools.write();
        let fresh = || Arc::new(Pool::new(key.clone()));
        Arc::clone(pools.entry(key.clone()).or_insert_with(fresh))
    }

    /// Terms that leases may name from now on.
    pub(super) fn learn(&self, terms: Terms) -> Result<(), PriceError> {
        let digest = terms.digest()?;
        let mut known = HashMap::clone(&self.terms.load());
        known.entry(digest).or_insert_with(|| Arc::new(terms));
        self.terms.store(Arc::new(known));
        self.bell.notify_one();
        Ok(())
    }

    /// Rings when something may have to be asked.
    pub(super) const fn bell(&self) -> &Arc<Notify> {
        &self.bell
    }

    pub(super) fn standings(&self, key: &InstallationKey) -> Vec<Standing> {
        let pool = self.pools.read().get(key).cloned();
        pool.map(|pool| pool.standings()).unwrap_or_default()
    }
}

#[cfg(test)]
impl super::Leases {
    /// Reserves for a call of an installation that is only named.
    pub(crate) fn reserve_named(
        &self,
        key: &InstallationKey,
        price: Option<Money>,
        now: Timestamp,
    ) -> Option<super::Reservation> {
        let need = Need { key, price, budget: None, limits: &Limits::DEFAULT };
        let share = self.served.as_ref()?.take(&need, Billing::Tenant, now);
        share.ok().map(super::Reservation::served)
    }
}

/// A call of another kind of host's reservation.
pub(super) fn foreign() -> Denial {
    let reason = "the caller's reservation is of another kind of lease";
    Denial::new(Code::LeaseEnded, Layer::Budget, "call a tool", reason)
}
