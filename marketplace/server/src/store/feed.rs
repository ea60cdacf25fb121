//! The feed as rows: each subject as it is at the head, and the epochs that the root key began.
//!
//! The sequencer alone writes the state, in the transaction that numbers the change.

use soma_policy::{Digest, Timestamp};

use super::sql::{Row, binds, whole};
use super::{PlatformUnit, StoreError};

/// One subject as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StateRow {
    pub(crate) topic: String,
    pub(crate) subject: String,
    pub(crate) payload: String,
    /// The number of the change that made it so.
    pub(crate) n: u64,
}

fn read(row: &Row) -> Result<StateRow, StoreError> {
    Ok(StateRow {
        topic: row.text("topic")?,
        subject: row.text("subject")?,
        payload: row.text("payload")?,
        n: row.count("n")?,
    })
}

impl PlatformUnit {
    /// A subject is so from now on.
    pub(crate) async fn keep_state(&mut self, it: &StateRow) -> Result<(), StoreError> {
        let sql = "INSERT INTO feed_state (topic, subject, payload, n) VALUES ($1, $2, $3, $4) \
                   ON CONFLICT (topic, subject) DO UPDATE SET payload = excluded.payload, n = excluded.n";
        let binds = binds![&it.topic, &it.subject, &it.payload, whole(it.n)];
        self.tx.run(sql, binds).await.map(drop)
    }

    /// A subject is gone.
    pub(crate) async fn drop_state(
        &mut self,
        topic: &str,
        subject: &str,
    ) -> Result<(), StoreError> {
        let sql = "DELETE FROM feed_state WHERE topic = $1 AND subject = $2";
        self.tx.run(sql, binds![topic, subject]).await.map(drop)
    }

    /// Subjects by topic and name, after a place.
    pub(crate) async fn states(
        &mut self,
        (topic, subject): (&str, &str),
        limit: u32,
    ) -> Result<Vec<StateRow>, StoreError> {
        let sql = "SELECT topic, subject, payload, n FROM feed_state \
                   WHERE topic > $1 OR (topic = $1 AND subject > $2) ORDER BY topic, subject LIMIT $3";
        self.tx.all(sql, binds![topic, subject, limit]).await?.iter().map(read).collect()
    }

    /// Subjects of one topic, after a name.
    pub(crate) async fn states_of(
        &mut self,
        topic: &str,
        after: &str,
        limit: u32,
    ) -> Result<Vec<StateRow>, StoreError> {
        let sql = "SELECT topic, subject, payload, n FROM feed_state \
                   WHERE topic = $1 AND subject > $2 ORDER BY subject LIMIT $3";
        self.tx.all(sql, binds![topic, after, limit]).await?.iter().map(read).collect()
    }

    /// Whether hosts were told of a subject, or will be.
    pub(crate) async fn is_told(&mut self, topic: &str, subject: &str) -> Result<bool, StoreError> {
        let sql = "SELECT subject FROM feed_state WHERE topic = $1 AND subject = $2 UNION ALL \
                   SELECT subject FROM changes WHERE stream = 'feed' AND seq IS NULL AND topic = $1 AND subject = $2 LIMIT 1";
        Ok(self.tx.one(sql, binds![topic, subject]).await?.is_some())
    }

    /// The hash of the change with this number.
    pub(crate) async fn feed_hash(&mut self, n: u64) -> Result<Option<Digest>, StoreError> {
        let sql = "SELECT hash FROM changes WHERE stream = 'feed' AND seq = $1";
        let row = self.tx.one(sql, binds![whole(n)]).await?;
        row.map(|row| row.parsed("hash")).transpose()
    }

    /// Since when a change waits for its number, if one does.
    pub(crate) async fn feed_waits_since(&mut self) -> Result<Option<Timestamp>, StoreError> {
        let sql = "SELECT at_ms FROM changes WHERE stream = 'feed' AND seq IS NULL ORDER BY at_ms LIMIT 1";
        let row = self.tx.one(sql, &[]).await?;
        row.map(|row| row.time("at_ms")).transpose()
    }

    /// Begins an epoch of the feed, once and only above the one before. Numbers go on.
    pub(crate) async fn raise_epoch(
        &mut self,
        epoch: u64,
        envelope: &str,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let sql = "UPDATE sequences SET epoch = $1, fence = fence + 1 WHERE stream = 'feed' AND epoch < $1";
        if self.tx.run(sql, binds![whole(epoch)]).await? == 0 {
            return Ok(false);
        }
        let sql = "INSERT INTO feed_epochs (epoch, envelope, at_ms) VALUES ($1, $2, $3)";
        self.tx.run(sql, binds![whole(epoch), envelope, now]).await?;
        Ok(true)
    }

    /// The root's document for an epoch.
    pub(crate) async fn epoch_document(
        &mut self,
        epoch: u64,
    ) -> Result<Option<String>, StoreError> {
        let sql = "SELECT envelope FROM feed_epochs WHERE epoch = $1";
        let row = self.tx.one(sql, binds![whole(epoch)]).await?;
        row.map(|row| row.text("envelope")).transpose()
    }

    /// Removes changes in the form that the feed had before hosts could read it, and begins it anew.
    pub(crate) async fn forget_unreadable_feed(&mut self) -> Result<(), StoreError> {
        let sql = "SELECT seq FROM changes WHERE stream = 'feed' AND topic IN ('token.revoked', 'issuer-key.added', 'issuer-key.revoked') LIMIT 1";
        if self.tx.one(sql, &[]).await?.is_none() {
            return Ok(());
        }
        self.tx.run("DELETE FROM changes WHERE stream = 'feed'", &[]).await?;
        self.tx.run("DELETE FROM feed_state WHERE topic <> 'kill'", &[]).await?;
        let start = Digest::ZERO.to_string();
        let sql =
            "UPDATE sequences SET seq = 0, head = $1, fence = fence + 1 WHERE stream = 'feed'";
        self.tx.run(sql, binds![&start]).await.map(drop)
    }
}
