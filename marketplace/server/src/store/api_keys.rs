//! API keys of service accounts. Only the hash of a key is kept; the key itself is shown once.

use serde::Serialize;
use soma_policy::{EnvironmentId, KeyId, OrgId, Timestamp};
use utoipa::ToSchema;

use super::sql::{Row, binds};
use super::{PAGE_MAX, PlatformUnit, StoreError, TenantUnit};
use crate::identity::{AccountId, CapSet};

/// A key of a service account, without its secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct ApiKey {
    /// Its id.
    #[schema(value_type = String)]
    pub(crate) key: KeyId,
    /// Whose it is.
    #[schema(value_type = String)]
    pub(crate) account: AccountId,
    /// The one environment that its tokens name.
    #[schema(value_type = String)]
    pub(crate) environment: EnvironmentId,
    /// What its tokens may do at most.
    #[schema(value_type = Vec<String>)]
    pub(crate) caps: CapSet,
    /// When it was made (milliseconds).
    #[schema(value_type = String)]
    pub(crate) created: Timestamp,
    /// Until when it counts (milliseconds).
    #[schema(value_type = String)]
    pub(crate) expires: Timestamp,
    /// When it was revoked (milliseconds).
    #[schema(value_type = Option<String>)]
    pub(crate) revoked: Option<Timestamp>,
}

fn read(row: &Row) -> Result<ApiKey, StoreError> {
    Ok(ApiKey {
        key: row.parsed("key_id")?,
        account: row.parsed("account")?,
        environment: row.parsed("environment")?,
        caps: row.parsed("caps")?,
        created: row.time("created_ms")?,
        expires: row.time("expires_ms")?,
        revoked: row.maybe_time("revoked_ms")?,
    })
}

impl TenantUnit {
    pub(crate) async fn insert_api_key(
        &mut self,
        it: &ApiKey,
        secret_hash: &str,
    ) -> Result<(), StoreError> {
        let sql = "INSERT INTO api_keys (org, key_id, account, environment, secret_hash, caps, created_ms, expires_ms) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
        let org = self.org().to_owned();
        let (id, caps) = (it.key.to_string(), it.caps.to_string());
        let (account, environment) = (it.account.as_str(), it.environment.as_str());
        let binds =
            binds![&org, &id, account, environment, secret_hash, &caps, it.created, it.expires];
        self.tx.run(sql, binds).await.map(drop)
    }

    /// Keys of an account by their ids, after `after`.
    pub(crate) async fn api_keys(
        &mut self,
        account: &AccountId,
        after: &str,
        limit: u32,
    ) -> Result<Vec<ApiKey>, StoreError> {
        let sql = "SELECT key_id, account, environment, caps, created_ms, expires_ms, revoked_ms FROM api_keys \
                   WHERE org = $1 AND account = $2 AND key_id > $3 ORDER BY key_id LIMIT $4";
        let org = self.org().to_owned();
        let binds = binds![&org, account.as_str(), after, limit.min(PAGE_MAX + 1)];
        self.tx.all(sql, binds).await?.iter().map(read).collect()
    }

    /// Revokes a key: once.
    pub(crate) async fn revoke_api_key(
        &mut self,
        account: &AccountId,
        key: KeyId,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let sql = "UPDATE api_keys SET revoked_ms = $4 WHERE org = $1 AND account = $2 AND key_id = $3 AND revoked_ms IS NULL";
        let org = self.org().to_owned();
        let key = key.to_string();
        let binds = binds![&org, account.as_str(), &key, now];
        Ok(self.tx.run(sql, binds).await? == 1)
    }
}

impl PlatformUnit {
    /// The key of that id with its hash and org, whether it still counts or not.
    pub(crate) async fn api_key(
        &mut self,
        key: KeyId,
    ) -> Result<Option<(OrgId, ApiKey, String)>, StoreError> {
        let sql = "SELECT org, key_id, account, environment, caps, created_ms, expires_ms, revoked_ms, secret_hash FROM api_keys WHERE key_id = $1";
        let Some(row) = self.tx.one(sql, binds![&key.to_string()]).await? else { return Ok(None) };
        Ok(Some((row.parsed("org")?, read(&row)?, row.text("secret_hash")?)))
    }
}
