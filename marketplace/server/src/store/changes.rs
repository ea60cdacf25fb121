//! What hosts (`feed`) and subscribers (`outbox`) must be told: written in the transaction of the
//! change, numbered and chained once it is committed.

use soma_policy::{OrgId, Timestamp};

use super::sql::{Row, binds, whole};
use super::{PlatformUnit, StoreError, Unit};

/// For whom a change is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Stream {
    /// The audit chain.
    Audit,
    /// Hosts.
    Feed,
    /// Subscribers of events.
    Outbox,
}

impl Stream {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Audit => "audit",
            Self::Feed => "feed",
            Self::Outbox => "outbox",
        }
    }
}

/// A change to write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NewChange {
    pub(crate) org: OrgId,
    pub(crate) id: String,
    pub(crate) stream: Stream,
    pub(crate) topic: &'static str,
    pub(crate) subject: String,
    /// JSON in canonical form.
    pub(crate) payload: String,
    pub(crate) at: Timestamp,
}

/// A change as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ChangeRow {
    pub(crate) org: String,
    pub(crate) id: String,
    pub(crate) topic: String,
    pub(crate) subject: String,
    pub(crate) payload: String,
    pub(crate) at: Timestamp,
    /// Number, hash before and hash, once it has them.
    pub(crate) link: Option<(u64, String, String)>,
}

fn read(row: &Row) -> Result<ChangeRow, StoreError> {
    let link = match row.maybe_count("seq")? {
        Some(seq) => Some((seq, row.text("prev")?, row.text("hash")?)),
        None => None,
    };
    Ok(ChangeRow {
        org: row.text("org")?,
        id: row.text("change_id")?,
        topic: row.text("topic")?,
        subject: row.text("subject")?,
        payload: row.text("payload")?,
        at: row.time("at_ms")?,
        link,
    })
}

impl Unit {
    /// Writes a change with its effect: both last, or neither.
    pub(crate) async fn change(&mut self, it: &NewChange) -> Result<(), StoreError> {
        if self.org.as_ref().is_some_and(|own| *own != it.org) {
            return Err(StoreError::Refused("the change belongs to another org".to_owned()));
        }
        let sql = "INSERT INTO changes (org, change_id, stream, topic, subject, payload, at_ms) VALUES ($1, $2, $3, $4, $5, $6, $7)";
        let stream = it.stream.as_str();
        let binds =
            binds![it.org.as_str(), &it.id, stream, it.topic, &it.subject, &it.payload, it.at];
        self.tx.run(sql, binds).await.map(drop)
    }
}

impl PlatformUnit {
    /// Committed changes of a stream that have no number yet, oldest first.
    pub(crate) async fn unnumbered(
        &mut self,
        stream: Stream,
        limit: u32,
    ) -> Result<Vec<ChangeRow>, StoreError> {
        let sql = "SELECT org, change_id, topic, subject, payload, at_ms, seq, prev, hash FROM changes \
                   WHERE stream = $1 AND seq IS NULL ORDER BY at_ms, change_id LIMIT $2";
        self.tx.all(sql, binds![stream.as_str(), limit]).await?.iter().map(read).collect()
    }

    /// Gives a change its number: once.
    pub(crate) async fn number(
        &mut self,
        it: &ChangeRow,
        seq: u64,
        prev: &str,
        hash: &str,
    ) -> Result<bool, StoreError> {
        let sql = "UPDATE changes SET seq = $3, prev = $4, hash = $5 WHERE org = $1 AND change_id = $2 AND seq IS NULL";
        Ok(self.tx.run(sql, binds![&it.org, &it.id, whole(seq), prev, hash]).await? == 1)
    }

    /// Numbered changes of a stream above `after`, in order.
    pub(crate) async fn numbered(
        &mut self,
        stream: Stream,
        after: u64,
        limit: u32,
    ) -> Result<Vec<ChangeRow>, StoreError> {
        let sql = "SELECT org, change_id, topic, subject, payload, at_ms, seq, prev, hash FROM changes \
                   WHERE stream = $1 AND seq > $2 ORDER BY seq LIMIT $3";
        let binds = binds![stream.as_str(), whole(after), limit];
        self.tx.all(sql, binds).await?.iter().map(read).collect()
    }
}
