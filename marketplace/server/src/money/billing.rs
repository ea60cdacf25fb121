//! What people and providers enter: top-ups, withdrawals, credits, adjustments; and what is given back.

use std::collections::BTreeMap;

use serde_json::json;
use soma_market::budget::Window;
use soma_market::earnings::EarningCommand;
use soma_market::ledger::{
    Account, BillingEvent, Cause, EventKind, Line, Posting, Reversal, ReversalKind, TransferKind,
    author_statement, reverse, tenant_statement,
};
use soma_market::{Refusal, Words};
use soma_policy::{Code, Currency, EntryId, Money, OrgId, Timestamp};

use super::MoneyError;
use crate::audit::Act;
use crate::server::Server;
use crate::store::{EventRow, PlatformUnit, StoreError, state_of};

/// An entry that somebody makes.
#[derive(Debug, Clone)]
pub(crate) struct NewEntry {
    pub(crate) org: OrgId,
    pub(crate) kind: EventKind,
    pub(crate) amount: Money,
    pub(crate) reason: Words,
}

/// A refund that somebody makes: it names what it takes back.
#[derive(Debug, Clone)]
pub(crate) struct NewRefund {
    pub(crate) kind: ReversalKind,
    pub(crate) original: Cause,
    pub(crate) amount: Money,
    pub(crate) reason: Words,
}

/// What was entered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entered {
    pub(crate) row: EventRow,
    pub(crate) posting: Posting,
}

impl Server {
    /// Enters a top-up, withdrawal, credit or adjustment.
    pub(crate) async fn enter(
        &self,
        unit: &mut PlatformUnit,
        new: NewEntry,
        actor: &str,
    ) -> Result<Entered, MoneyError> {
        let now = self.now();
        let missing =
            || Refusal::new(Code::NotFound, "enter", format!("there is no org `{}`", new.org));
        unit.org(&new.org).await?.ok_or_else(missing)?;
        let NewEntry { org, kind, amount, reason } = new;
        let id = EntryId::from_u128(self.clock.fresh_id());
        let text = reason.as_str().to_owned();
        let posting = BillingEvent { amount, id, kind, org: org.clone(), reason }.post(now)?;
        let mut book = unit.book(&self.platform).await?;
        book.post(&posting, None)?;
        unit.keep(book, now).await?;
        let row = EventRow {
            id,
            org,
            kind: kind.as_str().to_owned(),
            amount,
            reason: text,
            original: None,
            entered_by: actor.to_owned(),
            at: now,
        };
        self.tell(unit, &row).await?;
        Ok(Entered { row, posting })
    }

    /// Takes a part of what was paid back, by an entry that names its original.
    pub(crate) async fn refund(
        &self,
        unit: &mut PlatformUnit,
        new: NewRefund,
        actor: &str,
    ) -> Result<Entered, MoneyError> {
        let now = self.now();
        let NewRefund { kind, original: cause, amount, reason } = new;
        if !matches!(cause, Cause::Receipt(_) | Cause::Fee(..) | Cause::Entry(_)) {
            let rule =
                format!("`original`: nobody paid for `{cause}`; name a receipt, fee or entry");
            return Err(Refusal::new(Code::FieldBad, kind.as_str(), rule).into());
        }
        let mut book = unit.book(&self.platform).await?;
        let original = unit.posting(&cause, amount.currency).await?;
        let unknown = || {
            let reason = format!("nothing was posted for `{cause}` in {}", amount.currency);
            Refusal::new(Code::ReceiptUnknown, kind.as_str(), reason)
        };
        let original = original.ok_or_else(unknown)?;
        let earlier = unit.reversals(&cause, amount.currency).await?;
        let (author, day) = (original.about.author.clone(), Window::day(original.at));
        let earning = match &author {
            Some(author) => unit.earning(author, amount.currency, day).await?,
            None => None,
        };
        let id = EntryId::from_u128(self.clock.fresh_id());
        let ask = Reversal { amount, earning: state_of(earning.as_ref()), id, kind };
        // What took nothing of a tenant's is the asker's mistake, not the ledger's.
        let posting =
            reverse(&original, &earlier, &ask, now).map_err(|refusal| match refusal.code {
                Code::PostingBad => Refusal { code: Code::FieldBad, ..refusal },
                _ => refusal,
            })?;
        let share = Money { micros: posting.total(TransferKind::AuthorShare), ..amount };
        if let Some(earning) = earning.filter(|_| share.micros > 0) {
            unit.set_earning(&earning.apply(EarningCommand::Reverse(share), now)?.0).await?;
        }
        book.post(&posting, Some(&cause))?;
        unit.keep(book, now).await?;
        let gone = StoreError::Corrupt { column: "tenant", expected: "an org" };
        let row = EventRow {
            id,
            org: original.about.org.ok_or(gone)?,
            kind: kind.as_str().to_owned(),
            amount,
            reason: reason.as_str().to_owned(),
            original: Some(cause.to_string()),
            entered_by: actor.to_owned(),
            at: now,
        };
        self.tell(unit, &row).await?;
        Ok(Entered { row, posting })
    }

    /// How far below zero a tenant's account may go.
    pub(crate) async fn set_credit(
        &self,
        unit: &mut PlatformUnit,
        (org, limit): (&OrgId, Money),
        actor: &str,
    ) -> Result<(), MoneyError> {
        let least = soma_market::ledger::Funding::credit(limit)?.floor();
        let missing =
            || Refusal::new(Code::NotFound, "grant credit", format!("there is no org `{org}`"));
        unit.org(org).await?.ok_or_else(missing)?;
        // The head is taken so that nobody posts between reading and setting.
        drop(unit.book(&self.platform).await?);
        unit.set_least(org, limit.currency, least, self.now()).await?;
        let detail = json!({ "limit": limit });
        unit.audit(&self.note(org, actor, Act::CreditSet, Account::Tenant(org.clone()), &detail))
            .await?;
        Ok(())
    }

    async fn tell(&self, unit: &mut PlatformUnit, row: &EventRow) -> Result<(), StoreError> {
        unit.insert_event(row).await?;
        let detail = json!({
            "amount": row.amount,
            "kind": row.kind,
            "original": row.original,
        });
        let entry = self.note(&row.org, &row.entered_by, Act::BillingEntered, row.id, &detail);
        unit.audit(&entry).await?;
        unit.change(&self.event(&row.org, "billing-entered", row.id, &detail)).await
    }
}

/// A currency's books between two instants, for a statement.
pub(crate) struct Stretch<'a> {
    pub(crate) org: &'a OrgId,
    pub(crate) currency: Currency,
    pub(crate) from: Timestamp,
    pub(crate) until: Timestamp,
    pub(crate) author: bool,
}

impl PlatformUnit {
    /// What a stretch of time did to an org: balance before, lines with their sums, balance after.
    pub(crate) async fn statement(
        &mut self,
        it: &Stretch<'_>,
        window: Window,
    ) -> Result<(i64, BTreeMap<Line, Money>, i64), MoneyError> {
        let opening = self.balance_before(it.org, it.currency, it.from, it.author).await?;
        let (mut after, mut balance) = (0, opening);
        let mut lines: BTreeMap<Line, Money> = BTreeMap::new();
        loop {
            let span = (it.from, it.until);
            let more = self.postings_between(it.org, it.currency, span, after).await?;
            let Some((last, _)) = more.last() else { return Ok((opening, lines, balance)) };
            after = *last;
            let postings = more.iter().map(|(_, posting)| posting);
            let part = if it.author {
                author_statement(it.org, window, it.currency, balance, postings)?
            } else {
                tenant_statement(it.org, window, it.currency, balance, postings)?
            };
            balance = part.closing.micros;
            for (line, amount) in part.lines {
                let sum = lines.entry(line).or_insert(Money::zero(it.currency));
                sum.micros = soma_market::money::add(sum.micros, amount.micros, "statement")?;
            }
        }
    }
}
