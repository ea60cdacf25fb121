//! What one call has used, and the line it may not cross.
//!
//! Counters are plain atomics that views add to before they act. Deliberately absent: what happens
//! at the line; [`crate::running::Running::charge`] ends the call.

use std::sync::atomic::{AtomicU64, Ordering};

use soma_policy::{LimitKind, Limits, Usage};

use crate::cpu::CpuMeter;

/// Host-side bytes that one resource of a guest costs us, at least.
pub(crate) const HANDLE_BYTES: u64 = 256;

/// One counter with its ceiling.
#[derive(Debug)]
struct Counter {
    used: AtomicU64,
    max: u64,
}

impl Counter {
    fn new(max: u64) -> Self {
        Self { used: AtomicU64::new(0), max }
    }

    /// Adds `more` if it fits; says whether it did. What does not fit is not added.
    fn add(&self, more: u64) -> bool {
        let fits = |used: u64| used.checked_add(more).filter(|sum| *sum <= self.max);
        self.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits).is_ok()
    }

    fn sub(&self, less: u64) {
        let lower = |used: u64| Some(used.saturating_sub(less));
        // The closure never refuses, so neither does the update.
        let _ = self.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, lower);
    }

    fn get(&self) -> u64 {
        self.used.load(Ordering::Relaxed)
    }
}

/// All counters of one call.
#[derive(Debug)]
pub(crate) struct Meter {
    pub(crate) cpu: CpuMeter,
    cpu_max_ns: u64,
    memory: Counter,
    memory_peak: AtomicU64,
    hostcall: Counter,
    input: Counter,
    output: Counter,
    log: Counter,
    handles: Counter,
    requests: Counter,
    random: Counter,
    http_requests: AtomicU64,
    http_sent: AtomicU64,
    http_received: AtomicU64,
}

impl Meter {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            cpu: CpuMeter::default(),
            cpu_max_ns: limits.cpu.0.saturating_mul(1_000_000),
            memory: Counter::new(limits.memory.0),
            memory_peak: AtomicU64::new(0),
            hostcall: Counter::new(limits.hostcall.0),
            input: Counter::new(limits.input.0),
            output: Counter::new(limits.output.0),
            log: Counter::new(limits.log.0),
            handles: Counter::new(u64::from(limits.handles)),
            requests: Counter::new(u64::from(limits.requests)),
            // Its own ceiling comes from the grant; the view holds that.
            random: Counter::new(limits.hostcall.0),
            http_requests: AtomicU64::new(0),
            http_sent: AtomicU64::new(0),
            http_received: AtomicU64::new(0),
        }
    }

    fn counter(&self, kind: LimitKind) -> Option<&Counter> {
        match kind {
            LimitKind::Memory => Some(&self.memory),
            LimitKind::Hostcall => Some(&self.hostcall),
            LimitKind::Input => Some(&self.input),
            LimitKind::Output => Some(&self.output),
            LimitKind::Log => Some(&self.log),
            LimitKind::Handles => Some(&self.handles),
            LimitKind::Requests => Some(&self.requests),
            LimitKind::Random => Some(&self.random),
            _ => None,
        }
    }

    /// Adds to a counter if it fits. CPU and wall time are not added here but measured.
    pub(crate) fn add(&self, kind: LimitKind, more: u64) -> bool {
        let fits = self.counter(kind).is_some_and(|counter| counter.add(more));
        if fits && kind == LimitKind::Memory {
            self.memory_peak.fetch_max(self.memory.get(), Ordering::Relaxed);
        }
        if fits && kind == LimitKind::Requests {
            // The counter tells those under way; this one all of them.
            self.http_requests.fetch_add(more, Ordering::Relaxed);
        }
        fits
    }

    /// Gives back what is no longer held (memory, handles, requests under way).
    pub(crate) fn sub(&self, kind: LimitKind, less: u64) {
        if let Some(counter) = self.counter(kind) {
            counter.sub(less);
        }
    }

    /// Used so far of a counted kind.
    pub(crate) fn used(&self, kind: LimitKind) -> u64 {
        self.counter(kind).map_or(0, Counter::get)
    }

    /// Whether CPU time is spent; `on_thread` includes the poll under way on this very thread.
    pub(crate) fn cpu_is_spent(&self, on_thread: bool) -> bool {
        let used = if on_thread { self.cpu.now_ns() } else { self.cpu.settled_ns() };
        used > self.cpu_max_ns
    }

    /// CPU time that is left, for children and for `soma:budget`, in nanoseconds.
    pub(crate) fn cpu_left_ns(&self) -> u64 {
        self.cpu_max_ns.saturating_sub(self.cpu.now_ns())
    }

    /// Left of a counted kind.
    pub(crate) fn left(&self, kind: LimitKind) -> u64 {
        self.counter(kind).map_or(0, |counter| counter.max.saturating_sub(counter.get()))
    }

    pub(crate) fn add_http(&self, sent: u64, received: u64) {
        self.http_sent.fetch_add(sent, Ordering::Relaxed);
        self.http_received.fetch_add(received, Ordering::Relaxed);
    }

    /// Takes over what a child call used.
    pub(crate) fn absorb(&self, child: &Usage) {
        self.cpu.charge(child.cpu_us.saturating_mul(1_000));
        self.add_http(child.http_sent, child.http_received);
    }

    /// The record of it, `wall_us` measured by the caller.
    pub(crate) fn usage(&self, wall_us: u64) -> Usage {
        Usage {
            cpu_us: self.cpu.settled_ns().div_ceil(1_000),
            wall_us,
            memory_peak: self.memory_peak.load(Ordering::Relaxed),
            hostcall: self.hostcall.get(),
            input: self.input.get(),
            output: self.output.get(),
            log: self.log.get(),
            http_requests: self.http_requests.load(Ordering::Relaxed),
            http_sent: self.http_sent.load(Ordering::Relaxed),
            http_received: self.http_received.load(Ordering::Relaxed),
        }
    }
}
