//! CPU time of one call: the thread's CPU clock around each poll, plus blocking work charged to it.
//!
//! Epoch ticks are wall time and a guest that works in short bursts dodges them; the thread clock
//! does not. Deliberately absent: any decision. The meter only adds up; [`crate::running`] judges.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use rustix::time::{ClockId, clock_gettime};

/// CPU time of the calling thread, in nanoseconds.
pub(crate) fn thread_cpu_ns() -> u64 {
    let spent = clock_gettime(ClockId::ThreadCPUTime);
    let seconds = u64::try_from(spent.tv_sec).unwrap_or(0);
    let nanos = u64::try_from(spent.tv_nsec).unwrap_or(0);
    seconds.saturating_mul(1_000_000_000).saturating_add(nanos)
}

/// What a call has spent so far. Only the thread that polls the call writes `poll_from`.
#[derive(Debug, Default)]
pub(crate) struct CpuMeter {
    spent_ns: AtomicU64,
    /// Thread clock at the start of the poll under way; 0 between polls.
    poll_from: AtomicU64,
}

impl CpuMeter {
    /// Adds work done for the call elsewhere (a blocking file operation).
    pub(crate) fn charge(&self, nanos: u64) {
        self.spent_ns.fetch_add(nanos, Ordering::Relaxed);
    }

    /// Spent in finished polls: readable from any thread.
    pub(crate) fn settled_ns(&self) -> u64 {
        self.spent_ns.load(Ordering::Relaxed)
    }

    /// Spent including the poll under way: only meaningful on the thread that polls.
    pub(crate) fn now_ns(&self) -> u64 {
        let from = self.poll_from.load(Ordering::Relaxed);
        let running = if from == 0 { 0 } else { thread_cpu_ns().saturating_sub(from) };
        self.settled_ns().saturating_add(running)
    }

    fn enter(&self) {
        self.poll_from.store(thread_cpu_ns().max(1), Ordering::Relaxed);
    }

    fn leave(&self) {
        let from = self.poll_from.swap(0, Ordering::Relaxed);
        self.charge(thread_cpu_ns().saturating_sub(from));
    }
}

/// Charges every poll of `inner` to `meter`, and asks `over` after each whether to go on.
pub(crate) struct Metered<'m, F, O> {
    inner: Pin<Box<F>>,
    meter: &'m CpuMeter,
    over: O,
}

impl<'m, F: Future, O: Fn()> Metered<'m, F, O> {
    pub(crate) fn new(inner: F, meter: &'m CpuMeter, over: O) -> Self {
        Self { inner: Box::pin(inner), meter, over }
    }
}

impl<F: Future, O: Fn() + Unpin> Future for Metered<'_, F, O> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        self.meter.enter();
        let polled = self.inner.as_mut().poll(context);
        self.meter.leave();
        (self.over)();
        polled
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn burn(nanos: u64) {
        let from = thread_cpu_ns();
        while thread_cpu_ns() - from < nanos {}
    }

    #[tokio::test]
    async fn work_in_short_bursts_is_summed() {
        let meter = CpuMeter::default();
        let work = async {
            for _ in 0..10 {
                burn(200_000);
                tokio::task::yield_now().await;
            }
        };
        Metered::new(work, &meter, || ()).await;
        assert!(meter.settled_ns() >= 2_000_000, "{}", meter.settled_ns());
    }

    #[tokio::test]
    async fn waiting_costs_nothing() {
        let meter = CpuMeter::default();
        let (tx, rx) = tokio::sync::oneshot::channel::<()>();
        let waiting = Metered::new(rx, &meter, || ());
        let working = async {
            burn(20_000_000);
            drop(tx);
        };
        let (got, ()) = tokio::join!(waiting, working);
        assert!(got.is_err());
        assert!(meter.settled_ns() < 10_000_000, "{}", meter.settled_ns());
    }

    #[test]
    fn a_poll_under_way_is_visible_to_its_own_thread() {
        let meter = CpuMeter::default();
        meter.enter();
        burn(100_000);
        assert!(meter.now_ns() >= 100_000);
        meter.leave();
        assert_eq!(meter.now_ns(), meter.settled_ns());
    }
}
