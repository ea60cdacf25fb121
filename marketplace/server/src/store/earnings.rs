//! What authors earned per UTC day, their payouts, and what people and providers entered.

use soma_market::budget::Window;
use soma_market::earnings::{Earning, EarningState};
use soma_market::payout::Payout;
use soma_policy::{Currency, EntryId, Money, OrgId, PayoutId, Timestamp};

use super::sql::{Row, binds, whole};
use super::{PAGE_MAX, PlatformUnit, StoreError, TenantUnit};

/// A payout with who asked for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PayoutRow {
    pub(crate) payout: Payout,
    pub(crate) requested_by: String,
    pub(crate) version: u64,
    pub(crate) created: Timestamp,
}

/// A top-up, credit, adjustment or refund.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct EventRow {
    pub(crate) id: EntryId,
    pub(crate) org: OrgId,
    /// As the rules name it.
    pub(crate) kind: String,
    pub(crate) amount: Money,
    pub(crate) reason: String,
    /// The cause that a refund takes back.
    pub(crate) original: Option<String>,
    pub(crate) entered_by: String,
    pub(crate) at: Timestamp,
}

fn money(row: &Row) -> Result<Money, StoreError> {
    Ok(Money { micros: row.int("amount")?, currency: row.parsed("currency")? })
}

fn earning(row: &Row) -> Result<Earning, StoreError> {
    let currency: Currency = row.parsed("currency")?;
    Ok(Earning {
        author: row.parsed("org")?,
        earned: Money { micros: row.int("earned")?, currency },
        reversed: row.int("reversed")?,
        state: row.parsed("state")?,
        window: row.parsed("span")?,
    })
}

fn payout(row: &Row) -> Result<PayoutRow, StoreError> {
    Ok(PayoutRow {
        payout: Payout {
            amount: money(row)?,
            author: row.parsed("org")?,
            id: row.parsed("payout_id")?,
            note: row.maybe_parsed("note")?,
            state: row.parsed("state")?,
        },
        requested_by: row.text("requested_by")?,
        version: row.count("version")?,
        created: row.time("created_ms")?,
    })
}

fn event(row: &Row) -> Result<EventRow, StoreError> {
    Ok(EventRow {
        id: row.parsed("entry_id")?,
        org: row.parsed("org")?,
        kind: row.text("kind")?,
        amount: money(row)?,
        reason: row.text("reason")?,
        original: row.maybe_text("original")?,
        entered_by: row.text("entered_by")?,
        at: row.time("at_ms")?,
    })
}

macro_rules! payouts {
    ($rest:literal) => {
        concat!(
            "SELECT payout_id, org, amount, currency, state, note, requested_by, version, created_ms FROM payouts ",
            $rest
        )
    };
}
macro_rules! events {
    ($rest:literal) => {
        concat!(
            "SELECT entry_id, org, kind, amount, currency, reason, original, entered_by, at_ms FROM billing_events ",
            $rest
        )
    };
}

impl PlatformUnit {
    pub(crate) async fn earning(
        &mut self,
        author: &OrgId,
        currency: Currency,
        window: Window,
    ) -> Result<Option<Earning>, StoreError> {
        let sql = "SELECT org, currency, span, earned, reversed, state FROM earnings WHERE org = $1 AND currency = $2 AND span = $3";
        self.tx
            .one(sql, binds![author.as_str(), currency.as_str(), &window.to_string()])
            .await?
            .as_ref()
            .map(earning)
            .transpose()
    }

    /// Keeps an earning. Whoever does so holds the ledger's head, so nobody else is at it.
    pub(crate) async fn set_earning(&mut self, it: &Earning) -> Result<(), StoreError> {
        let sql = "INSERT INTO earnings (org, currency, span, earned, reversed, state, ends_ms) VALUES ($1, $2, $3, $4, $5, $6, $7) \
                   ON CONFLICT (org, currency, span) DO UPDATE SET earned = $4, reversed = $5, state = $6";
        let (currency, span) = (it.earned.currency.to_string(), it.window.to_string());
        let binds = binds![
            it.author.as_str(),
            &currency,
            &span,
            it.earned.micros,
            it.reversed,
            it.state.as_str(),
            it.window.end()
        ];
        self.tx.run(sql, binds).await.map(drop)
    }

    /// Pending earnings of days that ended by then.
    pub(crate) async fn pending_earnings(
        &mut self,
        ended: Timestamp,
        limit: u32,
    ) -> Result<Vec<Earning>, StoreError> {
        let sql = "SELECT org, currency, span, earned, reversed, state FROM earnings WHERE state = 'pending' AND ends_ms <= $1 ORDER BY ends_ms, org LIMIT $2";
        self.tx.all(sql, binds![ended, limit]).await?.iter().map(earning).collect()
    }

    pub(crate) async fn insert_payout(&mut self, it: &PayoutRow) -> Result<(), StoreError> {
        let sql = "INSERT INTO payouts (payout_id, org, amount, currency, state, note, requested_by, version, created_ms, updated_ms) \
                   VALUES ($1, $2, $3, $4, $5, NULL, $6, 1, $7, $7)";
        let Payout { amount, author, id, state, .. } = &it.payout;
        let (id, currency) = (id.to_string(), amount.currency.to_string());
        let binds = binds![
            &id,
            author.as_str(),
            amount.micros,
            &currency,
            state.as_str(),
            &it.requested_by,
            it.created
        ];
        self.tx.run(sql, binds).await.map(drop)
    }

    /// Keeps a payout after a move, unless somebody else moved it.
    pub(crate) async fn update_payout(
        &mut self,
        it: &PayoutRow,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let sql = "UPDATE payouts SET state = $3, note = $4, version = version + 1, updated_ms = $5 WHERE payout_id = $1 AND version = $2";
        let note = it.payout.note.as_ref().map(|note| note.as_str());
        let id = it.payout.id.to_string();
        let binds = binds![&id, whole(it.version), it.payout.state.as_str(), note, now];
        if self.tx.run(sql, binds).await? == 1 { Ok(()) } else { Err(StoreError::Busy) }
    }

    pub(crate) async fn payout(&mut self, id: PayoutId) -> Result<Option<PayoutRow>, StoreError> {
        let sql = payouts!("WHERE payout_id = $1");
        self.tx.one(sql, binds![&id.to_string()]).await?.as_ref().map(payout).transpose()
    }

    /// Everybody's payouts, by their ids; of one state if it is named.
    pub(crate) async fn payouts_everywhere(
        &mut self,
        state: &str,
        after: &str,
        limit: u32,
    ) -> Result<Vec<PayoutRow>, StoreError> {
        let sql = payouts!(
            "WHERE ($1 = '' OR state = $1) AND payout_id > $2 ORDER BY payout_id LIMIT $3"
        );
        let binds = binds![state, after, limit.min(1001)];
        self.tx.all(sql, binds).await?.iter().map(payout).collect()
    }

    pub(crate) async fn insert_event(&mut self, it: &EventRow) -> Result<(), StoreError> {
        let sql = "INSERT INTO billing_events (entry_id, org, kind, amount, currency, reason, original, entered_by, at_ms) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
        let (id, currency) = (it.id.to_string(), it.amount.currency.to_string());
        let original = it.original.as_deref();
        let binds = binds![
            &id,
            it.org.as_str(),
            &it.kind,
            it.amount.micros,
            &currency,
            &it.reason,
            original,
            &it.entered_by,
            it.at
        ];
        self.tx.run(sql, binds).await.map(drop)
    }

    /// Everybody's events, or one org's, by their ids.
    pub(crate) async fn events_everywhere(
        &mut self,
        org: &str,
        after: &str,
        limit: u32,
    ) -> Result<Vec<EventRow>, StoreError> {
        let sql =
            events!("WHERE ($1 = '' OR org = $1) AND entry_id > $2 ORDER BY entry_id LIMIT $3");
        let rows = self.tx.all(sql, binds![org, after, limit.min(PAGE_MAX + 1)]).await?;
        rows.iter().map(event).collect()
    }
}

impl TenantUnit {
    /// The org's payouts, by their ids.
    pub(crate) async fn payouts(
        &mut self,
        after: &str,
        limit: u32,
    ) -> Result<Vec<PayoutRow>, StoreError> {
        let sql = payouts!("WHERE org = $1 AND payout_id > $2 ORDER BY payout_id LIMIT $3");
        let org = self.org().to_owned();
        let rows = self.tx.all(sql, binds![&org, after, limit.min(PAGE_MAX + 1)]).await?;
        rows.iter().map(payout).collect()
    }

    /// The org's events, by their ids.
    pub(crate) async fn events(
        &mut self,
        after: &str,
        limit: u32,
    ) -> Result<Vec<EventRow>, StoreError> {
        let sql = events!("WHERE org = $1 AND entry_id > $2 ORDER BY entry_id LIMIT $3");
        let org = self.org().to_owned();
        let rows = self.tx.all(sql, binds![&org, after, limit.min(PAGE_MAX + 1)]).await?;
        rows.iter().map(event).collect()
    }

    /// What the org earned, newest day first.
    pub(crate) async fn earnings(&mut self, limit: u32) -> Result<Vec<Earning>, StoreError> {
        let sql = "SELECT org, currency, span, earned, reversed, state FROM earnings WHERE org = $1 ORDER BY span DESC, currency LIMIT $2";
        let org = self.org().to_owned();
        self.tx.all(sql, binds![&org, limit.min(PAGE_MAX + 1)]).await?.iter().map(earning).collect()
    }
}

/// Where an author's share of a posting is.
pub(crate) fn state_of(earning: Option<&Earning>) -> EarningState {
    earning.map_or(EarningState::Pending, |earning| earning.state)
}
