//! One-time tokens by which hosts join. Only their hashes are kept.

use soma_policy::feed::HostRole;
use soma_policy::{RegionId, Timestamp};

use super::hosts::{role, role_text};
use super::sql::binds;
use super::{PlatformUnit, StoreError};

/// What a token lets join.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Enrolment {
    pub(crate) role: HostRole,
    /// The only region, if it names one.
    pub(crate) region: Option<RegionId>,
    pub(crate) made_by: String,
    pub(crate) expires: Timestamp,
}

impl PlatformUnit {
    pub(crate) async fn insert_enrolment(
        &mut self,
        token_hash: &str,
        it: &Enrolment,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let sql = "INSERT INTO host_enrolments (token_hash, role, region, made_by, created_ms, expires_ms) VALUES ($1, $2, $3, $4, $5, $6)";
        let region = it.region.as_ref().map(RegionId::as_str);
        let binds = binds![token_hash, role_text(it.role), region, &it.made_by, now, it.expires];
        self.tx.run(sql, binds).await.map(drop)
    }

    /// Takes a token: once, and within its time.
    pub(crate) async fn take_enrolment(
        &mut self,
        token_hash: &str,
        now: Timestamp,
    ) -> Result<Option<Enrolment>, StoreError> {
        let sql = "UPDATE host_enrolments SET used_ms = $2 WHERE token_hash = $1 AND used_ms IS NULL AND expires_ms > $2 \
                   RETURNING role, region, made_by, expires_ms";
        let Some(row) = self.tx.one(sql, binds![token_hash, now]).await? else { return Ok(None) };
        Ok(Some(Enrolment {
            role: role(&row)?,
            region: row.maybe_parsed("region")?,
            made_by: row.text("made_by")?,
            expires: row.time("expires_ms")?,
        }))
    }
}
