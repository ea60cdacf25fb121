//! What a lease holds and a budget caps: a vector of money, bytes, tokens and storage.

use std::fmt;

use serde::{Deserialize, Serialize};
use soma_policy::{Bytes, Currency, Money};

use crate::Refusal;
use crate::money;

/// One coordinate of the vector.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Measure {
    /// Micro-units of a currency.
    Money(Currency),
    /// Bytes by outbound HTTP, both ways.
    Bytes,
    /// Model tokens.
    Tokens,
    /// Bytes kept: key-value entries and files.
    Storage,
}

impl Measure {
    /// An amount of it, for people.
    #[must_use]
    pub fn show(self, amount: i64) -> String {
        match self {
            Self::Money(currency) => Money { micros: amount, currency }.to_string(),
            Self::Bytes | Self::Storage => Bytes(amount.unsigned_abs()).to_string(),
            Self::Tokens => format!("{amount} tokens"),
        }
    }
}

impl fmt::Display for Measure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Money(currency) => write!(f, "money:{currency}"),
            Self::Bytes => f.write_str("bytes"),
            Self::Tokens => f.write_str("tokens"),
            Self::Storage => f.write_str("storage"),
        }
    }
}

/// So much of each measure. No coordinate is negative in what a lease holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Amounts {
    /// Bytes by outbound HTTP, both ways.
    #[serde(with = "soma_policy::decimal")]
    pub bytes: i64,
    /// Money.
    pub money: Money,
    /// Bytes kept.
    #[serde(with = "soma_policy::decimal")]
    pub storage: i64,
    /// Model tokens.
    #[serde(with = "soma_policy::decimal")]
    pub tokens: i64,
}

impl Amounts {
    /// Nothing.
    #[must_use]
    pub const fn none(currency: Currency) -> Self {
        Self { bytes: 0, money: Money::zero(currency), storage: 0, tokens: 0 }
    }

    /// Money alone.
    #[must_use]
    pub const fn of(money: Money) -> Self {
        Self { money, ..Self::none(money.currency) }
    }

    /// Its coordinates.
    #[must_use]
    pub const fn each(&self) -> [(Measure, i64); 4] {
        [
            (Measure::Money(self.money.currency), self.money.micros),
            (Measure::Bytes, self.bytes),
            (Measure::Tokens, self.tokens),
            (Measure::Storage, self.storage),
        ]
    }

    /// Whether no coordinate is negative.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.each().iter().all(|(_, amount)| *amount >= 0)
    }

    /// Whether all of it is nothing.
    #[must_use]
    pub fn is_none(&self) -> bool {
        self.each().iter().all(|(_, amount)| *amount == 0)
    }

    /// Whether each coordinate is at least the other's, in one currency.
    #[must_use]
    pub fn covers(&self, inner: &Self) -> bool {
        self.money.currency == inner.money.currency
            && self.each().iter().zip(inner.each()).all(|((_, have), (_, want))| *have >= want)
    }

    /// The sum.
    ///
    /// # Errors
    /// [`soma_policy::Code::MoneyOverflow`] or [`soma_policy::Code::MoneyCurrency`].
    pub fn plus(&self, more: &Self) -> Result<Self, Refusal> {
        self.with(more, money::add)
    }

    /// The difference.
    ///
    /// # Errors
    /// [`soma_policy::Code::MoneyOverflow`] or [`soma_policy::Code::MoneyCurrency`].
    pub fn less(&self, part: &Self) -> Result<Self, Refusal> {
        self.with(part, money::sub)
    }

    fn with(
        &self,
        other: &Self,
        op: fn(i64, i64, &'static str) -> Result<i64, Refusal>,
    ) -> Result<Self, Refusal> {
        money::same(other.money.currency, self.money.currency, "amounts")?;
        let micros = op(self.money.micros, other.money.micros, "money")?;
        Ok(Self {
            bytes: op(self.bytes, other.bytes, "bytes")?,
            money: Money { micros, ..self.money },
            storage: op(self.storage, other.storage, "storage")?,
            tokens: op(self.tokens, other.tokens, "tokens")?,
        })
    }
}
