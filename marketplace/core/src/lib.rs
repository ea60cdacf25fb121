//! The rules of the marketplace: who may publish, review, install and stop what, and who pays whom for it.
//!
//! Pure and synchronous: no I/O, no clock, no randomness, no task. Ids, instants and documents come in as
//! values; each rule takes a state and a command and gives the next state or a refusal, so that a store can
//! keep it with a conditional update and a test can replay it in microseconds.
#![forbid(unsafe_code)]

// Money.
pub mod budget;
pub mod earnings;
pub mod lease;
pub mod ledger;
pub mod money;
pub mod offer;
pub mod payout;
pub mod settle;

// Releases and installations.
pub mod diff;
mod digested;
pub mod finding;
#[cfg(test)]
mod fixture;
pub mod install;
pub mod kill;
mod named;
pub mod namespace;
pub mod org;
pub mod rating;
mod refusal;
pub mod release;
pub mod review;
pub mod risk;
mod step;
mod words;

pub use digested::Digested;
pub use named::UnknownName;
pub use refusal::Refusal;
pub use step::Step;
pub use words::Words;
