//! Whether a new offer may cost more than the accepted one: then the tenant is asked again.
//!
//! For a period with n calls an offer costs `fee + price × max(0, n − included)`. A rise is an n for which the
//! new cost is above the old. Where that cannot be compared (another currency, another period) it is a rise.

use soma_policy::Period;

use super::Offer;

/// Whether some number of calls costs more under `new` than under `old`.
#[must_use]
pub fn rises(old: &Offer, new: &Offer) -> bool {
    if new.currency().is_none() {
        return false;
    }
    if old.currency() != new.currency() || new.trial_days() < old.trial_days() {
        return true;
    }
    match (period(old), period(new)) {
        (Some(before), Some(after)) if before != after => true,
        _ => costs_more(old, new),
    }
}

/// The period that matters to an offer's cost; none if only the number of calls does.
fn period(offer: &Offer) -> Option<Period> {
    offer.flat().map(|flat| flat.per).or(offer.included().map(|included| included.per))
}

/// Both costs are straight between the numbers of calls that are compared here, and each is a line beyond.
fn costs_more(old: &Offer, new: &Offer) -> bool {
    let included = |offer: &Offer| offer.included().map_or(0, |included| included.calls);
    let corners = [0, included(old), included(new)];
    let price = |offer: &Offer| offer.per_call().map_or(0, |price| price.micros);
    price(new) > price(old) || corners.into_iter().any(|calls| cost(new, calls) > cost(old, calls))
}

fn cost(offer: &Offer, calls: u64) -> i128 {
    let fee = offer.flat().map_or(0, |flat| i128::from(flat.fee.micros));
    let price = offer.per_call().map_or(0, |price| i128::from(price.micros));
    let paid = calls.saturating_sub(offer.included().map_or(0, |included| included.calls));
    fee + price * i128::from(paid)
}
