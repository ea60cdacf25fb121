//! Invitations: offers of a membership, taken once by whoever holds the code.

use serde::Serialize;
use soma_policy::{InvitationId, OrgId, Timestamp};
use utoipa::ToSchema;

use super::sql::{Row, binds};
use super::{PAGE_MAX, PlatformUnit, StoreError, TenantUnit};
use crate::identity::Role;

/// An offer of a membership.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Invitation {
    /// Its id.
    #[schema(value_type = String)]
    pub(crate) invitation: InvitationId,
    /// The org.
    #[schema(value_type = String)]
    pub(crate) org: OrgId,
    /// As what.
    pub(crate) role: Role,
    /// Who invited.
    pub(crate) invited_by: String,
    /// Until when (milliseconds).
    #[schema(value_type = String)]
    pub(crate) expires: Timestamp,
    /// When it was taken (milliseconds).
    #[schema(value_type = Option<String>)]
    pub(crate) used: Option<Timestamp>,
}

fn read(row: &Row) -> Result<Invitation, StoreError> {
    Ok(Invitation {
        invitation: row.parsed("invitation_id")?,
        org: row.parsed("org")?,
        role: row.parsed("role")?,
        invited_by: row.text("invited_by")?,
        expires: row.time("expires_ms")?,
        used: row.maybe_time("used_ms")?,
    })
}

const INSERT: &str = "INSERT INTO invitations (org, invitation_id, code_hash, role, invited_by, created_ms, expires_ms) VALUES ($1, $2, $3, $4, $5, $6, $7)";

impl TenantUnit {
    pub(crate) async fn insert_invitation(
        &mut self,
        it: &Invitation,
        code_hash: &str,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.only_own(&it.org)?;
        let (org, id) = (it.org.as_str(), it.invitation.to_string());
        let binds = binds![org, &id, code_hash, it.role.as_str(), &it.invited_by, now, it.expires];
        self.tx.run(INSERT, binds).await.map(drop)
    }

    /// Invitations by their ids, after `after`.
    pub(crate) async fn invitations(
        &mut self,
        after: &str,
        limit: u32,
    ) -> Result<Vec<Invitation>, StoreError> {
        let sql = "SELECT org, invitation_id, role, invited_by, expires_ms, used_ms FROM invitations \
                   WHERE org = $1 AND invitation_id > $2 ORDER BY invitation_id LIMIT $3";
        let org = self.org().to_owned();
        let rows = self.tx.all(sql, binds![&org, after, limit.min(PAGE_MAX + 1)]).await?;
        rows.iter().map(read).collect()
    }

    /// Takes an offer back, unless it was taken.
    pub(crate) async fn remove_invitation(&mut self, id: InvitationId) -> Result<bool, StoreError> {
        let sql =
            "DELETE FROM invitations WHERE org = $1 AND invitation_id = $2 AND used_ms IS NULL";
        let org = self.org().to_owned();
        Ok(self.tx.run(sql, binds![&org, &id.to_string()]).await? == 1)
    }
}

impl PlatformUnit {
    /// The offer to the first owner of a new org.
    pub(crate) async fn found_invitation(
        &mut self,
        it: &Invitation,
        code_hash: &str,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let (org, id) = (it.org.as_str(), it.invitation.to_string());
        let (role, by) = (it.role.as_str(), &it.invited_by);
        let binds = binds![org, &id, code_hash, role, by, now, it.expires];
        self.tx.run(INSERT, binds).await.map(drop)
    }

    /// Takes the offer that this code is for: once, and in its time.
    pub(crate) async fn take_invitation(
        &mut self,
        code_hash: &str,
        now: Timestamp,
    ) -> Result<Option<Invitation>, StoreError> {
        let sql = "UPDATE invitations SET used_ms = $2 WHERE code_hash = $1 AND used_ms IS NULL AND expires_ms > $2 \
                   RETURNING org, invitation_id, role, invited_by, expires_ms, used_ms";
        self.tx.one(sql, binds![code_hash, now]).await?.as_ref().map(read).transpose()
    }
}
