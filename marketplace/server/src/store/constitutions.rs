//! Constitutions, as they are kept: envelopes whose signatures were proven when they came.
//!
//! The one that holds is the activated one of the highest number. A number is activated once.

use soma_policy::{Digest, Timestamp};

use super::sql::{Row, binds, whole};
use super::{PAGE_MAX, PlatformUnit, StoreError};

/// A proposal, or one that holds or held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ConstitutionRow {
    /// The digest of what was signed.
    pub(crate) digest: Digest,
    pub(crate) version: u64,
    /// DSSE, as JSON text, with every signature that is known.
    pub(crate) envelope: String,
    /// Who brought it.
    pub(crate) put_by: String,
    pub(crate) created: Timestamp,
    /// Since when it holds, or held.
    pub(crate) activated: Option<Timestamp>,
}

fn read(row: &Row) -> Result<ConstitutionRow, StoreError> {
    Ok(ConstitutionRow {
        digest: row.parsed("digest")?,
        version: row.count("version")?,
        envelope: row.text("envelope")?,
        put_by: row.text("put_by")?,
        created: row.time("created_ms")?,
        activated: row.maybe_time("activated_ms")?,
    })
}

macro_rules! constitutions {
    ($rest:literal) => {
        concat!(
            "SELECT digest, version, envelope, put_by, created_ms, activated_ms FROM constitutions ",
            $rest
        )
    };
}

impl PlatformUnit {
    /// The one that holds.
    pub(crate) async fn constitution(&mut self) -> Result<Option<ConstitutionRow>, StoreError> {
        let sql = constitutions!("WHERE activated_ms IS NOT NULL ORDER BY version DESC LIMIT 1");
        self.tx.one(sql, &[]).await?.as_ref().map(read).transpose()
    }

    /// The name of the one that holds: all that is asked each moment.
    pub(crate) async fn constitution_digest(&mut self) -> Result<Option<Digest>, StoreError> {
        let sql = "SELECT digest FROM constitutions WHERE activated_ms IS NOT NULL ORDER BY version DESC LIMIT 1";
        self.tx.one(sql, &[]).await?.map(|row| row.parsed("digest")).transpose()
    }

    /// One by its digest.
    pub(crate) async fn constitution_of(
        &mut self,
        digest: Digest,
    ) -> Result<Option<ConstitutionRow>, StoreError> {
        let sql = constitutions!("WHERE digest = $1");
        self.tx.one(sql, binds![&digest.to_string()]).await?.as_ref().map(read).transpose()
    }

    /// The one that held under a number.
    pub(crate) async fn constitution_version(
        &mut self,
        version: u64,
    ) -> Result<Option<ConstitutionRow>, StoreError> {
        let sql = constitutions!("WHERE version = $1 AND activated_ms IS NOT NULL");
        self.tx.one(sql, binds![whole(version)]).await?.as_ref().map(read).transpose()
    }

    /// Those that hold or held, below a number, the newest first.
    pub(crate) async fn constitutions_before(
        &mut self,
        version: u64,
        limit: u32,
    ) -> Result<Vec<ConstitutionRow>, StoreError> {
        let sql = constitutions!(
            "WHERE activated_ms IS NOT NULL AND version < $1 ORDER BY version DESC LIMIT $2"
        );
        let rows = self.tx.all(sql, binds![whole(version), limit.min(PAGE_MAX + 1)]).await?;
        rows.iter().map(read).collect()
    }

    /// What is proposed under a number, the oldest first.
    pub(crate) async fn proposals(
        &mut self,
        version: u64,
    ) -> Result<Vec<ConstitutionRow>, StoreError> {
        let sql = constitutions!(
            "WHERE version = $1 AND activated_ms IS NULL ORDER BY created_ms, digest LIMIT 100"
        );
        self.tx.all(sql, binds![whole(version)]).await?.iter().map(read).collect()
    }

    /// Keeps one with the signatures that are known now. When and by whom it came first stays.
    pub(crate) async fn keep_constitution(
        &mut self,
        it: &ConstitutionRow,
    ) -> Result<(), StoreError> {
        let sql = "INSERT INTO constitutions (digest, version, envelope, put_by, created_ms, activated_ms) VALUES ($1, $2, $3, $4, $5, $6) \
                   ON CONFLICT (digest) DO UPDATE SET envelope = excluded.envelope, activated_ms = excluded.activated_ms";
        let digest = it.digest.to_string();
        let binds =
            binds![&digest, whole(it.version), &it.envelope, &it.put_by, it.created, it.activated];
        self.tx.run(sql, binds).await.map(drop)
    }
}
