//! Uptime over all boots: what suspensions lapse by, because a wall clock can be moved.
//!
//! The journal keeps marks; between the last one and a crash a little uptime is forgotten, so that a
//! suspension lasts longer after a crash and never shorter.

use std::sync::Arc;
use std::time::Duration;

use soma_policy::Uptime;

use crate::clock::Clock;

/// Counts on from what earlier boots recorded.
pub(super) struct UptimeClock {
    clock: Arc<dyn Clock>,
    before: Uptime,
    started: Duration,
}

impl UptimeClock {
    pub(super) fn new(clock: Arc<dyn Clock>, before: Uptime) -> Self {
        let started = clock.monotonic();
        Self { clock, before, started }
    }

    pub(super) fn now(&self) -> Uptime {
        let up = self.clock.monotonic().saturating_sub(self.started).as_millis();
        let up = u64::try_from(up).unwrap_or(u64::MAX);
        Uptime(self.before.0.saturating_add(up))
    }
}
