//! Logins that may be refreshed. A refresh code is good once; whoever shows a spent one ends the
//! session, because one of two holders has stolen it.

use serde::Serialize;
use soma_policy::{EnvironmentId, OrgId, SessionId, Timestamp, UserId};
use utoipa::ToSchema;

use super::sql::{Row, binds};
use super::{PlatformUnit, StoreError};
use crate::identity::Assurance;

/// A login.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Session {
    /// Its id.
    #[schema(value_type = String)]
    pub(crate) session: SessionId,
    /// Who logged in.
    #[schema(value_type = String)]
    pub(crate) user: UserId,
    /// For which org.
    #[schema(value_type = String)]
    pub(crate) org: OrgId,
    /// In which environment.
    #[schema(value_type = String)]
    pub(crate) environment: EnvironmentId,
    /// How sure we are of it.
    pub(crate) acr: Assurance,
    /// When the person last proved it (milliseconds).
    #[schema(value_type = String)]
    pub(crate) authenticated: Timestamp,
    /// Until when it may be refreshed (milliseconds).
    #[schema(value_type = String)]
    pub(crate) expires: Timestamp,
}

/// A session as the store finds it by a refresh code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SessionRow {
    pub(crate) session: Session,
    pub(crate) ended: bool,
    /// The code was spent before.
    pub(crate) spent: bool,
}

fn read(row: &Row) -> Result<Session, StoreError> {
    Ok(Session {
        session: row.parsed("session_id")?,
        user: row.parsed("user_id")?,
        org: row.parsed("org")?,
        environment: row.parsed("environment")?,
        acr: row.parsed("acr")?,
        authenticated: row.time("authenticated_ms")?,
        expires: row.time("expires_ms")?,
    })
}

impl PlatformUnit {
    pub(crate) async fn insert_session(
        &mut self,
        it: &Session,
        refresh_hash: &str,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let sql = "INSERT INTO sessions (session_id, user_id, org, environment, acr, authenticated_ms, refresh_hash, created_ms, expires_ms) \
                   VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
        let (id, user) = (it.session.to_string(), it.user.to_string());
        let (org, environment) = (it.org.as_str(), it.environment.as_str());
        let (acr, at) = (it.acr.as_str(), it.authenticated);
        let binds = binds![&id, &user, org, environment, acr, at, refresh_hash, now, it.expires];
        self.tx.run(sql, binds).await.map(drop)
    }

    pub(crate) async fn session_by_code(
        &mut self,
        code_hash: &str,
    ) -> Result<Option<SessionRow>, StoreError> {
        let sql = "SELECT session_id, user_id, org, environment, acr, authenticated_ms, expires_ms, ended_ms, refresh_hash \
                   FROM sessions WHERE refresh_hash = $1 OR spent_hash = $1";
        let Some(row) = self.tx.one(sql, binds![code_hash]).await? else { return Ok(None) };
        Ok(Some(SessionRow {
            session: read(&row)?,
            ended: row.maybe_time("ended_ms")?.is_some(),
            spent: row.text("refresh_hash")? != code_hash,
        }))
    }

    /// A session that still counts.
    pub(crate) async fn live_session(
        &mut self,
        session: SessionId,
        now: Timestamp,
    ) -> Result<Option<Session>, StoreError> {
        let sql = "SELECT session_id, user_id, org, environment, acr, authenticated_ms, expires_ms FROM sessions \
                   WHERE session_id = $1 AND ended_ms IS NULL AND expires_ms > $2";
        let row = self.tx.one(sql, binds![&session.to_string(), now]).await?;
        row.as_ref().map(read).transpose()
    }

    /// Spends one refresh code for the next: of two at once, one wins.
    pub(crate) async fn rotate_session(
        &mut self,
        session: SessionId,
        old_hash: &str,
        new_hash: &str,
    ) -> Result<bool, StoreError> {
        let sql = "UPDATE sessions SET refresh_hash = $3, spent_hash = $2 WHERE session_id = $1 AND refresh_hash = $2 AND ended_ms IS NULL";
        Ok(self.tx.run(sql, binds![&session.to_string(), old_hash, new_hash]).await? == 1)
    }

    /// Notes that the person proved themselves again.
    pub(crate) async fn step_up_session(
        &mut self,
        session: SessionId,
        acr: Assurance,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let sql = "UPDATE sessions SET acr = $2, authenticated_ms = $3, wrong_proofs = 0 WHERE session_id = $1 AND ended_ms IS NULL";
        Ok(self.tx.run(sql, binds![&session.to_string(), acr.as_str(), now]).await? == 1)
    }

    pub(crate) async fn end_session(
        &mut self,
        session: SessionId,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let sql = "UPDATE sessions SET ended_ms = $2 WHERE session_id = $1 AND ended_ms IS NULL";
        Ok(self.tx.run(sql, binds![&session.to_string(), now]).await? == 1)
    }

    /// Ends every session of a person; in one org, or in all.
    pub(crate) async fn end_sessions_of(
        &mut self,
        user: UserId,
        org: Option<&OrgId>,
        now: Timestamp,
    ) -> Result<u64, StoreError> {
        let user = user.to_string();
        match org {
            None => {
                let sql =
                    "UPDATE sessions SET ended_ms = $2 WHERE user_id = $1 AND ended_ms IS NULL";
                self.tx.run(sql, binds![&user, now]).await
            }
            Some(org) => {
                let sql = "UPDATE sessions SET ended_ms = $2 WHERE user_id = $1 AND org = $3 AND ended_ms IS NULL";
                self.tx.run(sql, binds![&user, now, org.as_str()]).await
            }
        }
    }
}
