//! Signed orders, lifts and hosts' receipts, as they are kept: envelopes that were proven when they came.

use soma_policy::{Digest, HostId, OrderId, Timestamp};

use super::sql::{Row, binds};
use super::{PAGE_MAX, PlatformUnit, StoreError};

/// An order or a lift with every signature that is known of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct KillRow {
    pub(crate) order: OrderId,
    pub(crate) hash: Digest,
    pub(crate) is_lift: bool,
    /// DSSE, as JSON text.
    pub(crate) envelope: String,
    /// Whether enough persons have ever signed it.
    pub(crate) complete: bool,
    /// When it came first.
    pub(crate) since: Timestamp,
}

/// A host's receipt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct KillReceiptRow {
    pub(crate) order: OrderId,
    pub(crate) host: HostId,
    /// Hash of what the host signed.
    pub(crate) hash: Digest,
    /// DSSE, as JSON text.
    pub(crate) envelope: String,
    pub(crate) at: Timestamp,
}

fn document(row: &Row) -> Result<KillRow, StoreError> {
    Ok(KillRow {
        order: row.parsed("order_id")?,
        hash: row.parsed("hash")?,
        is_lift: row.text("kind")? == "lift",
        envelope: row.text("envelope")?,
        complete: row.flag("complete")?,
        since: row.time("since_ms")?,
    })
}

fn receipt(row: &Row) -> Result<KillReceiptRow, StoreError> {
    Ok(KillReceiptRow {
        order: row.parsed("order_id")?,
        host: row.parsed("host")?,
        hash: row.parsed("hash")?,
        envelope: row.text("envelope")?,
        at: row.time("at_ms")?,
    })
}

impl PlatformUnit {
    /// Everything that is known of one order.
    pub(crate) async fn kill_documents_of(
        &mut self,
        order: OrderId,
    ) -> Result<Vec<KillRow>, StoreError> {
        let sql = "SELECT order_id, hash, kind, envelope, complete, since_ms FROM kill_documents WHERE order_id = $1 ORDER BY hash";
        let rows = self.tx.all(sql, binds![&order.to_string()]).await?;
        rows.iter().map(document).collect()
    }

    /// Every order and lift. There is a bound on how many are taken.
    pub(crate) async fn kill_documents(&mut self) -> Result<Vec<KillRow>, StoreError> {
        let sql = "SELECT order_id, hash, kind, envelope, complete, since_ms FROM kill_documents ORDER BY order_id, hash";
        self.tx.all(sql, &[]).await?.iter().map(document).collect()
    }

    /// Ids of orders that are known, after `after`.
    pub(crate) async fn kill_orders(
        &mut self,
        after: &str,
        limit: u32,
    ) -> Result<Vec<OrderId>, StoreError> {
        let sql = "SELECT DISTINCT order_id FROM kill_documents WHERE kind = 'order' AND order_id > $1 ORDER BY order_id LIMIT $2";
        let rows = self.tx.all(sql, binds![after, limit.min(PAGE_MAX + 1)]).await?;
        rows.iter().map(|row| row.parsed("order_id")).collect()
    }

    pub(crate) async fn kill_count(&mut self) -> Result<u64, StoreError> {
        let row = self.tx.one("SELECT count(*) AS n FROM kill_documents", &[]).await?;
        row.map_or(Ok(0), |row| row.count("n"))
    }

    /// Keeps a document with the signatures that are known now. What is complete stays so, and the first
    /// arrival stays the first.
    pub(crate) async fn keep_kill(&mut self, it: &KillRow) -> Result<(), StoreError> {
        let sql = "INSERT INTO kill_documents (order_id, hash, kind, envelope, complete, since_ms) VALUES ($1, $2, $3, $4, $5, $6) \
                   ON CONFLICT (order_id, hash) DO UPDATE SET envelope = excluded.envelope, complete = excluded.complete";
        let kind = if it.is_lift { "lift" } else { "order" };
        let (order, hash) = (it.order.to_string(), it.hash.to_string());
        let binds = binds![&order, &hash, kind, &it.envelope, it.complete, it.since];
        self.tx.run(sql, binds).await.map(drop)
    }

    /// Keeps a receipt, once; false if it was here.
    pub(crate) async fn keep_kill_receipt(
        &mut self,
        it: &KillReceiptRow,
    ) -> Result<bool, StoreError> {
        let sql = "INSERT INTO kill_receipts (order_id, host, hash, envelope, at_ms) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING";
        let (order, host, hash) = (it.order.to_string(), it.host.to_string(), it.hash.to_string());
        Ok(self.tx.run(sql, binds![&order, &host, &hash, &it.envelope, it.at]).await? == 1)
    }

    /// Receipts for an order, by host and hash, after a place.
    pub(crate) async fn kill_receipts(
        &mut self,
        order: OrderId,
        (host, hash): (&str, &str),
        limit: u32,
    ) -> Result<Vec<KillReceiptRow>, StoreError> {
        let sql = "SELECT order_id, host, hash, envelope, at_ms FROM kill_receipts \
                   WHERE order_id = $1 AND (host > $2 OR (host = $2 AND hash > $3)) ORDER BY host, hash LIMIT $4";
        let order = order.to_string();
        let binds = binds![&order, host, hash, limit];
        self.tx.all(sql, binds).await?.iter().map(receipt).collect()
    }

    /// How many receipts a host gave for an order.
    pub(crate) async fn kill_receipt_count(
        &mut self,
        order: OrderId,
        host: Option<&HostId>,
    ) -> Result<u64, StoreError> {
        let sql = "SELECT count(*) AS n FROM kill_receipts WHERE order_id = $1 AND ($2 = '' OR host = $2)";
        let host = host.map(ToString::to_string).unwrap_or_default();
        let row = self.tx.one(sql, binds![&order.to_string(), &host]).await?;
        row.map_or(Ok(0), |row| row.count("n"))
    }
}
