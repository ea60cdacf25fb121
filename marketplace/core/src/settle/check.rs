//! Ledger equals meter: a receipt is priced again and compared with what was posted for it.
//!
//! Who paid depends on the lease at that time; how much was asked does not. So each line is compared, whoever
//! paid it, and taxes by their rule: only on what a tenant paid.

use serde::Serialize;
use soma_policy::price::{Item, Origin, Terms, charge};
use soma_policy::{Code, Receipt};

use super::Note;
use crate::Refusal;
use crate::ledger::{Account, Posting, TransferKind};
use crate::money;
use crate::offer::Asked;

/// A line that differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct MeterDifference {
    /// Which line; shares of the author's price are one line, named by the author's.
    pub line: TransferKind,
    /// What was posted, in micro-units.
    pub posted: i64,
    /// What the receipt says, in micro-units.
    pub priced: i64,
}

/// Prices a settled receipt again. `asked` and `notes` are those of its settlement, and `posted` its rows.
/// An empty answer means that ledger and meter agree.
///
/// # Errors
/// [`Code::MoneyOverflow`] when the receipt cannot be priced.
pub fn recheck(
    receipt: &Receipt,
    terms: &Terms,
    asked: Asked,
    notes: &[Note],
    posted: Option<&Posting>,
) -> Result<Vec<MeterDifference>, Refusal> {
    let unpaid = notes.contains(&Note::Gate) || notes.contains(&Note::WrittenOff);
    let price = asked.price.filter(|_| !unpaid);
    let origin = Origin::of(receipt);
    let expected = match charge(terms, price, origin, &receipt.usage, receipt.outcome) {
        Err(_) if notes.contains(&Note::WrittenOff) => return Ok(Vec::new()),
        expected => expected?,
    };
    let total = |kind| posted.map_or(0, |rows| rows.total(kind));
    let mut lines: Vec<_> = Item::ALL
        .into_iter()
        .zip(expected.resources)
        .map(|(item, priced)| (TransferKind::of(item), priced, total(TransferKind::of(item))))
        .collect();
    let author =
        money::add(total(TransferKind::AuthorShare), total(TransferKind::Commission), "recheck")?;
    lines.push((TransferKind::AuthorShare, expected.author, author));
    let tax = money::sum(terms.tax(paid_by_tenant(posted)?)?, "recheck")?;
    lines.push((TransferKind::Tax, tax, total(TransferKind::Tax)));
    let differs = lines.into_iter().filter(|(_, priced, posted)| priced != posted);
    Ok(differs.map(|(line, priced, posted)| MeterDifference { line, posted, priced }).collect())
}

/// What the lease paid without taxes.
fn paid_by_tenant(posted: Option<&Posting>) -> Result<i64, Refusal> {
    let rows = posted.into_iter().flat_map(|rows| &rows.transfers);
    let net =
        rows.filter(|row| matches!(row.debit, Account::Lease(_)) && row.kind != TransferKind::Tax);
    money::sum(net.map(|row| row.amount), "recheck")
}

impl MeterDifference {
    /// The refusal that stops payouts.
    #[must_use]
    pub fn refusal(&self, cause: &str) -> Refusal {
        let Self { line, posted, priced } = self;
        let reason = format!("`{cause}`: {posted} micro-units posted for {line}, {priced} metered");
        Refusal::new(Code::LedgerDiffers, "recheck", reason)
    }
}
