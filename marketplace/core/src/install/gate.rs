//! The health gate: a declared check, or a share of real calls that is judged by their receipts.
//!
//! Tallies are totals, not increments: counting the same receipts twice, or asking again, changes nothing. What
//! is not the capsule's doing (a busy host, a kill, an empty budget) counts for neither side.

use serde::{Deserialize, Serialize};
use soma_policy::{Millis, Outcome};

/// A share of real calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Canary {
    /// How many calls it takes to judge.
    pub calls: u32,
    /// The thousandths of calls that the new revision gets.
    pub share: u16,
    /// By how many thousandths more of them may fail than of the old revision's.
    pub tolerance: u16,
}

/// How a new revision is judged before it becomes active.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Gate {
    /// Not at all.
    Open,
    /// By the check that its manifest declares.
    Check,
    /// By a share of real calls.
    Canary(Canary),
}

impl Gate {
    /// The longest that a gate may stay undecided.
    pub const TIME_MAX: Millis = Millis(7 * 86_400_000);

    /// Whether the numbers mean something.
    #[must_use]
    pub const fn is_sound(&self) -> bool {
        match self {
            Self::Open | Self::Check => true,
            Self::Canary(Canary { calls, share, tolerance }) => {
                *calls > 0 && *share > 0 && *share <= 500 && *tolerance < 1000
            }
        }
    }
}

/// Calls of one revision since the gate opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Tally {
    /// Those that ended well.
    pub ok: u64,
    /// Those that the capsule let fail.
    pub failed: u64,
}

impl Tally {
    /// This tally and one call more.
    #[must_use]
    pub const fn and(self, outcome: Outcome) -> Self {
        match outcome {
            Outcome::Ok => Self { ok: self.ok.saturating_add(1), ..self },
            Outcome::GuestError | Outcome::Trapped | Outcome::Limit(_) | Outcome::Denied => {
                Self { failed: self.failed.saturating_add(1), ..self }
            }
            Outcome::Budget
            | Outcome::Killed(_)
            | Outcome::Interrupted
            | Outcome::HostFailure
            | Outcome::Busy
            | Outcome::InDoubt
            | Outcome::Cancelled => self,
        }
    }

    const fn calls(self) -> u128 {
        self.ok as u128 + self.failed as u128
    }
}

/// What a gate says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GateResult {
    /// It is too early to say.
    Waiting,
    /// The new revision may become active.
    Passed,
    /// It may not, for this reason.
    Failed(String),
}

/// Judges a share of calls against those of the active revision over the same time.
#[must_use]
pub fn judge(canary: &Canary, candidate: Tally, active: Tally) -> GateResult {
    // failures / calls ≤ active failures / active calls + tolerance, without a division.
    let base = active.calls().max(1);
    let allowed = u128::from(active.failed) * 1000 + u128::from(canary.tolerance) * base;
    let fails = |calls: u128| u128::from(candidate.failed) * 1000 * base > calls * allowed;
    let needed = u128::from(canary.calls);
    if candidate.calls() >= needed {
        if !fails(candidate.calls()) {
            return GateResult::Passed;
        }
    } else if !fails(needed) {
        return GateResult::Waiting;
    }
    // With fewer calls than needed: even if every further one were well, it would be too many.
    GateResult::Failed(format!(
        "{} of {} calls failed; of the active revision {} of {} did",
        candidate.failed,
        candidate.calls(),
        active.failed,
        active.calls()
    ))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use soma_policy::{LimitKind, OrderId};

    use super::*;

    const CANARY: Canary = Canary { calls: 20, share: 100, tolerance: 50 };

    #[test]
    fn twenty_calls_with_one_failure_pass_and_with_two_do_not() {
        let tally = |ok, failed| Tally { ok, failed };
        assert_eq!(judge(&CANARY, tally(19, 1), Tally::default()), GateResult::Passed);
        assert!(matches!(judge(&CANARY, tally(18, 2), Tally::default()), GateResult::Failed(_)));
        assert_eq!(judge(&CANARY, tally(10, 1), Tally::default()), GateResult::Waiting);
        // Two failures cannot be made good by the calls that are left.
        assert!(matches!(judge(&CANARY, tally(0, 2), Tally::default()), GateResult::Failed(_)));
        // A capsule that always failed a tenth of its calls may go on doing so.
        assert_eq!(judge(&CANARY, tally(17, 3), tally(90, 10)), GateResult::Passed);
    }

    #[test]
    fn only_what_the_capsule_did_counts() {
        let fails = [
            Outcome::GuestError,
            Outcome::Trapped,
            Outcome::Limit(LimitKind::Cpu),
            Outcome::Denied,
        ];
        for outcome in fails {
            assert_eq!(Tally::default().and(outcome), Tally { ok: 0, failed: 1 });
        }
        let neither = [
            Outcome::Budget,
            Outcome::Killed(OrderId::from_u128(1)),
            Outcome::Interrupted,
            Outcome::HostFailure,
            Outcome::Busy,
            Outcome::InDoubt,
            Outcome::Cancelled,
        ];
        for outcome in neither {
            assert_eq!(Tally::default().and(outcome), Tally::default(), "{outcome}");
        }
        assert_eq!(Tally::default().and(Outcome::Ok).ok, 1);
    }

    #[test]
    fn a_gate_that_decides_nothing_is_not_sound() {
        for bad in [
            Canary { calls: 0, ..CANARY },
            Canary { share: 0, ..CANARY },
            Canary { share: 501, ..CANARY },
            Canary { tolerance: 1000, ..CANARY },
        ] {
            assert!(!Gate::Canary(bad).is_sound(), "{bad:?}");
        }
        assert!(Gate::Canary(CANARY).is_sound() && Gate::Check.is_sound());
    }

    proptest! {
        #[test]
        fn one_more_failure_never_helps_and_one_more_success_never_hurts(
            ok in 0u64..100, failed in 0u64..100, base_ok in 0u64..100, base_failed in 0u64..100,
            calls in 1u32..60, tolerance in 0u16..999,
        ) {
            let canary = Canary { calls, share: 1, tolerance };
            let base = Tally { ok: base_ok, failed: base_failed };
            let rank = |tally| match judge(&canary, tally, base) {
                GateResult::Failed(_) => 0,
                GateResult::Waiting => 1,
                GateResult::Passed => 2,
            };
            let here = rank(Tally { ok, failed });
            let better = rank(Tally { ok: ok + 1, failed });
            prop_assert!(better >= here);
            let worse = rank(Tally { ok, failed: failed + 1 });
            // A failure can complete the number of calls, and so turn waiting into passed, but never failed into more.
            prop_assert!(here != 0 || worse == 0);
            prop_assert!(worse <= here || u128::from(calls) == u128::from(ok + failed + 1));
        }
    }
}
