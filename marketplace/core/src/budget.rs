//! Budgets: what may be spent in a UTC day or month, per org, environment and installation.
//!
//! A budget is a cap, not an account: money stays the org's until a lease takes it. What is leased out and
//! not returned counts as committed, so that no number of hosts together spends more. Deliberately absent:
//! what one host does with its lease while calls run ([`Purse`] is that rule, the host has its own meter).

mod amounts;
mod cap;
mod chain;
mod purse;
#[cfg(test)]
mod tests;
mod window;

pub use amounts::{Amounts, Measure};
pub use cap::{Budget, BudgetCommand, Scope};
pub use chain::{give_back, take};
pub use purse::Purse;
pub use window::{Window, WindowError};
