//! One lease of a server, and what of it running calls hold.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

use soma_policy::feed::HostLease;
use soma_policy::price::Terms;
use soma_policy::{LeaseEvent, LeaseGiven, LeaseRecord, Money, Timestamp};

use crate::lease::Standing;
use crate::lease::meter::MoneyMeter;

/// Why a lease gives a call nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Short {
    /// No call starts on it any more.
    Ended,
    /// Too little is left.
    Money,
}

/// A lease of this run of the host.
#[derive(Debug)]
pub(super) struct Given {
    pub(super) lease: HostLease,
    pub(super) terms: Arc<Terms>,
    /// When it came, by this host's clock.
    pub(super) came: Timestamp,
    money: MoneyMeter,
    /// Bytes that its calls moved.
    moved: AtomicU64,
    /// Calls that hold a part of it. Counted before its end is looked at.
    running: AtomicU32,
    ended: AtomicBool,
}

impl Given {
    pub(super) fn new(lease: HostLease, terms: Arc<Terms>, came: Timestamp) -> Self {
        let (money, moved, running, ended) = Default::default();
        Self { lease, terms, came, money, moved, running, ended }
    }

    /// Reserves `worst` for a call that starts at `now`.
    pub(super) fn take(&self, worst: i64, now: Timestamp) -> Result<(), Short> {
        // Whoever ends the lease sees this call, or this call sees the end.
        self.running.fetch_add(1, Ordering::SeqCst);
        let taken = if !self.may_start(now) {
            Err(Short::Ended)
        } else if self.money.reserve(worst, self.lease.money.micros) {
            Ok(())
        } else {
            Err(Short::Money)
        };
        if taken.is_err() {
            self.leave();
        }
        taken
    }

    /// Spends `charge` of what was reserved, and gives the rest back.
    pub(super) fn settle(&self, reserved: i64, charge: i64) {
        self.money.spend(charge);
        self.money.release(reserved.saturating_sub(charge));
    }

    /// A call is over, and its end is in the journal's queue.
    pub(super) fn leave(&self) {
        self.running.fetch_sub(1, Ordering::SeqCst);
    }

    /// No call starts on it from here on.
    pub(super) fn end(&self) {
        self.ended.store(true, Ordering::SeqCst);
    }

    pub(super) fn is_ended(&self) -> bool {
        self.ended.load(Ordering::SeqCst)
    }

    pub(super) fn may_start(&self, now: Timestamp) -> bool {
        !self.is_ended() && now < self.lease.start_by
    }

    /// Whether no entry of a call will name it any more.
    pub(super) fn is_drained(&self) -> bool {
        self.is_ended() && self.running.load(Ordering::SeqCst) == 0
    }

    /// Neither spent nor reserved, in micro-units.
    pub(super) fn left(&self) -> i64 {
        self.lease.money.micros.saturating_sub(self.money.committed())
    }

    /// Counts bytes that are about to move, if they fit; else says how many of how many are used.
    pub(super) fn move_bytes(&self, more: u64) -> Result<(), (u64, u64)> {
        let held = self.lease.bytes.unwrap_or(0);
        let sum = |moved: u64| moved.checked_add(more).filter(|sum| *sum <= held);
        let moved = self.moved.fetch_update(Ordering::AcqRel, Ordering::Acquire, sum);
        moved.map(drop).map_err(|moved| (moved, held))
    }

    /// Bytes that its calls may still move, of how many; none where it holds none at all.
    pub(super) fn bytes(&self) -> Option<(u64, u64)> {
        let held = self.lease.bytes.filter(|held| *held > 0)?;
        Some((held.saturating_sub(self.moved.load(Ordering::Acquire)), held))
    }

    /// Whether it is time to ask for the next one, before this one's last moment.
    pub(super) fn is_late(&self, now: Timestamp) -> bool {
        let span = self.lease.start_by.since(self.came).0;
        let ahead = (span / 4).clamp(AHEAD_MIN_MS, AHEAD_MAX_MS);
        self.lease.start_by.since(now).0 < ahead
    }

    pub(super) fn standing(&self) -> Standing {
        let money = |micros| Money { micros, ..self.lease.money };
        Standing {
            lease: self.lease.id,
            spent: money(self.money.spent()),
            reserved: money(self.money.reserved()),
            running: self.running.load(Ordering::SeqCst),
        }
    }

    /// What the journal says of it.
    pub(super) fn record(&self, event: LeaseEvent, at: Timestamp) -> LeaseRecord {
        let lease = &self.lease;
        LeaseRecord {
            at,
            currency: lease.money.currency,
            day: lease.day,
            event,
            given: Some(LeaseGiven {
                boot: lease.boot,
                bytes: lease.bytes,
                start_by: lease.start_by,
                terms: lease.terms,
            }),
            installation: lease.installation.clone(),
            lease: lease.id,
            limit_micros: lease.money.micros,
        }
    }
}

/// The next lease is asked for when a quarter of the time is left, within these bounds.
const AHEAD_MIN_MS: u64 = 2_000;
const AHEAD_MAX_MS: u64 = 600_000;
