//! Orgs: the only owners.

use serde::{Deserialize, Serialize};
use soma_policy::{OrgId, RegionId, Timestamp};
use utoipa::ToSchema;

use super::sql::{Row, binds};
use super::{PAGE_MAX, PlatformUnit, StoreError, TenantUnit};

/// An organisation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Org {
    /// Its id.
    #[schema(value_type = String)]
    pub(crate) org: OrgId,
    /// As people call it.
    pub(crate) name: String,
    /// What it is here.
    pub(crate) roles: OrgRoles,
    /// Where its data is kept and its capsules run.
    #[schema(value_type = Option<String>)]
    pub(crate) region: Option<RegionId>,
    /// Whether it takes part.
    pub(crate) state: OrgState,
    /// Rises with each change; the ETag.
    pub(crate) version: u64,
    /// When it was made (milliseconds).
    #[schema(value_type = String)]
    pub(crate) created: Timestamp,
}

/// What an org is on this marketplace: any of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct OrgRoles {
    /// Installs and calls capsules.
    pub(crate) tenant: bool,
    /// Publishes capsules.
    pub(crate) publisher: bool,
    /// Runs the marketplace.
    pub(crate) platform: bool,
}

/// Whether an org takes part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum OrgState {
    /// It does.
    Active,
    /// Nobody acts for it any more.
    Closed,
}

impl OrgState {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Closed => "closed",
        }
    }
}

const COLUMNS: &str = "SELECT org, name, is_tenant, is_publisher, is_platform, region, state, version, created_ms FROM orgs WHERE org = $1";
const PAGE: &str = "SELECT org, name, is_tenant, is_publisher, is_platform, region, state, version, created_ms FROM orgs WHERE org > $1 ORDER BY org LIMIT $2";
const UPDATE: &str =
    "UPDATE orgs SET name = $3, region = $4, version = version + 1 WHERE org = $1 AND version = $2";

fn read(row: &Row) -> Result<Org, StoreError> {
    Ok(Org {
        org: row.parsed("org")?,
        name: row.text("name")?,
        roles: OrgRoles {
            tenant: row.flag("is_tenant")?,
            publisher: row.flag("is_publisher")?,
            platform: row.flag("is_platform")?,
        },
        region: row.maybe_parsed("region")?,
        state: match row.text("state")?.as_str() {
            "active" => OrgState::Active,
            _ => OrgState::Closed,
        },
        version: row.count("version")?,
        created: row.time("created_ms")?,
    })
}

impl TenantUnit {
    /// The unit's own org.
    pub(crate) async fn own_org(&mut self) -> Result<Option<Org>, StoreError> {
        let org = self.org().to_owned();
        self.tx.one(COLUMNS, binds![&org]).await?.as_ref().map(read).transpose()
    }

    /// Changes name and region, if nobody changed the org since `version`.
    pub(crate) async fn update_own_org(
        &mut self,
        version: u64,
        name: &str,
        region: Option<&RegionId>,
    ) -> Result<bool, StoreError> {
        let org = self.org().to_owned();
        let binds = binds![&org, super::sql::whole(version), name, region.map(RegionId::as_str)];
        Ok(self.tx.run(UPDATE, binds).await? == 1)
    }

    /// How many installations stand in environments that take their region from the org.
    pub(crate) async fn placed_by_org(&mut self) -> Result<u64, StoreError> {
        let sql = "SELECT COUNT(*) AS n FROM installations i JOIN environments e ON e.org = i.org AND e.environment = i.environment \
                   WHERE i.org = $1 AND i.state <> 'removed' AND e.region IS NULL";
        let org = self.org().to_owned();
        let row = self.tx.one(sql, binds![&org]).await?;
        row.map_or(Ok(0), |row| row.count("n"))
    }

    /// Lets changes of the org's memberships happen one after the other.
    pub(crate) async fn lock_own_org(&mut self) -> Result<bool, StoreError> {
        let org = self.org().to_owned();
        Ok(self.tx.run("UPDATE orgs SET version = version WHERE org = $1", binds![&org]).await?
            == 1)
    }
}

impl PlatformUnit {
    pub(crate) async fn org(&mut self, org: &OrgId) -> Result<Option<Org>, StoreError> {
        self.tx.one(COLUMNS, binds![org.as_str()]).await?.as_ref().map(read).transpose()
    }

    /// Orgs by their ids, after `after`.
    pub(crate) async fn orgs(&mut self, after: &str, limit: u32) -> Result<Vec<Org>, StoreError> {
        let rows = self.tx.all(PAGE, binds![after, limit.min(PAGE_MAX + 1)]).await?;
        rows.iter().map(read).collect()
    }

    pub(crate) async fn insert_org(&mut self, org: &Org) -> Result<(), StoreError> {
        let sql = "INSERT INTO orgs (org, name, is_tenant, is_publisher, is_platform, region, state, version, created_ms) \
                   VALUES ($1, $2, $3, $4, $5, $6, $7, 1, $8)";
        let OrgRoles { tenant, publisher, platform } = org.roles;
        let binds = binds![
            org.org.as_str(),
            &org.name,
            tenant,
            publisher,
            platform,
            org.region.as_ref().map(RegionId::as_str),
            org.state.as_str(),
            org.created
        ];
        self.tx.run(sql, binds).await.map(drop)
    }

    /// Changes what an org is, if nobody changed it since `version`.
    pub(crate) async fn update_org(
        &mut self,
        org: &OrgId,
        version: u64,
        roles: OrgRoles,
        state: OrgState,
    ) -> Result<bool, StoreError> {
        let sql = "UPDATE orgs SET is_tenant = $3, is_publisher = $4, is_platform = $5, state = $6, version = version + 1 \
                   WHERE org = $1 AND version = $2";
        let version = super::sql::whole(version);
        let OrgRoles { tenant, publisher, platform } = roles;
        let binds = binds![org.as_str(), version, tenant, publisher, platform, state.as_str()];
        Ok(self.tx.run(sql, binds).await? == 1)
    }
}
