//! The rows of a settlement: one for each line, from who pays it to who gets it.

use soma_policy::price::{Charge, Item, Origin};
use soma_policy::{Currency, Money, Receipt};

use super::{Case, Note, Settlement};
use crate::Refusal;
use crate::lease::{Lease, Payer, Spent};
use crate::ledger::{Account, Cause, Draft, TransferKind};
use crate::money;

/// The settlement of a charge that is paid so.
pub(super) fn settlement(
    case: &Case<'_>,
    charge: &Charge,
    spent: Spent,
    included: bool,
    notes: Vec<Note>,
) -> Result<Settlement, Refusal> {
    let from = |payer| match payer {
        Payer::Lease => Account::Lease(case.lease.id),
        Payer::Loss => Account::Loss,
    };
    let currency = charge.currency;
    let mut draft = Draft::new(Cause::Receipt(case.key), currency, case.about(), case.at);
    for (item, line) in Item::ALL.into_iter().zip(charge.resources) {
        let kind = TransferKind::of(item);
        draft = draft.row(kind, from(spent.resources), Account::Revenue, line)?;
    }
    let (share, commission) = case.terms.split().divide(charge.author)?;
    let pending = Account::Pending(case.author.clone());
    draft = draft.row(TransferKind::AuthorShare, from(spent.author), pending, share)?.row(
        TransferKind::Commission,
        from(spent.author),
        Account::Revenue,
        commission,
    )?;
    for (tax, line) in case.terms.taxes().iter().zip(&spent.taxes) {
        let account = Account::Tax(tax.name.clone());
        draft = draft.row(TransferKind::Tax, from(Payer::Lease), account, *line)?;
    }
    let posting = draft.finish();
    let money = |micros| Money { micros, currency };
    let given = |account: &Account| posting.as_ref().map_or(0, |rows| -rows.effect_on(account));
    Ok(Settlement {
        earned: money(share),
        included,
        loss: money(given(&Account::Loss)),
        tenant: money(given(&Account::Lease(case.lease.id))),
        lease: spent.lease,
        notes,
        posting,
    })
}

/// A settlement in which nothing moves.
pub(super) fn nothing(
    lease: Lease,
    currency: Currency,
    notes: Vec<Note>,
) -> Result<Settlement, Refusal> {
    let zero = Money::zero(currency);
    Ok(Settlement {
        earned: zero,
        included: false,
        lease,
        loss: zero,
        notes,
        posting: None,
        tenant: zero,
    })
}

/// Counts the bytes of a receipt on its lease, at most what the lease holds: they flowed already. Says
/// whether there were more. A call of a guest is in its caller's count.
pub(super) fn take_bytes(lease: &mut Lease, receipt: &Receipt) -> Result<bool, Refusal> {
    if Origin::of(receipt) == Origin::Guest || !lease.state.is_live() {
        return Ok(false);
    }
    let flowed = receipt.usage.http_sent.saturating_add(receipt.usage.http_received);
    let flowed = i64::try_from(flowed).unwrap_or(i64::MAX);
    let left = money::sub(lease.granted.bytes, lease.used.bytes, "bytes")?;
    lease.used.bytes = money::add(lease.used.bytes, flowed.min(left), "bytes")?;
    Ok(flowed > left)
}
