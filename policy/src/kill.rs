//! The kill switch as a rule: orders and lifts that merge as a union, and what they forbid now.
//!
//! [`KillState`] is what was ever accepted; it only grows, so the order of arrival does not matter.
//! [`KillSet`] is what stands at one moment, indexed for the hot path. Signatures are checked elsewhere; what
//! comes in here names the persons whose keys signed. Time comes in as host uptime, because a suspension
//! must not lapse or live on by moving a wall clock.

mod document;
mod operators;
mod scope;
mod set;
mod state;

pub use document::{KillOrder, Lift, LiftReason, Reason, Severity};
pub use operators::{Operator, Operators, OperatorsError, Signed};
pub use scope::{KillScope, ScopeError};
pub use set::{KillSet, KillSubject};
pub use state::{DocumentKey, KillError, KillState, OrderStatus, SUSPENSION, Standing};

#[cfg(test)]
mod tests;
