//! Double entry: accounts, transfers, postings and what follows from them.
//!
//! A row is a transfer from one account to another, so every posting balances by construction and the sum of
//! all accounts is zero in every currency. Rows are never changed: a way back is a posting of its own that
//! names its original. Deliberately absent: who owes what (`settle`), and how rows are kept.

mod account;
mod balance;
mod cause;
mod chain;
mod event;
mod funding;
mod posting;
mod reversal;
mod statement;
#[cfg(test)]
mod tests;
mod transfer;

pub use account::{Account, AccountError};
pub use balance::{Balances, differences, next_balance, trial};
pub use cause::{Cause, CauseError, PayoutStep, ReceiptKey};
pub use chain::{link, verify};
pub use event::{BillingEvent, EventKind};
pub use funding::Funding;
pub use posting::{About, Draft, Posting};
pub use reversal::{Reversal, ReversalKind, refundable, reverse};
pub use statement::{Line, Statement, author_statement, tenant_statement};
pub use transfer::{Transfer, TransferKind};
