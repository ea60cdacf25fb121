//! From usage and outcome to a charge, line by line; and the worst that a call can cost.

use super::{Bearer, Bill, Item, PriceError, Terms};
use crate::amount::{Currency, Money};
use crate::limits::Limits;
use crate::outcome::Outcome;
use crate::receipt::{Receipt, Usage};

/// Where a call came from: what a caller's usage holds already is not asked for twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// From outside.
    Outside,
    /// From another call's guest. Its CPU time, outbound bytes and tokens are in the caller's usage.
    Guest,
}

impl Origin {
    /// Where a receipt's call came from.
    #[must_use]
    pub const fn of(receipt: &Receipt) -> Self {
        if receipt.facts.parent.is_some() { Self::Guest } else { Self::Outside }
    }
}

/// What a call costs, in micro-units of one currency, and who bears it. No part is negative.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Charge {
    /// The author's price.
    pub author: i64,
    /// Who pays.
    pub bearer: Bearer,
    /// Of all of it.
    pub currency: Currency,
    /// The platform's lines, in the order of [`Item::ALL`].
    pub resources: [i64; Item::ALL.len()],
    /// The taxes, in the order of the terms. None on what the platform bears.
    pub taxes: Vec<i64>,
}

impl Charge {
    /// Resources and author's price, without taxes.
    ///
    /// # Errors
    /// [`PriceError::Overflow`].
    pub fn net(&self) -> Result<i64, PriceError> {
        sum(self.resources.iter().copied().chain([self.author]))
    }

    /// All of it.
    ///
    /// # Errors
    /// [`PriceError::Overflow`].
    pub fn total(&self) -> Result<Money, PriceError> {
        let micros = sum(self.taxes.iter().copied().chain([self.net()?]))?;
        Ok(Money { micros, currency: self.currency })
    }

    /// The same, borne by the platform: without taxes, because nobody was sold anything.
    #[must_use]
    pub fn absorbed(self) -> Self {
        Self { bearer: Bearer::Platform, taxes: Vec::new(), ..self }
    }

    /// Computes the taxes again, after parts of the charge have changed.
    ///
    /// # Errors
    /// [`PriceError::Overflow`].
    pub fn taxed(self, terms: &Terms) -> Result<Self, PriceError> {
        let taxes = match self.bearer {
            Bearer::Tenant => terms.tax(self.net()?)?,
            Bearer::Platform => Vec::new(),
        };
        Ok(Self { taxes, ..self })
    }
}

fn sum(parts: impl Iterator<Item = i64>) -> Result<i64, PriceError> {
    let mut total = 0i64;
    for part in parts {
        total = total.checked_add(part).ok_or(PriceError::Overflow("the charge"))?;
    }
    Ok(total)
}

/// What a call that ended so costs. `price` is the author's for this call; none if the offer asks nothing.
///
/// # Errors
/// When the price is negative or in another currency, or a line overflows.
pub fn charge(
    terms: &Terms,
    price: Option<Money>,
    origin: Origin,
    usage: &Usage,
    outcome: Outcome,
) -> Result<Charge, PriceError> {
    let row = terms.outcomes().row(outcome);
    let author = if row.author { micros(terms, price)? } else { 0 };
    let resources = lines(terms, origin, usage, row.resources)?;
    let bearer = row.bearer;
    Charge { author, bearer, currency: terms.currency(), resources, taxes: Vec::new() }.taxed(terms)
}

/// The most that a call under these limits can cost a tenant: what is reserved before it starts.
///
/// A meter may pass a limit by what one poll of the guest takes; what then does not fit the lease is the
/// platform's loss, never the tenant's.
///
/// # Errors
/// As [`charge`].
pub fn worst(
    terms: &Terms,
    price: Option<Money>,
    origin: Origin,
    limits: &Limits,
) -> Result<Money, PriceError> {
    let usage = Usage {
        cpu_us: limits.cpu.0.saturating_mul(1000),
        http_sent: limits.hostcall.0,
        memory_peak: limits.memory.0,
        wall_us: limits.wall.0.saturating_mul(1000),
        ..Usage::default()
    };
    let resources = lines(terms, origin, &usage, Bill::All)?;
    let (author, currency) = (micros(terms, price)?, terms.currency());
    Charge { author, bearer: Bearer::Tenant, currency, resources, taxes: Vec::new() }
        .taxed(terms)?
        .total()
}

fn micros(terms: &Terms, price: Option<Money>) -> Result<i64, PriceError> {
    match price {
        None => Ok(0),
        Some(price) if price.micros < 0 => Err(PriceError::Negative(price)),
        Some(price) if price.micros > 0 && price.currency != terms.currency() => {
            Err(PriceError::Currency { price, book: terms.currency() })
        }
        Some(price) => Ok(price.micros),
    }
}

fn lines(
    terms: &Terms,
    origin: Origin,
    usage: &Usage,
    bill: Bill,
) -> Result<[i64; Item::ALL.len()], PriceError> {
    let mut lines = [0; Item::ALL.len()];
    for (line, item) in lines.iter_mut().zip(Item::ALL) {
        let asked = match bill {
            Bill::Nothing => false,
            Bill::Usage => item != Item::Call,
            Bill::All => true,
        };
        if asked && !(origin == Origin::Guest && item.is_absorbed()) {
            *line = terms.book().line(item, usage)?;
        }
    }
    Ok(lines)
}
