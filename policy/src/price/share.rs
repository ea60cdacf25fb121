//! What becomes of a charge: the author's share, the platform's, and taxes. With book and table: the terms.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use crate::id::TaxName;

use super::{OutcomeTable, PriceBook, PriceError, Ratio};
use crate::amount::Currency;
use crate::canonical;
use crate::id::Digest;

/// How the author's price is divided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "Ratio", into = "Ratio")]
#[schemars(with = "String")]
pub struct Split(Ratio);

impl Split {
    /// The author's part of the price, at most the whole.
    ///
    /// # Errors
    /// [`PriceError::Terms`] above the whole.
    pub fn new(author: Ratio) -> Result<Self, PriceError> {
        let rule =
            || PriceError::Terms(format!("the author's share `{author}` is above the whole"));
        author.is_part().then_some(Self(author)).ok_or_else(rule)
    }

    /// 70 to the author, 30 to the platform.
    #[must_use]
    pub fn standard() -> Self {
        Self(Ratio::new(7, 10).unwrap_or(Ratio::ZERO))
    }

    /// The author's part and the platform's of an amount that is not negative. Only the first is rounded;
    /// the second is the rest, so that no micro-unit appears or is lost.
    ///
    /// # Errors
    /// [`PriceError::Overflow`] for a negative amount.
    pub fn divide(self, micros: i64) -> Result<(i64, i64), PriceError> {
        let whole = u128::try_from(micros).map_err(|_| PriceError::Overflow("the split"))?;
        let author = self.0.of(whole, 1, "the split")?;
        Ok((author, micros - author))
    }
}

impl TryFrom<Ratio> for Split {
    type Error = PriceError;
    fn try_from(author: Ratio) -> Result<Self, PriceError> {
        Self::new(author)
    }
}

impl From<Split> for Ratio {
    fn from(split: Split) -> Self {
        split.0
    }
}

/// A tax on top of what a tenant pays: a line of its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Tax {
    /// What statements call it, such as `vat-de`.
    pub name: TaxName,
    /// Of the net amount.
    pub rate: Ratio,
}

/// All that a charge depends on besides the receipt and the author's price. Leases name its digest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "Raw")]
pub struct Terms {
    book: PriceBook,
    outcomes: OutcomeTable,
    split: Split,
    taxes: Vec<Tax>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Terms")]
struct Raw {
    book: PriceBook,
    outcomes: OutcomeTable,
    split: Split,
    taxes: Vec<Tax>,
}

impl TryFrom<Raw> for Terms {
    type Error = PriceError;
    fn try_from(raw: Raw) -> Result<Self, PriceError> {
        Self::new(raw.book, raw.outcomes, raw.split, raw.taxes)
    }
}

impl Terms {
    /// Most taxes on one charge.
    pub const TAXES_MAX: usize = 8;

    /// Terms whose taxes have names of their own and rates up to the whole.
    ///
    /// # Errors
    /// [`PriceError::Terms`] with the rule that is broken.
    pub fn new(
        book: PriceBook,
        outcomes: OutcomeTable,
        split: Split,
        taxes: Vec<Tax>,
    ) -> Result<Self, PriceError> {
        let names: BTreeSet<&TaxName> = taxes.iter().map(|tax| &tax.name).collect();
        if taxes.len() > Self::TAXES_MAX || names.len() != taxes.len() {
            let rule = format!("there are at most {} taxes, each once", Self::TAXES_MAX);
            return Err(PriceError::Terms(rule));
        }
        if let Some(tax) = taxes.iter().find(|tax| !tax.rate.is_part()) {
            return Err(PriceError::Terms(format!("the tax `{}` is above the whole", tax.name)));
        }
        Ok(Self { book, outcomes, split, taxes })
    }

    /// Standard outcomes and split, no taxes, nothing for resources.
    #[must_use]
    pub fn free(currency: Currency) -> Self {
        Self {
            book: PriceBook::free(currency),
            outcomes: OutcomeTable::standard(),
            split: Split::standard(),
            taxes: Vec::new(),
        }
    }

    /// The price book.
    #[must_use]
    pub const fn book(&self) -> &PriceBook {
        &self.book
    }

    /// The outcome table.
    #[must_use]
    pub const fn outcomes(&self) -> &OutcomeTable {
        &self.outcomes
    }

    /// How the author's price is divided.
    #[must_use]
    pub const fn split(&self) -> Split {
        self.split
    }

    /// The taxes, in the order of their lines.
    #[must_use]
    pub fn taxes(&self) -> &[Tax] {
        &self.taxes
    }

    /// The currency of all of it.
    #[must_use]
    pub const fn currency(&self) -> Currency {
        self.book.currency
    }

    /// What leases name.
    ///
    /// # Errors
    /// None in practice: terms hold no floats.
    pub fn digest(&self) -> Result<Digest, PriceError> {
        Ok(canonical::digest(self)?)
    }

    /// The lines of all taxes on a net amount, in micro-units.
    ///
    /// # Errors
    /// [`PriceError::Overflow`] for a line beyond 63 bits or a negative amount.
    pub fn tax(&self, net: i64) -> Result<Vec<i64>, PriceError> {
        let net = u128::try_from(net).map_err(|_| PriceError::Overflow("tax"))?;
        self.taxes.iter().map(|tax| tax.rate.of(net, 1, "tax")).collect()
    }
}
