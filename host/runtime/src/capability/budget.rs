//! Room `budget`: what is left for the running call, to read.
//!
//! The figures are the meter's own. Nothing here can raise a limit or move money.

use soma_policy::{CapabilityKind, Code, LimitKind};
use soma_wit::soma::budget::{Host, Money};
use wasmtime::Result;
use wasmtime::component::HasData;

use super::missing;
use crate::clock::Clock;
use crate::gate::Gate;
use crate::running::Running;
use crate::state::Ctx;

/// Bytes that an answer counts.
const ANSWER_BYTES: usize = 8;

/// Names [`BudgetView`] to the linker.
pub(crate) struct Budget;

impl HasData for Budget {
    type Data<'a> = BudgetView<'a>;
}

/// `soma:budget` for one call.
pub(crate) struct BudgetView<'a> {
    gate: &'a Gate,
    clock: &'a dyn Clock,
}

impl BudgetView<'_> {
    pub(crate) fn of(ctx: &mut Ctx) -> BudgetView<'_> {
        BudgetView { gate: &ctx.gate, clock: &*ctx.backends.clock }
    }

    /// The running call, where reading is granted. Without a grant every figure is nothing, and the denial is kept.
    fn granted(&self) -> Result<Option<&Running>> {
        let running = self.gate.running();
        running.charge_bytes(ANSWER_BYTES)?;
        if self.gate.authorised().rights().reads_budget() {
            return Ok(Some(running));
        }
        self.gate.refuse(missing(Code::NotGranted, CapabilityKind::Budget, "read the budget"));
        Ok(None)
    }

    fn left(&self, kind: LimitKind) -> Result<u64> {
        Ok(self.granted()?.map_or(0, |running| running.meter.left(kind)))
    }
}

impl Host for BudgetView<'_> {
    fn cpu_left(&mut self) -> Result<u64> {
        Ok(self.granted()?.map_or(0, |running| running.meter.cpu_left_ns() / 1_000))
    }

    fn wall_left(&mut self) -> Result<u64> {
        let now = self.clock.monotonic();
        let left = self.granted()?.map(|running| running.deadline.saturating_sub(now).as_micros());
        Ok(left.map_or(0, |micros| u64::try_from(micros).unwrap_or(u64::MAX)))
    }

    fn memory_left(&mut self) -> Result<u64> {
        self.left(LimitKind::Memory)
    }

    fn hostcall_left(&mut self) -> Result<u64> {
        self.left(LimitKind::Hostcall)
    }

    fn output_left(&mut self) -> Result<u64> {
        self.left(LimitKind::Output)
    }

    fn requests_left(&mut self) -> Result<u32> {
        Ok(u32::try_from(self.left(LimitKind::Requests)?).unwrap_or(u32::MAX))
    }

    fn money_left(&mut self) -> Result<Option<Money>> {
        let reserved = self.granted()?.and_then(|_| self.gate.reservation().reserved());
        Ok(reserved.map(|money| Money {
            micros: money.micros.to_string(),
            currency: money.currency.to_string(),
        }))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::capability::rig::Rig;

    #[test]
    fn the_figures_are_the_meters_own() {
        let mut rig = Rig::granting("[budget]");
        let limits = rig.limits();
        rig.advance(Duration::from_millis(40));
        rig.running().charge(LimitKind::Memory, 1_000).unwrap();
        rig.running().charge(LimitKind::Output, 10).unwrap();
        let mut view = BudgetView::of(rig.ctx());
        assert_eq!(view.wall_left().unwrap(), (limits.wall.0 - 40) * 1_000);
        assert_eq!(view.memory_left().unwrap(), limits.memory.0 - 1_000);
        assert_eq!(view.output_left().unwrap(), limits.output.0 - 10);
        assert_eq!(view.requests_left().unwrap(), limits.requests);
        assert!(view.cpu_left().unwrap() <= limits.cpu.0 * 1_000);
        let before = view.hostcall_left().unwrap();
        assert_eq!(
            view.hostcall_left().unwrap(),
            before - ANSWER_BYTES as u64,
            "asking costs, too"
        );
    }

    #[test]
    fn without_a_grant_every_figure_is_nothing() {
        let mut rig = Rig::declaring("[budget]");
        let mut view = BudgetView::of(rig.ctx());
        assert_eq!((view.wall_left().unwrap(), view.memory_left().unwrap()), (0, 0));
        assert_eq!(view.money_left().unwrap().map(|money| money.micros), None);
        assert_eq!(rig.denials(), [Code::NotGranted; 3]);
    }

    #[test]
    fn a_killed_call_asks_in_vain() {
        let mut rig = Rig::granting("[budget]");
        rig.kill();
        assert!(BudgetView::of(rig.ctx()).wall_left().is_err());
    }
}
