//! The account of one request's bytes in one direction.
//!
//! Every frame is added before it goes on: to the call's host-call bytes (a limit, which ends the call), to the entry's
//! bytes of this call, to the installation's bytes of the day, and to those that the lease holds of the day, where a
//! server gave it. The latter three are the tenant's and author's own bounds: crossing one is a denial that names the key
//! to raise, and the body ends with an error.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use soma_policy::{CapabilityName, CapabilityRef, Code, Denial, Layer, Transfer};
use wasmtime_wasi_http::Error;

use super::day::{Direction, InstallationDay};
use super::headers::TooManyFields;
use crate::clock::Clock;
use crate::lease::Reservation;
use crate::running::{Cut, Running};

/// How much one entry may move; nothing stated means no bound of its own.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Bound {
    pub(crate) sent: Option<u64>,
    pub(crate) received: Option<u64>,
}

impl Bound {
    pub(crate) fn of(transfer: Option<Transfer>) -> Self {
        Self {
            sent: transfer.map(|transfer| transfer.request.0),
            received: transfer.map(|transfer| transfer.response.0),
        }
    }

    fn get(self, direction: Direction) -> Option<u64> {
        match direction {
            Direction::Sent => self.sent,
            Direction::Received => self.received,
        }
    }
}

/// One http entry of a grant, within one call.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) capability: CapabilityRef,
    pub(crate) name: CapabilityName,
    pub(crate) per_call: Bound,
    pub(crate) per_day: Bound,
    pub(crate) day: Arc<InstallationDay>,
    pub(crate) used: Used,
    /// What the call holds of its lease.
    pub(crate) lease: Arc<Reservation>,
    /// Set when the guest's store is gone.
    pub(crate) gone: Arc<AtomicBool>,
}

/// What an entry has moved in this call, over all of its requests.
#[derive(Debug, Default)]
pub(crate) struct Used {
    sent: AtomicU64,
    received: AtomicU64,
}

impl Used {
    /// Adds if it fits; else says how much is used already.
    fn add(&self, direction: Direction, more: u64, max: Option<u64>) -> Result<(), u64> {
        let side = match direction {
            Direction::Sent => &self.sent,
            Direction::Received => &self.received,
        };
        let sum =
            |used: u64| used.checked_add(more).filter(|sum| max.is_none_or(|max| *sum <= max));
        side.fetch_update(Ordering::Relaxed, Ordering::Relaxed, sum).map(drop)
    }
}

/// Counts one direction of one request.
pub(crate) struct Tap {
    running: Arc<Running>,
    clock: Arc<dyn Clock>,
    entry: Arc<Entry>,
    direction: Direction,
    operation: Arc<str>,
}

impl Tap {
    pub(crate) fn new(
        running: Arc<Running>,
        clock: Arc<dyn Clock>,
        entry: Arc<Entry>,
        direction: Direction,
        operation: Arc<str>,
    ) -> Self {
        Self { running, clock, entry, direction, operation }
    }

    /// An error once the call was cut.
    pub(crate) fn live(&self) -> Result<(), Error> {
        self.running.live().map_err(over)
    }

    /// An error once the call ended or its guest is gone, in whatever way.
    pub(crate) fn unended(&self) -> Result<(), Error> {
        self.live()?;
        if self.running.end().is_some() || self.entry.gone.load(Ordering::SeqCst) {
            return Err(Error::ConnectionTerminated);
        }
        Ok(())
    }

    /// Accounts for bytes that are about to go on.
    pub(crate) fn pass(&self, bytes: u64) -> Result<(), Error> {
        self.running.charge_bytes(usize::try_from(bytes).unwrap_or(usize::MAX)).map_err(over)?;
        let per_call = self.entry.per_call.get(self.direction);
        self.entry
            .used
            .add(self.direction, bytes, per_call)
            .map_err(|used| self.exceeded("call", Code::HttpPerCall, used, per_call))?;
        let per_day = self.entry.per_day.get(self.direction);
        self.entry
            .day
            .charge(self.clock.now(), self.entry.name.as_str(), self.direction, bytes, per_day)
            .map_err(|used| self.exceeded("day", Code::HttpPerDay, used, per_day))?;
        self.entry.lease.move_bytes(bytes).map_err(|held| self.unleased(held))?;
        match self.direction {
            Direction::Sent => self.running.meter.add_http(bytes, 0),
            Direction::Received => self.running.meter.add_http(0, bytes),
        }
        Ok(())
    }

    pub(crate) fn trailer_flood(&self, flood: TooManyFields) -> Error {
        let size = u32::try_from(flood.bytes).ok();
        match self.direction {
            Direction::Sent => Error::HttpRequestTrailerSectionSize(size),
            Direction::Received => Error::HttpResponseTrailerSectionSize(size),
        }
    }

    /// The lease of a server holds too few: other hosts have the rest of the day's, or nobody has any.
    fn unleased(&self, (used, held): (u64, u64)) -> Error {
        let reason = format!(
            "{used} of {held} bytes that the lease holds of this day are used, and the next would be too many"
        );
        let denial = Denial::new(Code::HttpPerDay, Layer::Budget, &*self.operation, reason)
            .on(self.entry.capability.clone())
            .fix("call again when the host has another lease, or raise grants.http.*.per_day, within what the capsule declares");
        self.running.denied(denial);
        match self.direction {
            Direction::Sent => Error::HttpRequestBodySize(Some(held)),
            Direction::Received => Error::HttpResponseBodySize(Some(held)),
        }
    }

    fn exceeded(&self, per: &str, code: Code, used: u64, max: Option<u64>) -> Error {
        let max = max.unwrap_or(0);
        let side = match self.direction {
            Direction::Sent => "request",
            Direction::Received => "response",
        };
        let name = &self.entry.name;
        let reason = format!(
            "{used} of {max} {side} bytes of this {per} are used, and the next would be too many"
        );
        let denial = Denial::new(code, Layer::Budget, &*self.operation, reason)
            .on(self.entry.capability.clone())
            .fix(format!(
                "raise grants.http.{name}.per_{per}.{side}, within what the capsule declares"
            ));
        self.running.denied(denial);
        match self.direction {
            Direction::Sent => Error::HttpRequestBodySize(Some(max)),
            Direction::Received => Error::HttpResponseBodySize(Some(max)),
        }
    }
}

/// What a body says once its call is over. The guest never reads it: it is for the peer's side of the connection.
pub(crate) fn over(_cut: Cut) -> Error {
    Error::ConnectionTerminated
}
