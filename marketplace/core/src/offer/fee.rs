//! The flat fee of an offer: once per installation and window, split and taxed as a price is.

use soma_policy::price::Terms;
use soma_policy::{Code, InstallationKey, Timestamp};

use super::{Offer, OfferStanding};
use crate::Refusal;
use crate::budget::Window;
use crate::ledger::{About, Account, Cause, Draft, Posting, TransferKind};
use crate::money;

/// The posting of the fee for the window of `at`; none if the offer has no fee or is on trial.
///
/// The trial counts at the instant of asking: who is still on trial at the start of a window pays for it when
/// the trial has ended, once, because the posting's cause is installation and window.
///
/// # Errors
/// [`Code::MoneyCurrency`], [`Code::MoneyOverflow`], or [`Code::PostingBad`] when `about` names no author.
pub fn fee(
    offer: &Offer,
    standing: &OfferStanding,
    key: &InstallationKey,
    terms: &Terms,
    about: About,
    at: Timestamp,
) -> Result<Option<Posting>, Refusal> {
    let Some(flat) = offer.flat().filter(|_| !offer.on_trial(standing, at)) else {
        return Ok(None);
    };
    let missing = || Refusal::new(Code::PostingBad, "fee", "it names no author");
    let author = about.author.clone().ok_or_else(missing)?;
    let currency = terms.currency();
    money::same(flat.fee.currency, currency, "fee")?;
    let (share, commission) = terms.split().divide(flat.fee.micros)?;
    let tenant = || Account::Tenant(key.org.clone());
    let cause = Cause::Fee(key.clone(), Window::of(flat.per, at));
    let mut draft = Draft::new(cause, currency, about, at)
        .row(TransferKind::AuthorShare, tenant(), Account::Pending(author), share)?
        .row(TransferKind::Commission, tenant(), Account::Revenue, commission)?;
    for (tax, line) in terms.taxes().iter().zip(terms.tax(flat.fee.micros)?) {
        draft = draft.row(TransferKind::Tax, tenant(), Account::Tax(tax.name.clone()), line)?;
    }
    draft.whole().map(Some)
}
