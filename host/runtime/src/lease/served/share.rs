//! A call's share of a server's lease.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use soma_policy::price::{Bearer, Origin, charge};
use soma_policy::{Denial, LeaseId, Limits, Money, Outcome, Timestamp, Usage};

use super::given::Given;
use super::pool::Pool;
use super::{Billing, Cost};

/// What a call holds of a lease: its worst case, and a slot.
#[derive(Debug)]
pub(in crate::lease) struct Share {
    pool: Arc<Pool>,
    given: Arc<Given>,
    /// The lease of the call that came from outside: the server counts what its children move with it.
    first: Arc<Given>,
    cost: Cost,
    /// In micro-units.
    reserved: i64,
    /// What its charge came to though the platform pays. Which revision is past its gate is the server's to say,
    /// and this host may hear of it late: the lease is kept able to pay for it.
    absorbed: AtomicI64,
    settled: AtomicBool,
    /// A child runs in its parent's slot.
    slot: bool,
}

impl Share {
    pub(super) fn new(
        (pool, given): (Arc<Pool>, Arc<Given>),
        cost: Cost,
        reserved: i64,
        slot: bool,
    ) -> Self {
        let (absorbed, settled) = Default::default();
        let first = Arc::clone(&given);
        Self { pool, given, first, cost, reserved, absorbed, settled, slot }
    }

    /// A share for a call that this call's guest makes: of the same lease, or if nothing may start on it any
    /// more, of another one of the same installation. It fails at once and never waits.
    pub(in crate::lease) fn child(&self, cost: Cost, now: Timestamp) -> Result<Self, Box<Denial>> {
        let cost = Cost { origin: Origin::Guest, ..cost };
        let (given, reserved) = self.pool.take(Some(&self.given), &cost, now)?;
        let mut child = Self::new((Arc::clone(&self.pool), given), cost, reserved, false);
        child.first = Arc::clone(&self.first);
        Ok(child)
    }

    /// Counts bytes that are about to move by outbound HTTP; else says how many of the lease's are used. More are
    /// asked for, as long as the server has any.
    pub(in crate::lease) fn move_bytes(&self, more: u64) -> Result<(), (u64, u64)> {
        self.first.move_bytes(more)
    }

    pub(in crate::lease) fn lease(&self) -> LeaseId {
        self.given.lease.id
    }

    pub(in crate::lease) fn reserved(&self) -> Option<Money> {
        Some(Money { micros: self.reserved, ..self.given.lease.money })
    }

    /// Usage within the limits that the worst case was computed from.
    pub(in crate::lease) fn billed(&self, usage: Usage) -> Usage {
        let Limits { cpu, hostcall, memory, wall, .. } = self.cost.limits;
        Usage {
            cpu_us: usage.cpu_us.min(cpu.0.saturating_mul(1000)),
            http_sent: usage.http_sent.min(hostcall.0),
            memory_peak: usage.memory_peak.min(memory.0),
            wall_us: usage.wall_us.min(wall.0.saturating_mul(1000)),
            ..usage
        }
    }

    /// What the server will take of the lease at most for a call that ended so; nothing of what the platform
    /// bears.
    pub(in crate::lease) fn charge(&self, outcome: Outcome, usage: &Usage) -> Option<Money> {
        let charged = self.priced(outcome, usage);
        if self.cost.billing == Billing::Platform {
            let micros = charged.map_or(0, |charged| charged.micros);
            self.absorbed.store(micros, Ordering::Release);
            return None;
        }
        charged
    }

    fn priced(&self, outcome: Outcome, usage: &Usage) -> Option<Money> {
        let Cost { price, origin, .. } = self.cost;
        let charged = charge(&self.given.terms, price, origin, usage, outcome);
        match charged.and_then(|charge| Ok((charge.bearer, charge.total()?))) {
            Ok((Bearer::Tenant, total)) => Some(total),
            Ok((Bearer::Platform, _)) => None,
            // INVARIANT: the worst case had a price, and no part of this one is more.
            Err(_) => self.reserved(),
        }
    }

    /// Spends `charge`, at most what is reserved, and gives the rest back. Once.
    pub(in crate::lease) fn settle(&self, charge: i64) {
        if !self.settled.swap(true, Ordering::AcqRel) {
            let charge = charge.max(self.absorbed.load(Ordering::Acquire));
            self.given.settle(self.reserved, charge.clamp(0, self.reserved));
        }
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.settle(0);
        // Last: a lease whose calls have all left may be closed, so their receipts are in the queue by now.
        self.given.leave();
        if self.slot {
            self.pool.slots.leave();
        }
    }
}
