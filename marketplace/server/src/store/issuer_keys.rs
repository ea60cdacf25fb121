//! The keys that sign tokens. Private halves are sealed before they come here.

use serde::Serialize;
use soma_policy::Timestamp;
use utoipa::ToSchema;

use super::sql::{Row, binds};
use super::{PlatformUnit, StoreError};

/// A key and when it counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct IssuerKeyRow {
    /// Its name.
    pub(crate) kid: String,
    /// The public point's x, in base64url.
    pub(crate) x: String,
    /// The public point's y, in base64url.
    pub(crate) y: String,
    #[serde(skip)]
    pub(crate) sealed: String,
    /// When it was made (milliseconds).
    #[schema(value_type = String)]
    pub(crate) created: Timestamp,
    /// When it begins to sign (milliseconds).
    #[schema(value_type = String)]
    pub(crate) signs_from: Timestamp,
    /// When it signs no more (milliseconds).
    #[schema(value_type = Option<String>)]
    pub(crate) signs_until: Option<Timestamp>,
    /// When what it signed counts no more (milliseconds).
    #[schema(value_type = Option<String>)]
    pub(crate) verifies_until: Option<Timestamp>,
}

fn read(row: &Row) -> Result<IssuerKeyRow, StoreError> {
    Ok(IssuerKeyRow {
        kid: row.text("kid")?,
        x: row.text("x")?,
        y: row.text("y")?,
        sealed: row.text("sealed")?,
        created: row.time("created_ms")?,
        signs_from: row.time("signs_from_ms")?,
        signs_until: row.maybe_time("signs_until_ms")?,
        verifies_until: row.maybe_time("verifies_until_ms")?,
    })
}

impl PlatformUnit {
    /// Every key whose tokens may still count.
    pub(crate) async fn issuer_keys(
        &mut self,
        now: Timestamp,
    ) -> Result<Vec<IssuerKeyRow>, StoreError> {
        let sql = "SELECT kid, x, y, sealed, created_ms, signs_from_ms, signs_until_ms, verifies_until_ms FROM issuer_keys \
                   WHERE verifies_until_ms IS NULL OR verifies_until_ms > $1 ORDER BY created_ms, kid LIMIT 64";
        self.tx.all(sql, binds![now]).await?.iter().map(read).collect()
    }

    pub(crate) async fn insert_issuer_key(&mut self, it: &IssuerKeyRow) -> Result<(), StoreError> {
        let sql = "INSERT INTO issuer_keys (kid, x, y, sealed, created_ms, signs_from_ms) VALUES ($1, $2, $3, $4, $5, $6)";
        let binds = binds![&it.kid, &it.x, &it.y, &it.sealed, it.created, it.signs_from];
        self.tx.run(sql, binds).await.map(drop)
    }

    /// Sets the end of every key that has none, but the one named.
    pub(crate) async fn retire_issuer_keys(
        &mut self,
        but: &str,
        signs_until: Timestamp,
        verifies_until: Timestamp,
    ) -> Result<u64, StoreError> {
        let sql = "UPDATE issuer_keys SET signs_until_ms = $2, verifies_until_ms = $3 WHERE kid <> $1 AND signs_until_ms IS NULL";
        self.tx.run(sql, binds![but, signs_until, verifies_until]).await
    }

    /// Ends a key now, and everything that it signed.
    pub(crate) async fn revoke_issuer_key(
        &mut self,
        kid: &str,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let sql = "UPDATE issuer_keys SET signs_until_ms = $2, verifies_until_ms = $2 \
                   WHERE kid = $1 AND (verifies_until_ms IS NULL OR verifies_until_ms > $2)";
        Ok(self.tx.run(sql, binds![kid, now]).await? == 1)
    }
}
