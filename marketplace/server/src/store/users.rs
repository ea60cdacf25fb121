//! Persons: a pseudonymous id that everything may name, and personal data that can be erased.

use serde::{Deserialize, Serialize};
use soma_policy::{Timestamp, UserId};
use utoipa::ToSchema;

use super::sql::{Row, binds, whole};
use super::{PAGE_MAX, PlatformUnit, StoreError};

/// A natural person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct User {
    /// The pseudonymous id.
    #[schema(value_type = String)]
    pub(crate) user: UserId,
    /// Whether the person may log in.
    pub(crate) state: UserState,
    /// The login name; none once erased.
    pub(crate) login: Option<String>,
    /// The name; none once erased.
    pub(crate) name: Option<String>,
    /// The address, if one was given.
    pub(crate) email: Option<String>,
    /// Rises with each change; the ETag.
    pub(crate) version: u64,
    /// When the account was made (milliseconds).
    #[schema(value_type = String)]
    pub(crate) created: Timestamp,
}

/// Whether a person may log in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum UserState {
    /// Yes.
    Active,
    /// Not until an operator says so.
    Locked,
    /// Never again: the personal data is gone.
    Erased,
}

impl UserState {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Locked => "locked",
            Self::Erased => "erased",
        }
    }

    pub(super) fn read(row: &Row) -> Result<Self, StoreError> {
        Ok(match row.text("state")?.as_str() {
            "active" => Self::Active,
            "locked" => Self::Locked,
            _ => Self::Erased,
        })
    }
}

const BY_ID: &str = "SELECT u.user_id, u.state, p.login, p.name, p.email, u.version, u.created_ms \
    FROM users u LEFT JOIN user_profiles p ON p.user_id = u.user_id WHERE u.user_id = $1";
const BY_LOGIN: &str = "SELECT u.user_id, u.state, p.login, p.name, p.email, u.version, u.created_ms \
    FROM users u JOIN user_profiles p ON p.user_id = u.user_id WHERE p.login = $1";
const PAGE: &str = "SELECT u.user_id, u.state, p.login, p.name, p.email, u.version, u.created_ms \
    FROM users u LEFT JOIN user_profiles p ON p.user_id = u.user_id WHERE u.user_id > $1 ORDER BY u.user_id LIMIT $2";

fn read(row: &Row) -> Result<User, StoreError> {
    Ok(User {
        user: row.parsed("user_id")?,
        state: UserState::read(row)?,
        login: row.maybe_text("login")?,
        name: row.maybe_text("name")?,
        email: row.maybe_text("email")?,
        version: row.count("version")?,
        created: row.time("created_ms")?,
    })
}

impl PlatformUnit {
    pub(crate) async fn user(&mut self, user: UserId) -> Result<Option<User>, StoreError> {
        let row = self.tx.one(BY_ID, binds![&user.to_string()]).await?;
        row.as_ref().map(read).transpose()
    }

    pub(crate) async fn user_by_login(&mut self, login: &str) -> Result<Option<User>, StoreError> {
        self.tx.one(BY_LOGIN, binds![login]).await?.as_ref().map(read).transpose()
    }

    /// Persons by their ids, after `after`.
    pub(crate) async fn users(&mut self, after: &str, limit: u32) -> Result<Vec<User>, StoreError> {
        let rows = self.tx.all(PAGE, binds![after, limit.min(PAGE_MAX + 1)]).await?;
        rows.iter().map(read).collect()
    }

    pub(crate) async fn insert_user(
        &mut self,
        user: UserId,
        (login, name, email): (&str, &str, Option<&str>),
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let id = user.to_string();
        let sql =
            "INSERT INTO users (user_id, state, version, created_ms) VALUES ($1, 'active', 1, $2)";
        self.tx.run(sql, binds![&id, now]).await?;
        let sql = "INSERT INTO user_profiles (user_id, login, name, email) VALUES ($1, $2, $3, $4)";
        self.tx.run(sql, binds![&id, login, name, email]).await.map(drop)
    }

    /// Locks or unlocks, if nobody changed the person since `version`. The erased stay so.
    pub(crate) async fn set_user_state(
        &mut self,
        user: UserId,
        version: u64,
        state: UserState,
    ) -> Result<bool, StoreError> {
        let sql = "UPDATE users SET state = $3, version = version + 1 \
                   WHERE user_id = $1 AND version = $2 AND state <> 'erased'";
        let user = user.to_string();
        let binds = binds![&user, whole(version), state.as_str()];
        Ok(self.tx.run(sql, binds).await? == 1)
    }

    /// Erases what is personal: profile, password, factors, sessions, memberships. The id stays.
    pub(crate) async fn erase_user(&mut self, user: UserId) -> Result<bool, StoreError> {
        let id = user.to_string();
        let sql = "UPDATE users SET state = 'erased', version = version + 1 WHERE user_id = $1 AND state <> 'erased'";
        if self.tx.run(sql, binds![&id]).await? == 0 {
            return Ok(false);
        }
        for sql in [
            "DELETE FROM user_profiles WHERE user_id = $1",
            "DELETE FROM user_passwords WHERE user_id = $1",
            "DELETE FROM user_totps WHERE user_id = $1",
            "DELETE FROM recovery_codes WHERE user_id = $1",
            "DELETE FROM login_senders WHERE user_id = $1",
            "DELETE FROM password_resets WHERE user_id = $1",
            "DELETE FROM sessions WHERE user_id = $1",
            "DELETE FROM memberships WHERE user_id = $1",
        ] {
            self.tx.run(sql, binds![&id]).await?;
        }
        Ok(true)
    }
}
