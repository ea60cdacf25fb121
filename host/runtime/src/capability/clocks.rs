//! Room `clocks`, part of the base world: coarse clocks for everyone, finer ones where granted, and timers.
//!
//! Monotonic time counts from the start of the call, so that it tells nothing about the host. Coarse time has steps of a
//! millisecond: enough for timeouts, too little to measure a cache. Timers are bounded in number and in length; what a
//! timer waits for is wall time of the machine, and the call's own limits and kill end the wait with the call.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use soma_policy::LimitKind;
use soma_wit::standard::clocks::{monotonic_clock, wall_clock};
use wasmtime::Result;
use wasmtime::component::{HasData, Resource, ResourceTable};
use wasmtime_wasi_io::async_trait;
use wasmtime_wasi_io::poll::{DynPollable, Pollable, subscribe};

use super::{cut, full, push};
use crate::clock::Clock;
use crate::running::Running;
use crate::state::Ctx;

/// One step of a coarse clock.
const COARSE: Duration = Duration::from_millis(1);
/// One step of a precise clock.
const PRECISE: Duration = Duration::from_nanos(1);
/// Timers that a call may hold at one time.
const TIMERS_MAX: u32 = 128;
/// The longest wait. No call lives as long.
const WAIT_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// How many timers a call holds.
#[derive(Debug, Clone, Default)]
pub(crate) struct Timers(Arc<AtomicU32>);

/// Counts one timer for as long as it exists.
struct Counted(Timers);

impl Timers {
    fn one_more(&self) -> Option<Counted> {
        let more = |held: u32| (held < TIMERS_MAX).then_some(held.saturating_add(1));
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).ok()?;
        Some(Counted(self.clone()))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Names [`ClocksView`] to the linker.
pub(crate) struct Clocks;

impl HasData for Clocks {
    type Data<'a> = ClocksView<'a>;
}

/// `wasi:clocks` for one call.
pub(crate) struct ClocksView<'a> {
    running: &'a Running,
    clock: &'a dyn Clock,
    precise: bool,
    timers: &'a Timers,
    table: &'a mut ResourceTable,
}

impl ClocksView<'_> {
    pub(crate) fn of(ctx: &mut Ctx) -> ClocksView<'_> {
        ClocksView {
            running: ctx.gate.running(),
            clock: &*ctx.backends.clock,
            precise: ctx.gate.authorised().rights().precise_clocks(),
            timers: &ctx.rooms.timers,
            table: &mut ctx.table,
        }
    }

    fn step(&self) -> Duration {
        if self.precise { PRECISE } else { COARSE }
    }

    /// Time since the call started, in whole steps.
    fn elapsed(&self) -> u64 {
        let since = self.clock.monotonic().saturating_sub(self.running.started);
        u64::try_from(self.whole_steps(since).as_nanos()).unwrap_or(u64::MAX)
    }

    fn whole_steps(&self, time: Duration) -> Duration {
        let within = time.subsec_nanos() % self.step().subsec_nanos().max(1);
        time.saturating_sub(Duration::from_nanos(u64::from(within)))
    }

    fn timer(&mut self, wait: Duration) -> Result<Resource<DynPollable>> {
        self.running.live()?;
        let Some(counted) = self.timers.one_more() else {
            return Err(cut(self.running, LimitKind::Handles));
        };
        let end = tokio::time::Instant::now() + wait.min(WAIT_MAX);
        let timer = Timer { end, yielded: !wait.is_zero(), _counted: counted };
        let timer = push(self.running, self.table, timer)?;
        full(self.running, subscribe(self.table, timer))
    }
}

impl monotonic_clock::Host for ClocksView<'_> {
    fn now(&mut self) -> Result<u64> {
        self.running.live()?;
        Ok(self.elapsed())
    }

    fn resolution(&mut self) -> Result<u64> {
        Ok(u64::try_from(self.step().as_nanos()).unwrap_or(1))
    }

    fn subscribe_instant(&mut self, when: u64) -> Result<Resource<DynPollable>> {
        let wait = when.saturating_sub(self.elapsed());
        self.timer(Duration::from_nanos(wait))
    }

    fn subscribe_duration(&mut self, wait: u64) -> Result<Resource<DynPollable>> {
        self.timer(Duration::from_nanos(wait))
    }
}

impl wall_clock::Host for ClocksView<'_> {
    fn now(&mut self) -> Result<wall_clock::Datetime> {
        self.running.live()?;
        Ok(datetime(self.whole_steps(self.clock.wall())))
    }

    fn resolution(&mut self) -> Result<wall_clock::Datetime> {
        Ok(datetime(self.step()))
    }
}

fn datetime(since: Duration) -> wall_clock::Datetime {
    wall_clock::Datetime { seconds: since.as_secs(), nanoseconds: since.subsec_nanos() }
}

/// A moment to wait for.
struct Timer {
    end: tokio::time::Instant,
    /// A timer that is over at once still lets others run first: a guest that polls with it in a loop would else keep the
    /// thread from seeing that its other pollables are ready.
    yielded: bool,
    _counted: Counted,
}

#[async_trait]
impl Pollable for Timer {
    async fn ready(&mut self) {
        if !self.yielded {
            self.yielded = true;
            tokio::task::yield_now().await;
        }
        tokio::time::sleep_until(self.end).await;
    }
}

#[cfg(test)]
mod tests {
    use soma_wit::standard::io::poll::HostPollable as _;

    use super::*;
    use crate::capability::io::IoView;
    use crate::capability::rig::Rig;

    const COARSE_GRANTS: &str = "";
    const PRECISE_GRANTS: &str = "[clocks]\nprecise = true";

    /// Stands at 5.700001 ms after the start of the call.
    struct Fine;

    impl Clock for Fine {
        fn now(&self) -> soma_policy::Timestamp {
            soma_policy::Timestamp(1_005)
        }

        fn wall(&self) -> Duration {
            Duration::from_nanos(1_005_700_001)
        }

        fn monotonic(&self) -> Duration {
            Duration::from_millis(crate::capability::rig::START.0) + Duration::from_nanos(5_700_001)
        }

        fn fresh_id(&self) -> u128 {
            0
        }
    }

    fn monotonic(declared: &str) -> (u64, u64) {
        let mut rig = Rig::granting(declared);
        let mut view = ClocksView::of(rig.ctx());
        view.clock = &Fine;
        let now = monotonic_clock::Host::now(&mut view).unwrap();
        (now, monotonic_clock::Host::resolution(&mut view).unwrap())
    }

    #[test]
    fn time_starts_with_the_call_in_coarse_steps() {
        assert_eq!(monotonic(COARSE_GRANTS), (5_000_000, 1_000_000));
    }

    #[test]
    fn precise_time_needs_its_grant() {
        assert_eq!(monotonic(PRECISE_GRANTS), (5_700_001, 1));
        let mut rig = Rig::declaring(PRECISE_GRANTS);
        let resolution = monotonic_clock::Host::resolution(&mut ClocksView::of(rig.ctx()));
        assert_eq!(resolution.unwrap(), 1_000_000);
    }

    #[test]
    fn the_wall_clock_has_the_steps_that_are_granted() {
        for (grants, nanoseconds, step) in
            [(COARSE_GRANTS, 5_000_000, 1_000_000), (PRECISE_GRANTS, 5_700_001, 1)]
        {
            let mut rig = Rig::granting(grants);
            let mut view = ClocksView::of(rig.ctx());
            view.clock = &Fine;
            let now = wall_clock::Host::now(&mut view).unwrap();
            assert_eq!((now.seconds, now.nanoseconds), (1, nanoseconds));
            assert_eq!(wall_clock::Host::resolution(&mut view).unwrap().nanoseconds, step);
        }
    }

    #[test]
    fn the_machines_clock_tells_parts_of_a_microsecond() {
        let clock = crate::clock::SystemClock::new();
        let mut moments = (0..1_000).map(|_| clock.monotonic());
        assert!(moments.any(|moment| moment.subsec_nanos() % 1_000 != 0));
    }

    #[test]
    fn the_wall_clock_is_the_one_of_the_host() {
        let mut rig = Rig::granting(COARSE_GRANTS);
        rig.advance(Duration::from_millis(1_250));
        let start = crate::capability::rig::START.0;
        let now = wall_clock::Host::now(&mut ClocksView::of(rig.ctx())).unwrap();
        assert_eq!(now.seconds * 1_000 + u64::from(now.nanoseconds) / 1_000_000, start + 1_250);
    }

    #[tokio::test]
    async fn a_timer_ends_at_its_moment() {
        let mut rig = Rig::granting(COARSE_GRANTS);
        let before = tokio::time::Instant::now();
        let timer =
            monotonic_clock::Host::subscribe_duration(&mut ClocksView::of(rig.ctx()), 2_000_000);
        IoView::of(rig.ctx()).block(timer.unwrap()).await.unwrap();
        assert!(before.elapsed() >= Duration::from_millis(2));
        let past = monotonic_clock::Host::subscribe_instant(&mut ClocksView::of(rig.ctx()), 0);
        IoView::of(rig.ctx()).block(past.unwrap()).await.unwrap();
    }

    #[tokio::test]
    async fn timers_are_bounded_and_given_back() {
        let mut rig = Rig::granting(COARSE_GRANTS);
        for _ in 0..TIMERS_MAX * 2 {
            let mut view = ClocksView::of(rig.ctx());
            let timer = monotonic_clock::Host::subscribe_duration(&mut view, u64::MAX).unwrap();
            soma_wit::standard::io::poll::HostPollable::drop(&mut IoView::of(rig.ctx()), timer)
                .unwrap();
        }
        let mut made = Ok(());
        for _ in 0..=TIMERS_MAX {
            let mut view = ClocksView::of(rig.ctx());
            made = made
                .and(monotonic_clock::Host::subscribe_duration(&mut view, u64::MAX).map(|_| ()));
        }
        assert!(made.is_err());
        assert_eq!(rig.cut_by(), Some(LimitKind::Handles));
    }

    #[test]
    fn a_killed_call_reads_no_clock() {
        let mut rig = Rig::granting(COARSE_GRANTS);
        rig.kill();
        let mut view = ClocksView::of(rig.ctx());
        assert!(monotonic_clock::Host::now(&mut view).is_err());
        assert!(wall_clock::Host::now(&mut view).is_err());
        assert!(monotonic_clock::Host::subscribe_duration(&mut view, 0).is_err());
    }
}
