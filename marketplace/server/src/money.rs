//! Money: what leases hosts get, what their journals settle to, and what follows from it.
//!
//! ```text
//! host ── wishes ──► leases  ─► budgets, accounts ─► ledger
//! host ── records ─► intake ─► settling ─────────► ledger, earnings, budgets
//! people ─► billing events, refunds, payouts, terms ► ledger
//! chores ─► lost leases, earnings that are due, ledger = meter
//! ```
//!
//! Each flow is one transaction that holds the ledger's head from its first statement on, so that two of
//! them never see half of each other. Who pays what is soma-market's to say; nothing here decides it.

mod alarm;
mod billing;
mod budgets;
mod check;
mod chores;
mod error;
mod intake;
mod journal;
mod leases;
mod payouts;
mod settling;
mod terms;
#[cfg(test)]
pub(crate) mod tests;

pub(crate) use billing::{NewEntry, NewRefund, Stretch};
pub(crate) use budgets::{measure_of, own_scope, scope_of};
pub(crate) use check::{Checked, Checks};
pub(crate) use error::MoneyError;
pub(crate) use intake::Pusher;
pub(crate) use payouts::PayoutMove;

use soma_policy::Millis;

/// Calls start on a lease for so long after it was given, at most to the end of the UTC day.
const START_FOR: Millis = Millis(30 * 60_000);
/// A lease is lost so long after its last call could start.
const LOST_AFTER: Millis = Millis(2 * 3_600_000);
/// A lease that nothing was settled of for so long is asked back.
const IDLE_AFTER: Millis = Millis(10 * 60_000);
/// Earnings are available so long after the end of their day.
pub(crate) const HOLD: Millis = Millis(14 * 86_400_000);
