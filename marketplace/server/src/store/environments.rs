//! Environments of an org.

use serde::{Deserialize, Serialize};
use soma_policy::{EnvironmentId, HostId, OrgId, RegionId, Timestamp};
use utoipa::ToSchema;

use super::sql::{Row, binds};
use super::{PAGE_MAX, PlatformUnit, StoreError, TenantUnit};

/// What installations, addresses, secrets and budgets are scoped by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Environment {
    /// Its id within the org.
    #[schema(value_type = String)]
    pub(crate) environment: EnvironmentId,
    /// What it is for.
    pub(crate) kind: EnvironmentKind,
    /// Where it runs; the org's region if none.
    #[schema(value_type = Option<String>)]
    pub(crate) region: Option<RegionId>,
    /// Rises with each change; the ETag.
    pub(crate) version: u64,
    /// When it was made (milliseconds).
    #[schema(value_type = String)]
    pub(crate) created: Timestamp,
}

/// What an environment is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum EnvironmentKind {
    /// Real work.
    Production,
    /// A rehearsal of it.
    Staging,
    /// Anything goes.
    Development,
}

impl EnvironmentKind {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Production => "production",
            Self::Staging => "staging",
            Self::Development => "development",
        }
    }
}

fn read(row: &Row) -> Result<Environment, StoreError> {
    Ok(Environment {
        environment: row.parsed("environment")?,
        kind: match row.text("kind")?.as_str() {
            "production" => EnvironmentKind::Production,
            "staging" => EnvironmentKind::Staging,
            _ => EnvironmentKind::Development,
        },
        region: row.maybe_parsed("region")?,
        version: row.count("version")?,
        created: row.time("created_ms")?,
    })
}

const INSERT: &str = "INSERT INTO environments (org, environment, kind, region, version, created_ms) VALUES ($1, $2, $3, $4, 1, $5)";
const ONE: &str = "SELECT environment, kind, region, version, created_ms FROM environments WHERE org = $1 AND environment = $2";

impl TenantUnit {
    pub(crate) async fn environment(
        &mut self,
        environment: &EnvironmentId,
    ) -> Result<Option<Environment>, StoreError> {
        let org = self.org().to_owned();
        let row = self.tx.one(ONE, binds![&org, environment.as_str()]).await?;
        row.as_ref().map(read).transpose()
    }

    /// Environments by their ids, after `after`.
    pub(crate) async fn environments(
        &mut self,
        after: &str,
        limit: u32,
    ) -> Result<Vec<Environment>, StoreError> {
        let sql = "SELECT environment, kind, region, version, created_ms FROM environments \
                   WHERE org = $1 AND environment > $2 ORDER BY environment LIMIT $3";
        let org = self.org().to_owned();
        let rows = self.tx.all(sql, binds![&org, after, limit.min(PAGE_MAX + 1)]).await?;
        rows.iter().map(read).collect()
    }

    pub(crate) async fn insert_environment(&mut self, it: &Environment) -> Result<(), StoreError> {
        let org = self.org().to_owned();
        let region = it.region.as_ref().map(RegionId::as_str);
        let binds = binds![&org, it.environment.as_str(), it.kind.as_str(), region, it.created];
        self.tx.run(INSERT, binds).await.map(drop)
    }
}

impl PlatformUnit {
    /// The only region in which capsules of an environment run: its own, or its org's; any if none.
    pub(crate) async fn region_of(
        &mut self,
        org: &OrgId,
        environment: &EnvironmentId,
    ) -> Result<Option<RegionId>, StoreError> {
        let sql = "SELECT COALESCE(e.region, o.region) AS region FROM orgs o LEFT JOIN environments e \
                   ON e.org = o.org AND e.environment = $2 WHERE o.org = $1";
        let row = self.tx.one(sql, binds![org.as_str(), environment.as_str()]).await?;
        row.map_or(Ok(None), |row| row.maybe_parsed("region"))
    }

    /// Whether a host stands where an environment may run.
    pub(crate) async fn stands_for(
        &mut self,
        host: &HostId,
        org: &OrgId,
        environment: &EnvironmentId,
    ) -> Result<bool, StoreError> {
        let Some(wanted) = self.region_of(org, environment).await? else { return Ok(true) };
        let sql = "SELECT host FROM hosts WHERE host = $1 AND region = $2";
        Ok(self.tx.one(sql, binds![&host.to_string(), wanted.as_str()]).await?.is_some())
    }

    /// Whether an org has that environment.
    pub(crate) async fn has_environment(
        &mut self,
        org: &OrgId,
        environment: &EnvironmentId,
    ) -> Result<bool, StoreError> {
        Ok(self.tx.one(ONE, binds![org.as_str(), environment.as_str()]).await?.is_some())
    }

    pub(crate) async fn found_environment(
        &mut self,
        org: &OrgId,
        it: &Environment,
    ) -> Result<(), StoreError> {
        let region = it.region.as_ref().map(RegionId::as_str);
        let binds =
            binds![org.as_str(), it.environment.as_str(), it.kind.as_str(), region, it.created];
        self.tx.run(INSERT, binds).await.map(drop)
    }
}
