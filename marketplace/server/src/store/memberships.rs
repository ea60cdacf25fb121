//! Memberships: which person acts for which org, and as what.

use serde::Serialize;
use soma_policy::{OrgId, Timestamp, UserId};
use utoipa::ToSchema;

use super::sql::{Row, binds, whole};
use super::{PAGE_MAX, PlatformUnit, StoreError, TenantUnit};
use crate::identity::Role;

/// A person's place in an org.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Membership {
    /// The org.
    #[schema(value_type = String)]
    pub(crate) org: OrgId,
    /// The person.
    #[schema(value_type = String)]
    pub(crate) user: UserId,
    /// As what.
    pub(crate) role: Role,
    /// Rises with each change; the ETag.
    pub(crate) version: u64,
    /// Since when (milliseconds).
    #[schema(value_type = String)]
    pub(crate) created: Timestamp,
}

/// A membership with the person's name, as the org's own people see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Member {
    /// The person.
    #[schema(value_type = String)]
    pub(crate) user: UserId,
    /// As what.
    pub(crate) role: Role,
    /// The login name; none once erased.
    pub(crate) login: Option<String>,
    /// The name; none once erased.
    pub(crate) name: Option<String>,
    /// Rises with each change; the ETag.
    pub(crate) version: u64,
    /// Since when (milliseconds).
    #[schema(value_type = String)]
    pub(crate) created: Timestamp,
}

fn read(row: &Row) -> Result<Membership, StoreError> {
    Ok(Membership {
        org: row.parsed("org")?,
        user: row.parsed("user_id")?,
        role: row.parsed("role")?,
        version: row.count("version")?,
        created: row.time("created_ms")?,
    })
}

fn read_member(row: &Row) -> Result<Member, StoreError> {
    Ok(Member {
        user: row.parsed("user_id")?,
        role: row.parsed("role")?,
        login: row.maybe_text("login")?,
        name: row.maybe_text("name")?,
        version: row.count("version")?,
        created: row.time("created_ms")?,
    })
}

impl TenantUnit {
    pub(crate) async fn member(&mut self, user: UserId) -> Result<Option<Member>, StoreError> {
        let sql = "SELECT m.user_id, m.role, p.login, p.name, m.version, m.created_ms \
                   FROM memberships m LEFT JOIN user_profiles p ON p.user_id = m.user_id WHERE m.org = $1 AND m.user_id = $2";
        let org = self.org().to_owned();
        let row = self.tx.one(sql, binds![&org, &user.to_string()]).await?;
        row.as_ref().map(read_member).transpose()
    }

    /// Members by their ids, after `after`.
    pub(crate) async fn members(
        &mut self,
        after: &str,
        limit: u32,
    ) -> Result<Vec<Member>, StoreError> {
        let sql = "SELECT m.user_id, m.role, p.login, p.name, m.version, m.created_ms \
                   FROM memberships m LEFT JOIN user_profiles p ON p.user_id = m.user_id \
                   WHERE m.org = $1 AND m.user_id > $2 ORDER BY m.user_id LIMIT $3";
        let org = self.org().to_owned();
        let rows = self.tx.all(sql, binds![&org, after, limit.min(PAGE_MAX + 1)]).await?;
        rows.iter().map(read_member).collect()
    }

    /// How many members have a role.
    pub(crate) async fn members_with(&mut self, role: Role) -> Result<u64, StoreError> {
        let sql = "SELECT count(*) AS n FROM memberships WHERE org = $1 AND role = $2";
        let org = self.org().to_owned();
        let row = self.tx.one(sql, binds![&org, role.as_str()]).await?;
        row.map_or(Ok(0), |row| row.count("n"))
    }

    /// Changes a role, if nobody changed the membership since `version`.
    pub(crate) async fn set_member_role(
        &mut self,
        user: UserId,
        version: u64,
        role: Role,
    ) -> Result<bool, StoreError> {
        let sql = "UPDATE memberships SET role = $4, version = version + 1 WHERE org = $1 AND user_id = $2 AND version = $3";
        let org = self.org().to_owned();
        let user = user.to_string();
        let binds = binds![&org, &user, whole(version), role.as_str()];
        Ok(self.tx.run(sql, binds).await? == 1)
    }

    pub(crate) async fn remove_member(&mut self, user: UserId) -> Result<bool, StoreError> {
        let org = self.org().to_owned();
        let sql = "DELETE FROM memberships WHERE org = $1 AND user_id = $2";
        Ok(self.tx.run(sql, binds![&org, &user.to_string()]).await? == 1)
    }
}

impl PlatformUnit {
    pub(crate) async fn insert_membership(&mut self, it: &Membership) -> Result<(), StoreError> {
        let sql = "INSERT INTO memberships (org, user_id, role, version, created_ms) VALUES ($1, $2, $3, 1, $4)";
        let user = it.user.to_string();
        let binds = binds![it.org.as_str(), &user, it.role.as_str(), it.created];
        self.tx.run(sql, binds).await.map(drop)
    }

    /// A person's memberships in orgs that take part.
    pub(crate) async fn memberships_of(
        &mut self,
        user: UserId,
    ) -> Result<Vec<Membership>, StoreError> {
        let sql = "SELECT m.org, m.user_id, m.role, m.version, m.created_ms FROM memberships m \
                   JOIN orgs o ON o.org = m.org WHERE m.user_id = $1 AND o.state = 'active' ORDER BY m.org LIMIT 1000";
        let rows = self.tx.all(sql, binds![&user.to_string()]).await?;
        rows.iter().map(read).collect()
    }
}

impl PlatformUnit {
    /// How many owners and operators an org has; changes of its members wait until the unit ends.
    pub(crate) async fn heads_of(&mut self, org: &OrgId) -> Result<u64, StoreError> {
        self.tx
            .run("UPDATE orgs SET version = version WHERE org = $1", binds![org.as_str()])
            .await?;
        let sql = "SELECT count(*) AS n FROM memberships WHERE org = $1 AND role IN ('owner', 'operator')";
        let row = self.tx.one(sql, binds![org.as_str()]).await?;
        row.map_or(Ok(0), |row| row.count("n"))
    }
}
