//! Where logins to an account come from, and what failed from there. Only the platform's units come here; no org sees a
//! row of it. A sender is the hash of an address, and of the account that it tried, so that rows tell no two apart.

use soma_policy::{SessionId, Timestamp, UserId};

use super::sql::binds;
use super::{PlatformUnit, StoreError};

/// How an account stands with one sender.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct SenderRow {
    pub(crate) blocked_until: Timestamp,
    /// The person has come from there before.
    pub(crate) known: bool,
}

impl PlatformUnit {
    pub(crate) async fn login_sender(
        &mut self,
        user: UserId,
        sender: &str,
    ) -> Result<SenderRow, StoreError> {
        let sql = "SELECT blocked_until_ms, entered_ms FROM login_senders WHERE user_id = $1 AND sender = $2";
        let row = self.tx.one(sql, binds![&user.to_string(), sender]).await?;
        let Some(row) = row else { return Ok(SenderRow::default()) };
        let known = row.maybe_time("entered_ms")?.is_some();
        Ok(SenderRow { blocked_until: row.time("blocked_until_ms")?, known })
    }

    /// Counts a failed login: from the fifth on the sender is blocked until `blocked_until`, and from the hundredth of all
    /// senders on the account is, for those that it does not know.
    pub(crate) async fn count_failure(
        &mut self,
        (user, sender): (UserId, &str),
        blocked_until: Timestamp,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let user = user.to_string();
        let sql = "INSERT INTO login_senders (user_id, sender, failures, blocked_until_ms, seen_ms) VALUES ($1, $2, 1, 0, $4) \
                   ON CONFLICT (user_id, sender) DO UPDATE SET failures = login_senders.failures + 1, seen_ms = excluded.seen_ms, \
                   blocked_until_ms = CASE WHEN login_senders.failures >= 4 THEN $3 ELSE login_senders.blocked_until_ms END";
        self.tx.run(sql, binds![&user, sender, blocked_until, now]).await?;
        let sql = "UPDATE user_passwords SET failures = failures + 1, \
                   blocked_until_ms = CASE WHEN failures >= 99 THEN $2 ELSE blocked_until_ms END WHERE user_id = $1";
        self.tx.run(sql, binds![&user, blocked_until]).await.map(drop)
    }

    /// The person came: what failed before counts no more, and the sender is known.
    pub(crate) async fn note_entered(
        &mut self,
        user: UserId,
        sender: &str,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let user = user.to_string();
        let sql = "INSERT INTO login_senders (user_id, sender, failures, blocked_until_ms, entered_ms, seen_ms) VALUES ($1, $2, 0, 0, $3, $3) \
                   ON CONFLICT (user_id, sender) DO UPDATE SET failures = 0, blocked_until_ms = 0, entered_ms = $3, seen_ms = $3";
        self.tx.run(sql, binds![&user, sender, now]).await?;
        let sql = "UPDATE user_passwords SET failures = 0, blocked_until_ms = 0 WHERE user_id = $1 AND failures > 0";
        self.tx.run(sql, binds![&user]).await.map(drop)
    }

    /// Forgets every failure and every block of an account.
    pub(crate) async fn unblock(&mut self, user: UserId) -> Result<(), StoreError> {
        let user = user.to_string();
        let sql = "UPDATE login_senders SET failures = 0, blocked_until_ms = 0 WHERE user_id = $1";
        self.tx.run(sql, binds![&user]).await?;
        let sql = "UPDATE user_passwords SET failures = 0, blocked_until_ms = 0 WHERE user_id = $1";
        self.tx.run(sql, binds![&user]).await.map(drop)
    }

    /// Counts a wrong proof within a session that has not ended; gives how many there were.
    pub(crate) async fn count_wrong_proof(
        &mut self,
        session: SessionId,
    ) -> Result<u64, StoreError> {
        let session = session.to_string();
        let sql = "UPDATE sessions SET wrong_proofs = wrong_proofs + 1 WHERE session_id = $1 AND ended_ms IS NULL";
        self.tx.run(sql, binds![&session]).await?;
        let sql = "SELECT wrong_proofs FROM sessions WHERE session_id = $1";
        let row = self.tx.one(sql, binds![&session]).await?;
        row.map_or(Ok(0), |row| row.count("wrong_proofs"))
    }
}
