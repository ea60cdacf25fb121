//! How far each host's journal is taken, and the receipts that were settled.

use serde_json::{Value, json};
use soma_market::ledger::ReceiptKey;
use soma_market::offer::Asked;
use soma_market::settle::{Note, Position};
use soma_policy::{Digest, HostId, JournalId, LeaseId, Money, OrgId, Receipt, Timestamp};

use super::many::{Kind, Rows, Table};
use super::sql::{Row, binds, whole};
use super::{PlatformUnit, StoreError};

/// A journal as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct JournalRow {
    pub(crate) position: Position,
    pub(crate) reason: Option<String>,
    /// The receipt that an operator wrote off: it is the platform's when it comes.
    pub(crate) write_off: Option<u64>,
    pub(crate) counts: Counts,
}

/// What was in a journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Counts {
    pub(crate) receipts: u64,
    pub(crate) starts: u64,
    pub(crate) denials: u64,
    pub(crate) kills: u64,
}

/// A settled receipt, with what is needed to price it again.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct SettledRow {
    pub(crate) key: ReceiptKey,
    pub(crate) terms: Digest,
    pub(crate) notes: Vec<Note>,
    pub(crate) asked: Asked,
    pub(crate) receipt: Receipt,
}

fn journal(row: &Row) -> Result<JournalRow, StoreError> {
    Ok(JournalRow {
        position: Position {
            head: row.parsed("head")?,
            host: row.parsed("host")?,
            journal: row.parsed("journal")?,
            next: row.count("next")?,
            state: row.parsed("state")?,
        },
        reason: row.maybe_text("reason")?,
        write_off: row.maybe_count("write_off")?,
        counts: Counts {
            receipts: row.count("receipts")?,
            starts: row.count("starts")?,
            denials: row.count("denials")?,
            kills: row.count("kills")?,
        },
    })
}

/// What was asked, as it is kept: whether the call was included, and the price.
fn asked_text(asked: &Asked) -> String {
    json!({ "included": asked.included, "price": asked.price }).to_string()
}

fn asked(text: &str) -> Option<Asked> {
    let value: Value = serde_json::from_str(text).ok()?;
    let price: Option<Money> = serde_json::from_value(value.get("price")?.clone()).ok()?;
    Some(Asked { included: value.get("included")?.as_bool()?, price })
}

fn settled(row: &Row) -> Result<SettledRow, StoreError> {
    let wrong = |column| StoreError::Corrupt { column, expected: "what was settled" };
    Ok(SettledRow {
        key: ReceiptKey { journal: row.parsed("journal")?, seq: row.count("seq")? },
        terms: row.parsed("terms")?,
        notes: serde_json::from_str(&row.text("notes")?).map_err(|_| wrong("notes"))?,
        asked: asked(&row.text("asked")?).ok_or_else(|| wrong("asked"))?,
        receipt: serde_json::from_str(&row.text("receipt")?).map_err(|_| wrong("receipt"))?,
    })
}

static SETTLED: Table = Table {
    name: "settled",
    columns: &[
        ("journal", Kind::Text),
        ("seq", Kind::Int),
        ("hash", Kind::Text),
        ("org", Kind::Text),
        ("lease_id", Kind::Text),
        ("terms", Kind::Text),
        ("notes", Kind::Text),
        ("asked", Kind::Text),
        ("receipt", Kind::Text),
        ("at_ms", Kind::Int),
    ],
};

/// A receipt that is being settled.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NewSettled<'a> {
    pub(crate) key: ReceiptKey,
    pub(crate) hash: Digest,
    pub(crate) org: &'a OrgId,
    pub(crate) lease: LeaseId,
    pub(crate) terms: Digest,
    pub(crate) notes: &'a [Note],
    pub(crate) asked: Asked,
    pub(crate) receipt: &'a Receipt,
    pub(crate) at: Timestamp,
}

/// Receipts that are settled in one transaction.
#[derive(Debug)]
pub(crate) struct SettledRows(Rows);

impl SettledRows {
    /// None yet.
    pub(crate) const fn none() -> Self {
        Self(Rows::into(&SETTLED))
    }

    pub(crate) fn add(&mut self, it: &NewSettled<'_>) {
        self.0.add([
            it.key.journal.to_string().into(),
            whole(it.key.seq).into(),
            it.hash.to_string().into(),
            it.org.as_str().into(),
            it.lease.to_string().into(),
            it.terms.to_string().into(),
            serde_json::to_string(it.notes).unwrap_or_default().into(),
            asked_text(&it.asked).into(),
            serde_json::to_string(it.receipt).unwrap_or_default().into(),
            whole(it.at.0).into(),
        ]);
    }
}

impl PlatformUnit {
    /// A journal, locked until the unit ends.
    pub(crate) async fn journal(
        &mut self,
        id: JournalId,
    ) -> Result<Option<JournalRow>, StoreError> {
        let sql = "UPDATE journals SET next = next WHERE journal = $1 \
                   RETURNING journal, host, next, head, state, reason, write_off, receipts, starts, denials, kills";
        self.tx.one(sql, binds![&id.to_string()]).await?.as_ref().map(journal).transpose()
    }

    /// How far a journal is taken, for who only looks.
    pub(crate) async fn journal_place(
        &mut self,
        id: JournalId,
    ) -> Result<Option<Position>, StoreError> {
        let sql = "SELECT journal, host, next, head, state, reason, write_off, receipts, starts, denials, kills FROM journals WHERE journal = $1";
        let row = self.tx.one(sql, binds![&id.to_string()]).await?;
        row.as_ref().map(journal).transpose().map(|row| row.map(|it| it.position))
    }

    /// Journals by their ids, after `after`.
    pub(crate) async fn journals(
        &mut self,
        after: &str,
        limit: u32,
    ) -> Result<Vec<JournalRow>, StoreError> {
        let sql = "SELECT journal, host, next, head, state, reason, write_off, receipts, starts, denials, kills FROM journals WHERE journal > $1 ORDER BY journal LIMIT $2";
        self.tx.all(sql, binds![after, limit]).await?.iter().map(journal).collect()
    }

    pub(crate) async fn insert_journal(
        &mut self,
        it: &Position,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let sql = "INSERT INTO journals (journal, host, next, head, state, reason, receipts, starts, denials, kills, updated_ms) \
                   VALUES ($1, $2, $3, $4, $5, NULL, 0, 0, 0, 0, $6)";
        let (journal, host) = (it.journal.to_string(), it.host.to_string());
        let head = it.head.to_string();
        let binds = binds![&journal, &host, whole(it.next), &head, it.state.as_str(), now];
        self.tx.run(sql, binds).await.map(drop)
    }

    /// Moves a journal on from where it was.
    pub(crate) async fn move_journal(
        &mut self,
        before: &Position,
        it: &JournalRow,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let sql = "UPDATE journals SET next = $3, head = $4, state = $5, reason = $6, receipts = $7, starts = $8, denials = $9, kills = $10, updated_ms = $11, write_off = $12 \
                   WHERE journal = $1 AND next = $2";
        let JournalRow { position, reason, write_off, counts } = it;
        let (journal, head) = (position.journal.to_string(), position.head.to_string());
        let binds = binds![
            &journal,
            whole(before.next),
            whole(position.next),
            &head,
            position.state.as_str(),
            reason.as_deref(),
            whole(counts.receipts),
            whole(counts.starts),
            whole(counts.denials),
            whole(counts.kills),
            now,
            write_off.map(whole)
        ];
        if self.tx.run(sql, binds).await? == 1 { Ok(()) } else { Err(StoreError::Busy) }
    }

    /// Lets a host have money and secrets again.
    pub(crate) async fn release_host(&mut self, host: HostId) -> Result<(), StoreError> {
        let sql = "UPDATE hosts SET quarantined_ms = NULL, quarantine = NULL WHERE host = $1";
        self.tx.run(sql, binds![&host.to_string()]).await.map(drop)
    }

    pub(crate) async fn own_lease(
        &mut self,
        journal: JournalId,
        lease: LeaseId,
    ) -> Result<bool, StoreError> {
        let sql = "SELECT lease_id FROM journal_leases WHERE journal = $1 AND lease_id = $2";
        Ok(self.tx.one(sql, binds![&journal.to_string(), &lease.to_string()]).await?.is_some())
    }

    pub(crate) async fn note_own_lease(
        &mut self,
        journal: JournalId,
        lease: LeaseId,
    ) -> Result<(), StoreError> {
        let sql = "INSERT INTO journal_leases (journal, lease_id) VALUES ($1, $2) ON CONFLICT (journal, lease_id) DO NOTHING";
        self.tx.run(sql, binds![&journal.to_string(), &lease.to_string()]).await.map(drop)
    }

    /// Writes what was settled: once per place.
    pub(crate) async fn insert_settled(&mut self, rows: &SettledRows) -> Result<(), StoreError> {
        rows.0.insert(&mut self.tx).await
    }

    /// Hashes of what was settled from these places on.
    pub(crate) async fn settled_hashes(
        &mut self,
        journal: JournalId,
        from: u64,
        to: u64,
    ) -> Result<Vec<(u64, Digest)>, StoreError> {
        let sql = "SELECT seq, hash FROM settled WHERE journal = $1 AND seq >= $2 AND seq < $3 ORDER BY seq";
        let rows = self.tx.all(sql, binds![&journal.to_string(), whole(from), whole(to)]).await?;
        rows.iter().map(|row| Ok((row.count("seq")?, row.parsed("hash")?))).collect()
    }

    /// Settled receipts behind a place, in order.
    pub(crate) async fn settled_after(
        &mut self,
        after: (&str, u64),
        limit: u32,
    ) -> Result<Vec<SettledRow>, StoreError> {
        let sql = "SELECT journal, seq, terms, notes, asked, receipt FROM settled \
                   WHERE journal > $1 OR (journal = $1 AND seq > $2) ORDER BY journal, seq LIMIT $3";
        let rows = self.tx.all(sql, binds![after.0, whole(after.1), limit]).await?;
        rows.iter().map(settled).collect()
    }
}
