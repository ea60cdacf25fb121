//! What a call costs: rates, outcomes, taxes and the split, as exact integers.
//!
//! It lies in this crate because two sides compute it and must agree to the micro-unit: a host, which
//! reserves [`worst`] before a call and charges [`charge()`] after it, and the control plane, which settles
//! the receipt. Deliberately absent: accounts, leases, and what an offer includes per period.

mod book;
mod charge;
mod outcomes;
mod ratio;
mod share;
#[cfg(test)]
mod tests;

pub use book::{Item, PriceBook};
pub use charge::{Charge, Origin, charge, worst};
pub use outcomes::{Bearer, Bill, OutcomeKind, OutcomeTable, Row};
pub use ratio::{Ratio, half_even};
pub use share::{Split, Tax, TaxName, Terms};

use crate::amount::{Currency, Money};
use crate::canonical::CanonicalError;
use crate::code::Code;

/// Why something has no price.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PriceError {
    /// A product or sum beyond 64 bits of micro-units.
    #[error("the amount of {0} is beyond what a ledger holds")]
    Overflow(&'static str),
    /// Amounts of different currencies are never compared.
    #[error("the price is {price}, the price book is in {book}")]
    Currency {
        /// The author's price.
        price: Money,
        /// The currency of the terms.
        book: Currency,
    },
    /// Authors pay no one for being called.
    #[error("the price `{0}` is negative")]
    Negative(Money),
    /// An outcome table that breaks a rule.
    #[error("the outcome table is not valid: {0}")]
    Table(String),
    /// Terms that break a rule.
    #[error("the terms are not valid: {0}")]
    Terms(String),
    /// What has no canonical form has no digest.
    #[error("the terms have no canonical form")]
    Canonical(#[from] CanonicalError),
}

impl PriceError {
    /// Its code in the catalogue.
    #[must_use]
    pub const fn code(&self) -> Code {
        match self {
            Self::Overflow(_) => Code::MoneyOverflow,
            Self::Currency { .. } => Code::MoneyCurrency,
            Self::Negative(_) => Code::OfferBad,
            Self::Table(_) => Code::OutcomeTableBad,
            Self::Terms(_) | Self::Canonical(_) => Code::TermsBad,
        }
    }
}
