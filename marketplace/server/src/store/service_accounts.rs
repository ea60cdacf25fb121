//! Service accounts: programs that act for an org, with rights that are listed.

use serde::{Deserialize, Serialize};
use soma_policy::{OrgId, Timestamp};
use utoipa::ToSchema;

use super::sql::{Row, binds, whole};
use super::{PAGE_MAX, PlatformUnit, StoreError, TenantUnit};
use crate::identity::{AccountId, CapSet};

/// A program that acts for an org.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct ServiceAccount {
    /// Its id within the org.
    #[schema(value_type = String)]
    pub(crate) account: AccountId,
    /// What it is for.
    pub(crate) name: String,
    /// What it may do at most.
    #[schema(value_type = Vec<String>)]
    pub(crate) caps: CapSet,
    /// Whether its keys count.
    pub(crate) state: AccountState,
    /// Rises with each change; the ETag.
    pub(crate) version: u64,
    /// When it was made (milliseconds).
    #[schema(value_type = String)]
    pub(crate) created: Timestamp,
}

/// Whether a service account's keys count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum AccountState {
    /// They do.
    Active,
    /// They do not.
    Disabled,
}

impl AccountState {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Disabled => "disabled",
        }
    }
}

fn read(row: &Row) -> Result<ServiceAccount, StoreError> {
    Ok(ServiceAccount {
        account: row.parsed("account")?,
        name: row.text("name")?,
        caps: row.parsed("caps")?,
        state: match row.text("state")?.as_str() {
            "active" => AccountState::Active,
            _ => AccountState::Disabled,
        },
        version: row.count("version")?,
        created: row.time("created_ms")?,
    })
}

const ONE: &str = "SELECT account, name, caps, state, version, created_ms FROM service_accounts WHERE org = $1 AND account = $2";

impl TenantUnit {
    pub(crate) async fn service_account(
        &mut self,
        account: &AccountId,
    ) -> Result<Option<ServiceAccount>, StoreError> {
        let org = self.org().to_owned();
        let row = self.tx.one(ONE, binds![&org, account.as_str()]).await?;
        row.as_ref().map(read).transpose()
    }

    /// Accounts by their ids, after `after`.
    pub(crate) async fn service_accounts(
        &mut self,
        after: &str,
        limit: u32,
    ) -> Result<Vec<ServiceAccount>, StoreError> {
        let sql = "SELECT account, name, caps, state, version, created_ms FROM service_accounts \
                   WHERE org = $1 AND account > $2 ORDER BY account LIMIT $3";
        let org = self.org().to_owned();
        let rows = self.tx.all(sql, binds![&org, after, limit.min(PAGE_MAX + 1)]).await?;
        rows.iter().map(read).collect()
    }

    pub(crate) async fn insert_service_account(
        &mut self,
        it: &ServiceAccount,
    ) -> Result<(), StoreError> {
        let sql = "INSERT INTO service_accounts (org, account, name, caps, state, version, created_ms) VALUES ($1, $2, $3, $4, $5, 1, $6)";
        let org = self.org().to_owned();
        let caps = it.caps.to_string();
        let binds =
            binds![&org, it.account.as_str(), &it.name, &caps, it.state.as_str(), it.created];
        self.tx.run(sql, binds).await.map(drop)
    }

    /// Changes an account, if nobody changed it since `version`.
    pub(crate) async fn update_service_account(
        &mut self,
        it: &ServiceAccount,
        version: u64,
    ) -> Result<bool, StoreError> {
        let sql = "UPDATE service_accounts SET name = $4, caps = $5, state = $6, version = version + 1 \
                   WHERE org = $1 AND account = $2 AND version = $3";
        let org = self.org().to_owned();
        let caps = it.caps.to_string();
        let (account, state) = (it.account.as_str(), it.state.as_str());
        let binds = binds![&org, account, whole(version), &it.name, &caps, state];
        Ok(self.tx.run(sql, binds).await? == 1)
    }

    /// Removes an account with all of its keys.
    pub(crate) async fn remove_service_account(
        &mut self,
        account: &AccountId,
    ) -> Result<bool, StoreError> {
        let org = self.org().to_owned();
        let keys = "DELETE FROM api_keys WHERE org = $1 AND account = $2";
        self.tx.run(keys, binds![&org, account.as_str()]).await?;
        let sql = "DELETE FROM service_accounts WHERE org = $1 AND account = $2";
        Ok(self.tx.run(sql, binds![&org, account.as_str()]).await? == 1)
    }
}

impl PlatformUnit {
    /// An account of any org, for the exchange of its keys.
    pub(crate) async fn account_of(
        &mut self,
        org: &OrgId,
        account: &AccountId,
    ) -> Result<Option<ServiceAccount>, StoreError> {
        let row = self.tx.one(ONE, binds![org.as_str(), account.as_str()]).await?;
        row.as_ref().map(read).transpose()
    }
}
