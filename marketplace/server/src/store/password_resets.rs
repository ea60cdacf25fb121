//! Codes with which a person who cannot log in sets a new password: made by an operator, good once. Only the platform's
//! units come here; no org sees a row of it.

use soma_policy::{Timestamp, UserId};

use super::sql::binds;
use super::{PlatformUnit, StoreError};

impl PlatformUnit {
    /// Keeps the hash of a code; it takes the place of the one before.
    pub(crate) async fn offer_reset(
        &mut self,
        user: UserId,
        (code_hash, made_by): (&str, &str),
        expires: Timestamp,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let sql = "INSERT INTO password_resets (user_id, code_hash, made_by, created_ms, expires_ms) VALUES ($1, $2, $3, $4, $5) \
                   ON CONFLICT (user_id) DO UPDATE SET code_hash = excluded.code_hash, made_by = excluded.made_by, \
                   created_ms = excluded.created_ms, expires_ms = excluded.expires_ms";
        let user = user.to_string();
        let binds = binds![&user, code_hash, made_by, now, expires];
        self.tx.run(sql, binds).await.map(drop)
    }

    /// Whose code it is, while it is good.
    pub(crate) async fn reset_of(
        &mut self,
        code_hash: &str,
        now: Timestamp,
    ) -> Result<Option<UserId>, StoreError> {
        let sql = "SELECT user_id FROM password_resets WHERE code_hash = $1 AND expires_ms > $2";
        let row = self.tx.one(sql, binds![code_hash, now]).await?;
        row.map(|row| row.parsed("user_id")).transpose()
    }

    /// Uses a code: of two that come at once, one has it.
    pub(crate) async fn take_reset(
        &mut self,
        code_hash: &str,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let sql = "DELETE FROM password_resets WHERE code_hash = $1 AND expires_ms > $2";
        Ok(self.tx.run(sql, binds![code_hash, now]).await? == 1)
    }
}
