//! Refunds and chargebacks: postings that name their original and take back a part of it, line by line.
//!
//! A part is divided over what is left of the lines that the tenant paid, so author, platform and taxes give
//! back in proportion, and all reversals together never take back more than there was.

use soma_policy::{Code, EntryId, Money, OrgId, Timestamp, TransferId};

use super::{About, Account, Cause, Draft, Posting, Transfer, TransferKind};
use crate::Refusal;
use crate::earnings::EarningState;
use crate::money;
use crate::named::named;

named! {
    /// Who asked for the money back.
    ReversalKind "a kind of reversal" {
        /// The platform or the author gives it back.
        Refund "refund",
        /// The tenant's bank took it back: it happened already, no floor refuses it.
        Chargeback "chargeback",
    }
}

/// What is taken back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reversal {
    /// How much of what the tenant paid.
    pub amount: Money,
    /// Where the author's share is now.
    pub earning: EarningState,
    /// Its id.
    pub id: EntryId,
    /// Who asked.
    pub kind: ReversalKind,
}

/// How much of a posting may still be taken back, after these reversals of it.
///
/// # Errors
/// [`Code::PostingBad`] when the posting cannot be reversed at all, [`Code::MoneyOverflow`].
pub fn refundable(original: &Posting, earlier: &[Posting]) -> Result<Money, Refusal> {
    let left = left(original, earlier)?;
    let micros = money::sum(left.iter().map(|(_, left)| *left), "refund")?;
    Ok(Money { micros, currency: original.currency })
}

/// The posting that takes a part of another one back. The tenant's account gets it, whatever lease paid.
///
/// # Errors
/// [`Code::RefundTooLarge`] with what is left, [`Code::MoneyCurrency`], [`Code::AmountBad`],
/// [`Code::PostingBad`] for a posting that moved nothing of a tenant's.
pub fn reverse(
    original: &Posting,
    earlier: &[Posting],
    ask: &Reversal,
    at: Timestamp,
) -> Result<Posting, Refusal> {
    let tried = ask.kind.as_str();
    money::same(ask.amount.currency, original.currency, tried)?;
    let wanted = money::positive(ask.amount, tried)?;
    let org = tenant(original)?;
    let left = left(original, earlier)?;
    let most = refundable(original, earlier)?;
    if wanted > most.micros {
        let reason = format!("{} of `{}`, of which {most} is left", ask.amount, original.cause);
        return Err(Refusal::new(Code::RefundTooLarge, tried, reason));
    }
    let lines: Vec<i64> = left.iter().map(|(_, left)| *left).collect();
    let cause = Cause::Refund(ask.id);
    let mut draft = Draft::new(cause, original.currency, original.about.clone(), at);
    for ((row, _), share) in left.into_iter().zip(money::apportion(wanted, &lines)?) {
        let (debit, credit) = back(row, org, ask.earning);
        draft = draft.add(row.kind, debit, credit, share, Some(row.id))?;
    }
    let draft = if ask.kind == ReversalKind::Chargeback { draft.forced() } else { draft };
    draft.whole()
}

/// From where and to where a row's money goes back.
fn back(row: &Transfer, org: &OrgId, earning: EarningState) -> (Account, Account) {
    let debit = match (&row.credit, earning) {
        (Account::Pending(author), EarningState::Available) => Account::Available(author.clone()),
        (credit, _) => credit.clone(),
    };
    let credit = match &row.debit {
        Account::Lease(_) => Account::Tenant(org.clone()),
        other => other.clone(),
    };
    (debit, credit)
}

/// The rows that moved a tenant's money, each with what is left of it.
fn left<'a>(
    original: &'a Posting,
    earlier: &[Posting],
) -> Result<Vec<(&'a Transfer, i64)>, Refusal> {
    let may = matches!(original.cause, Cause::Receipt(_) | Cause::Fee(..) | Cause::Entry(_));
    let rows = original.transfers.iter().filter(|row| may && is_the_tenants(row));
    let left: Result<Vec<_>, Refusal> = rows
        .map(|row| Ok((row, money::sub(row.amount, reversed(row.id, earlier)?, "refund")?)))
        .collect();
    let left = left?;
    if left.is_empty() {
        let reason = format!("`{}` took nothing of a tenant's", original.cause);
        return Err(Refusal::new(Code::PostingBad, "refund", reason));
    }
    Ok(left)
}

fn reversed(row: TransferId, earlier: &[Posting]) -> Result<i64, Refusal> {
    let rows = earlier.iter().flat_map(|posting| &posting.transfers);
    money::sum(rows.filter(|back| back.reverses == Some(row)).map(|back| back.amount), "refund")
}

/// A tenant paid this, or it was a top-up of one. Gifts and corrections are corrected by adjustments.
fn is_the_tenants(row: &Transfer) -> bool {
    match row.kind {
        TransferKind::TopUp => row.debit == Account::Outside,
        TransferKind::Credit | TransferKind::Adjustment => false,
        _ => matches!(row.debit, Account::Tenant(_) | Account::Lease(_)),
    }
}

fn tenant(original: &Posting) -> Result<&OrgId, Refusal> {
    let About { org, .. } = &original.about;
    let refuse = || {
        let reason = format!("`{}` belongs to no tenant", original.cause);
        Refusal::new(Code::PostingBad, "refund", reason)
    };
    org.as_ref().ok_or_else(refuse)
}
