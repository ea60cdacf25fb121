//! Answers that were given, stored in the transaction of their effect.

use soma_policy::Timestamp;

use super::sql::{Sql, Tx, binds, whole};
use super::{StoreError, Unit};

/// What a key is good for: one principal, one route.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct IdempotencyScope {
    pub(crate) org: String,
    pub(crate) principal: String,
    pub(crate) method: String,
    pub(crate) route: String,
    pub(crate) key: String,
}

/// An answer as it was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StoredAnswer {
    /// Digest of the request that it answers.
    pub(crate) fingerprint: String,
    pub(crate) status: u16,
    pub(crate) location: Option<String>,
    pub(crate) etag: Option<String>,
    /// The body; none where it held a secret.
    pub(crate) body: Option<String>,
}

impl Unit {
    /// Whether this unit is the only one at work on the key. Over several servers the database
    /// knows; on SQLite there is one server, which knows by itself.
    pub(crate) async fn claim(&mut self, scope: &IdempotencyScope) -> Result<bool, StoreError> {
        if matches!(self.tx, Tx::Sqlite(_)) {
            return Ok(true);
        }
        let sql = "SELECT pg_try_advisory_xact_lock(hashtextextended($1, 42)) AS mine";
        let IdempotencyScope { org, principal, method, route, key } = scope;
        let name = format!("{org}\n{principal}\n{method}\n{route}\n{key}");
        let row = self.tx.one(Sql::per("", sql), binds![&name]).await?;
        row.map_or(Ok(false), |row| row.flag("mine"))
    }

    /// The answer that was given for this key, unless it is too old.
    pub(crate) async fn answer(
        &mut self,
        scope: &IdempotencyScope,
        now: Timestamp,
    ) -> Result<Option<StoredAnswer>, StoreError> {
        let sql = "SELECT fingerprint, status, location, etag, body FROM idempotency \
                   WHERE org = $1 AND principal = $2 AND method = $3 AND route = $4 AND key = $5 AND expires_ms > $6";
        let IdempotencyScope { org, principal, method, route, key } = scope;
        let binds = binds![org, principal, method, route, key, now];
        let Some(row) = self.tx.one(sql, binds).await? else { return Ok(None) };
        Ok(Some(StoredAnswer {
            fingerprint: row.text("fingerprint")?,
            status: u16::try_from(row.count("status")?).unwrap_or(500),
            location: row.maybe_text("location")?,
            etag: row.maybe_text("etag")?,
            body: row.maybe_text("body")?,
        }))
    }

    /// Stores the answer with the effect; one that is too old gives way.
    pub(crate) async fn store_answer(
        &mut self,
        scope: &IdempotencyScope,
        it: &StoredAnswer,
        now: Timestamp,
        expires: Timestamp,
    ) -> Result<(), StoreError> {
        let IdempotencyScope { org, principal, method, route, key } = scope;
        let old = "DELETE FROM idempotency WHERE org = $1 AND principal = $2 AND method = $3 AND route = $4 AND key = $5 AND expires_ms <= $6";
        self.tx.run(old, binds![org, principal, method, route, key, now]).await?;
        let sql = "INSERT INTO idempotency (org, principal, method, route, key, fingerprint, status, location, etag, body, created_ms, expires_ms) \
                   VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)";
        let status = whole(u64::from(it.status));
        let (location, etag) = (it.location.as_deref(), it.etag.as_deref());
        let binds = binds![
            org,
            principal,
            method,
            route,
            key,
            &it.fingerprint,
            status,
            location,
            etag,
            it.body.as_deref(),
            now,
            expires
        ];
        self.tx.run(sql, binds).await.map(drop)
    }
}
