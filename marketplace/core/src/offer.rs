//! Offers: what an author asks. Immutable: another price is another offer, and asks the tenant again.
//!
//! The canonical form of an offer is the manifest's `[price]` table, so that its digest is the one which
//! installations accept, hosts write into receipts and the ledger settles by.

mod fee;
mod rise;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};
use soma_policy::{Code, Currency, Digest, Millis, Money, Period, Timestamp, canonical};

pub use fee::fee;
pub use rise::rises;

use crate::Refusal;
use crate::budget::Window;
use crate::named::named;
use soma_policy::price::PriceError;

const DAY_MS: u64 = 86_400_000;

named! {
    /// How an offer asks.
    OfferKind "a kind of offer" {
        /// Nothing.
        Free "free",
        /// Per call.
        Usage "usage",
        /// A fee per period and nothing per call.
        Flat "flat",
        /// Some calls per period are included, more are paid per call.
        Included "included",
    }
}

/// A fee per period, whatever is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Flat {
    /// How much; more than nothing.
    pub fee: Money,
    /// Per UTC day or month.
    pub per: Period,
}

/// Calls per period that cost nothing more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Included {
    /// How many; more than none.
    #[serde(with = "soma_policy::decimal")]
    pub calls: u64,
    /// Per UTC day or month.
    pub per: Period,
}

/// What an author asks.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(try_from = "Raw")]
pub struct Offer {
    #[serde(skip_serializing_if = "Option::is_none")]
    flat: Option<Flat>,
    #[serde(skip_serializing_if = "Option::is_none")]
    included: Option<Included>,
    #[serde(skip_serializing_if = "Option::is_none")]
    per_call: Option<Money>,
    #[serde(skip_serializing_if = "Option::is_none")]
    trial_days: Option<u16>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    #[serde(default)]
    flat: Option<Flat>,
    #[serde(default)]
    included: Option<Included>,
    #[serde(default)]
    per_call: Option<Money>,
    #[serde(default)]
    trial_days: Option<u16>,
}

impl TryFrom<Raw> for Offer {
    type Error = Refusal;
    fn try_from(raw: Raw) -> Result<Self, Refusal> {
        Self::new(raw.per_call, raw.flat, raw.included, raw.trial_days)
    }
}

/// What an installation has used of an offer: counted in the store, per window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct OfferStanding {
    /// When the org first accepted an offer of this capsule: a trial begins once.
    pub accepted_at: Timestamp,
    /// Included calls that were used in the window of the call.
    pub included_used: u64,
}

/// What one call is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asked {
    /// Whether it uses one of the included calls.
    pub included: bool,
    /// The author's price; none if it costs nothing.
    pub price: Option<Money>,
}

impl Offer {
    /// The longest trial.
    pub const TRIAL_DAYS_MAX: u16 = 90;

    /// Costs nothing.
    #[must_use]
    pub const fn free() -> Self {
        Self { flat: None, included: None, per_call: None, trial_days: None }
    }

    /// An offer whose parts fit together.
    ///
    /// # Errors
    /// [`Code::OfferBad`] with the rule that is broken.
    pub fn new(
        per_call: Option<Money>,
        flat: Option<Flat>,
        included: Option<Included>,
        trial_days: Option<u16>,
    ) -> Result<Self, Refusal> {
        let bad = |rule: &str| Err(Refusal::new(Code::OfferBad, "offer", rule));
        let fee = flat.map(|flat| flat.fee);
        let paid = per_call.is_some_and(|price| price.micros > 0);
        if per_call.is_some_and(|price| price.micros < 0) || fee.is_some_and(|fee| fee.micros <= 0)
        {
            return bad("a price is not negative, and a fee is more than nothing");
        }
        if let (Some(price), Some(fee)) = (per_call, fee)
            && price.currency != fee.currency
        {
            return bad("price and fee have one currency");
        }
        if let Some(included) = included {
            if !paid || included.calls == 0 {
                return bad("included calls are some, of calls that would cost something");
            }
            if flat.is_some_and(|flat| flat.per != included.per) {
                return bad("fee and included calls have one period");
            }
        }
        if trial_days.is_some_and(|days| days == 0 || days > Self::TRIAL_DAYS_MAX) {
            return bad("a trial has 1 to 90 days");
        }
        if trial_days.is_some() && !paid && flat.is_none() {
            return bad("what costs nothing has no trial");
        }
        Ok(Self { flat, included, per_call, trial_days })
    }

    /// How it asks.
    #[must_use]
    pub const fn kind(&self) -> OfferKind {
        match (&self.flat, &self.included, &self.per_call) {
            (_, Some(_), _) => OfferKind::Included,
            (None, None, Some(price)) if price.micros > 0 => OfferKind::Usage,
            (None, None, _) => OfferKind::Free,
            (Some(_), None, Some(price)) if price.micros > 0 => OfferKind::Usage,
            (Some(_), None, _) => OfferKind::Flat,
        }
    }

    /// Per call, beyond what is included.
    #[must_use]
    pub const fn per_call(&self) -> Option<Money> {
        self.per_call
    }

    /// Per period.
    #[must_use]
    pub const fn flat(&self) -> Option<Flat> {
        self.flat
    }

    /// Calls per period that cost nothing more.
    #[must_use]
    pub const fn included(&self) -> Option<Included> {
        self.included
    }

    /// Days from the first acceptance in which nothing is asked.
    #[must_use]
    pub const fn trial_days(&self) -> Option<u16> {
        self.trial_days
    }

    /// The currency that it asks in; none if it asks nothing.
    #[must_use]
    pub fn currency(&self) -> Option<Currency> {
        let fee = self.flat.map(|flat| flat.fee);
        fee.or(self.per_call.filter(|price| price.micros > 0)).map(|money| money.currency)
    }

    /// What installations accept and receipts name.
    ///
    /// # Errors
    /// None in practice: offers hold no floats.
    pub fn digest(&self) -> Result<Digest, Refusal> {
        Ok(canonical::digest(self).map_err(PriceError::from)?)
    }

    /// Whether an instant is within the trial.
    #[must_use]
    pub fn on_trial(&self, standing: &OfferStanding, at: Timestamp) -> bool {
        self.trial_days
            .is_some_and(|days| at < standing.accepted_at.plus(Millis(u64::from(days) * DAY_MS)))
    }

    /// What a call is asked that began at `at`, if its outcome asks the author's price at all.
    #[must_use]
    pub fn ask(&self, standing: &OfferStanding, at: Timestamp) -> Asked {
        let included = self.included.is_some_and(|part| standing.included_used < part.calls);
        if self.on_trial(standing, at) {
            Asked { included: false, price: None }
        } else if included {
            Asked { included: true, price: None }
        } else {
            Asked { included: false, price: self.per_call }
        }
    }

    /// The window in which included calls of an instant are counted.
    #[must_use]
    pub fn window(&self, at: Timestamp) -> Option<Window> {
        self.included.map(|included| Window::of(included.per, at))
    }
}
