//! What a person proves themselves with: password hashes, sealed second factors, recovery codes.
//! Only the platform's units come here; no org sees a row of it.

use soma_policy::{Timestamp, UserId};

use super::sql::{binds, whole};
use super::{PlatformUnit, StoreError};

/// A password's hash, and until when senders that the account does not know are blocked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PasswordRow {
    pub(crate) hash: String,
    pub(crate) blocked_until: Timestamp,
}

/// A second factor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TotpRow {
    pub(crate) sealed: String,
    pub(crate) last_step: u64,
    pub(crate) confirmed: bool,
}

impl PlatformUnit {
    pub(crate) async fn password(
        &mut self,
        user: UserId,
    ) -> Result<Option<PasswordRow>, StoreError> {
        let sql = "SELECT hash, blocked_until_ms FROM user_passwords WHERE user_id = $1";
        let Some(row) = self.tx.one(sql, binds![&user.to_string()]).await? else { return Ok(None) };
        Ok(Some(PasswordRow {
            hash: row.text("hash")?,
            blocked_until: row.time("blocked_until_ms")?,
        }))
    }

    pub(crate) async fn set_password(
        &mut self,
        user: UserId,
        hash: &str,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let sql = "INSERT INTO user_passwords (user_id, hash, changed_ms, failures, blocked_until_ms) VALUES ($1, $2, $3, 0, 0) \
                   ON CONFLICT (user_id) DO UPDATE SET hash = excluded.hash, changed_ms = excluded.changed_ms, failures = 0, blocked_until_ms = 0";
        self.tx.run(sql, binds![&user.to_string(), hash, now]).await.map(drop)
    }

    pub(crate) async fn totp(&mut self, user: UserId) -> Result<Option<TotpRow>, StoreError> {
        let sql = "SELECT sealed, last_step, confirmed_ms FROM user_totps WHERE user_id = $1";
        let Some(row) = self.tx.one(sql, binds![&user.to_string()]).await? else { return Ok(None) };
        Ok(Some(TotpRow {
            sealed: row.text("sealed")?,
            last_step: row.count("last_step")?,
            confirmed: row.maybe_time("confirmed_ms")?.is_some(),
        }))
    }

    /// Begins an enrolment; one that is confirmed is not replaced.
    pub(crate) async fn begin_totp(
        &mut self,
        user: UserId,
        sealed: &str,
    ) -> Result<bool, StoreError> {
        let sql = "INSERT INTO user_totps (user_id, sealed, last_step) VALUES ($1, $2, 0) \
                   ON CONFLICT (user_id) DO UPDATE SET sealed = excluded.sealed, last_step = 0 WHERE user_totps.confirmed_ms IS NULL";
        Ok(self.tx.run(sql, binds![&user.to_string(), sealed]).await? == 1)
    }

    pub(crate) async fn confirm_totp(
        &mut self,
        user: UserId,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let sql =
            "UPDATE user_totps SET confirmed_ms = $2 WHERE user_id = $1 AND confirmed_ms IS NULL";
        Ok(self.tx.run(sql, binds![&user.to_string(), now]).await? == 1)
    }

    /// Uses a step of the clock: each one is good once, and never an older one after it.
    pub(crate) async fn use_totp_step(
        &mut self,
        user: UserId,
        step: u64,
    ) -> Result<bool, StoreError> {
        let sql = "UPDATE user_totps SET last_step = $2 WHERE user_id = $1 AND last_step < $2";
        Ok(self.tx.run(sql, binds![&user.to_string(), whole(step)]).await? == 1)
    }

    pub(crate) async fn remove_totp(&mut self, user: UserId) -> Result<bool, StoreError> {
        let id = user.to_string();
        self.tx.run("DELETE FROM recovery_codes WHERE user_id = $1", binds![&id]).await?;
        Ok(self.tx.run("DELETE FROM user_totps WHERE user_id = $1", binds![&id]).await? == 1)
    }

    /// Replaces all recovery codes.
    pub(crate) async fn set_recovery_codes(
        &mut self,
        user: UserId,
        hashes: &[String],
    ) -> Result<(), StoreError> {
        let id = user.to_string();
        self.tx.run("DELETE FROM recovery_codes WHERE user_id = $1", binds![&id]).await?;
        let sql = "INSERT INTO recovery_codes (user_id, code_hash) VALUES ($1, $2)";
        for hash in hashes {
            self.tx.run(sql, binds![&id, hash]).await?;
        }
        Ok(())
    }

    /// Uses a recovery code: once.
    pub(crate) async fn use_recovery_code(
        &mut self,
        user: UserId,
        hash: &str,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let sql = "UPDATE recovery_codes SET used_ms = $3 WHERE user_id = $1 AND code_hash = $2 AND used_ms IS NULL";
        Ok(self.tx.run(sql, binds![&user.to_string(), hash, now]).await? == 1)
    }
}
