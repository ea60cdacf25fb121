//! Heads of the numbered streams. Only the holder of the fence moves one: whoever takes the fence
//! shuts out the holder before, even one that does not know it yet.

use soma_policy::Timestamp;

use super::sql::{binds, whole};
use super::{PlatformUnit, StoreError, Stream};

/// Where a stream stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) seq: u64,
    pub(crate) hash: String,
    pub(crate) epoch: u64,
}

/// A signed head of the audit chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Checkpoint {
    pub(crate) seq: u64,
    pub(crate) head: String,
    pub(crate) at: Timestamp,
    pub(crate) envelope: String,
}

impl PlatformUnit {
    /// Takes the fence of a stream; every holder before loses it.
    pub(crate) async fn take_fence(&mut self, stream: Stream) -> Result<u64, StoreError> {
        let sql = "UPDATE sequences SET fence = fence + 1 WHERE stream = $1 RETURNING fence";
        let row = self.tx.one(sql, binds![stream.as_str()]).await?;
        let gone = || StoreError::Schema("the table `sequences` lacks a stream".to_owned());
        row.ok_or_else(gone)?.count("fence")
    }

    /// The head, locked until the unit ends; none if somebody else has the fence.
    pub(crate) async fn hold(
        &mut self,
        stream: Stream,
        fence: u64,
    ) -> Result<Option<Head>, StoreError> {
        let sql = "UPDATE sequences SET fence = fence WHERE stream = $1 AND fence = $2 RETURNING seq, head, epoch";
        let Some(row) = self.tx.one(sql, binds![stream.as_str(), whole(fence)]).await? else {
            return Ok(None);
        };
        Ok(Some(Head {
            seq: row.count("seq")?,
            hash: row.text("head")?,
            epoch: row.count("epoch")?,
        }))
    }

    /// Moves the head forward, by the holder of the fence alone.
    pub(crate) async fn move_head(
        &mut self,
        stream: Stream,
        fence: u64,
        seq: u64,
        hash: &str,
    ) -> Result<bool, StoreError> {
        let sql = "UPDATE sequences SET seq = $3, head = $4 WHERE stream = $1 AND fence = $2 AND seq <= $3";
        let binds = binds![stream.as_str(), whole(fence), whole(seq), hash];
        Ok(self.tx.run(sql, binds).await? == 1)
    }

    /// The head as anyone may read it.
    pub(crate) async fn head(&mut self, stream: Stream) -> Result<Option<Head>, StoreError> {
        let sql = "SELECT seq, head, epoch FROM sequences WHERE stream = $1";
        let Some(row) = self.tx.one(sql, binds![stream.as_str()]).await? else { return Ok(None) };
        Ok(Some(Head {
            seq: row.count("seq")?,
            hash: row.text("head")?,
            epoch: row.count("epoch")?,
        }))
    }

    /// Every epoch that a stream may have had, the first one first.
    pub(crate) async fn epochs(&mut self) -> Result<Vec<u64>, StoreError> {
        let sql = "SELECT epoch FROM feed_epochs ORDER BY epoch LIMIT 100000";
        let rows = self.tx.all(sql, &[]).await?;
        let later = rows.iter().map(|row| row.count("epoch"));
        std::iter::once(Ok(0)).chain(later).collect()
    }

    pub(crate) async fn insert_checkpoint(&mut self, it: &Checkpoint) -> Result<(), StoreError> {
        let sql = "INSERT INTO audit_checkpoints (seq, head, at_ms, envelope) VALUES ($1, $2, $3, $4) ON CONFLICT (seq) DO NOTHING";
        let binds = binds![whole(it.seq), &it.head, it.at, &it.envelope];
        self.tx.run(sql, binds).await.map(drop)
    }

    /// Checkpoints above `after`, in order.
    pub(crate) async fn checkpoints(
        &mut self,
        after: u64,
        limit: u32,
    ) -> Result<Vec<Checkpoint>, StoreError> {
        let sql = "SELECT seq, head, at_ms, envelope FROM audit_checkpoints WHERE seq > $1 ORDER BY seq LIMIT $2";
        let rows = self.tx.all(sql, binds![whole(after), limit]).await?;
        let read = |row: &super::sql::Row| {
            Ok(Checkpoint {
                seq: row.count("seq")?,
                head: row.text("head")?,
                at: row.time("at_ms")?,
                envelope: row.text("envelope")?,
            })
        };
        rows.iter().map(read).collect()
    }
}
