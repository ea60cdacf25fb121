//! Releases and what was submitted for them. The record is the whole state; the columns are for queries.

use semver::Version;
use soma_market::release::{Release, ReleaseRecord, ReleaseState};
use soma_policy::{
    CapsuleName, Digest, Fingerprint, OrgId, PublisherName, SubmissionId, Timestamp,
};

use super::sql::{Row, binds, record_text, whole};
use super::{PAGE_MAX, PlatformUnit, StoreError};

/// What was submitted, as far as the database keeps it; the files are elsewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SubmissionRow {
    pub(crate) id: SubmissionId,
    pub(crate) org: OrgId,
    pub(crate) capsule: CapsuleName,
    pub(crate) version: Version,
    pub(crate) attempt: u32,
    /// Where the release is while this is its present attempt; `replaced` afterwards.
    pub(crate) state: String,
    pub(crate) digest: Digest,
    pub(crate) signer: Fingerprint,
    /// The embedded manifest, byte for byte.
    pub(crate) manifest: String,
    /// Names of the imported interfaces.
    pub(crate) imports: Vec<String>,
    pub(crate) bytes: u64,
    pub(crate) sbom: Option<String>,
    pub(crate) provenance: Option<String>,
    pub(crate) submitted: Timestamp,
}

/// What a publisher's past says of its next release.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Past {
    /// Releases that were published and not revoked.
    pub(crate) published: u32,
    /// When releases were revoked.
    pub(crate) revoked: Vec<Timestamp>,
}

fn release(row: &Row) -> Result<Release, StoreError> {
    let record: ReleaseRecord = row.record("record")?;
    let broken = |_| StoreError::Corrupt { column: "record", expected: "a release" };
    Release::from_record(record).map_err(broken)
}

fn submission(row: &Row) -> Result<SubmissionRow, StoreError> {
    let wide = |_| StoreError::Corrupt { column: "attempt", expected: "a small number" };
    Ok(SubmissionRow {
        id: row.parsed("submission_id")?,
        org: row.parsed("org")?,
        capsule: row.parsed("capsule")?,
        version: row.parsed("version")?,
        attempt: u32::try_from(row.count("attempt")?).map_err(wide)?,
        state: row.text("state")?,
        digest: row.parsed("digest")?,
        signer: row.parsed("signer")?,
        manifest: row.text("manifest")?,
        imports: row.record("imports")?,
        bytes: row.count("bytes")?,
        sbom: row.maybe_text("sbom")?,
        provenance: row.maybe_text("provenance")?,
        submitted: row.time("submitted_ms")?,
    })
}

macro_rules! submissions {
    ($rest:literal) => {
        concat!(
            "SELECT submission_id, org, capsule, version, attempt, state, digest, signer, manifest, imports, bytes, sbom, \
             provenance, submitted_ms FROM submissions ",
            $rest
        )
    };
}

impl PlatformUnit {
    pub(crate) async fn release(
        &mut self,
        capsule: &CapsuleName,
        version: &Version,
    ) -> Result<Option<Release>, StoreError> {
        let sql = "SELECT record FROM releases WHERE capsule = $1 AND version = $2";
        let (capsule, version) = (capsule.to_string(), version.to_string());
        self.tx.one(sql, binds![&capsule, &version]).await?.as_ref().map(release).transpose()
    }

    /// The release that a digest is bound to.
    pub(crate) async fn release_of(
        &mut self,
        digest: &Digest,
    ) -> Result<Option<Release>, StoreError> {
        let sql = "SELECT record FROM releases WHERE digest = $1";
        self.tx.one(sql, binds![&digest.to_string()]).await?.as_ref().map(release).transpose()
    }

    /// Every version that a capsule has or ever had.
    pub(crate) async fn versions(
        &mut self,
        capsule: &CapsuleName,
    ) -> Result<Vec<Version>, StoreError> {
        let sql = "SELECT version FROM releases WHERE capsule = $1";
        let rows = self.tx.all(sql, binds![&capsule.to_string()]).await?;
        rows.iter().map(|row| row.parsed("version")).collect()
    }

    /// Releases of a capsule that were published, the latest publication first.
    pub(crate) async fn published(
        &mut self,
        capsule: &CapsuleName,
        limit: u32,
    ) -> Result<Vec<Release>, StoreError> {
        let sql = "SELECT record FROM releases WHERE capsule = $1 AND published_ms IS NOT NULL \
                   ORDER BY published_ms DESC, version DESC LIMIT $2";
        let rows = self.tx.all(sql, binds![&capsule.to_string(), limit]).await?;
        rows.iter().map(release).collect()
    }

    /// Releases with a digest bound to them and who signed each: of a publisher, a capsule, a digest or a signer,
    /// where one is given.
    pub(crate) async fn bound_releases(
        &mut self,
        [publisher, capsule, digest, signer]: [&str; 4],
    ) -> Result<Vec<(Release, Fingerprint)>, StoreError> {
        let sql = "SELECT r.record, s.signer FROM releases r JOIN submissions s \
                   ON s.capsule = r.capsule AND s.version = r.version AND s.digest = r.digest \
                   WHERE r.digest IS NOT NULL AND ($1 = '' OR r.namespace = $1) AND ($2 = '' OR r.capsule = $2) \
                   AND ($3 = '' OR r.digest = $3) AND ($4 = '' OR s.signer = $4) ORDER BY r.capsule, r.version LIMIT 10000";
        let rows = self.tx.all(sql, binds![publisher, capsule, digest, signer]).await?;
        rows.iter().map(|row| Ok((release(row)?, row.parsed("signer")?))).collect()
    }

    /// Releases that were revoked with a digest bound to them, by name and version, after `after`; each with when.
    pub(crate) async fn revoked_releases(
        &mut self,
        after: (&str, &str),
        limit: u32,
    ) -> Result<Vec<(Release, Timestamp)>, StoreError> {
        let sql = "SELECT record, revoked_ms FROM releases WHERE state = 'revoked' AND digest IS NOT NULL \
                   AND (capsule > $1 OR (capsule = $1 AND version > $2)) ORDER BY capsule, version LIMIT $3";
        let rows = self.tx.all(sql, binds![after.0, after.1, limit]).await?;
        rows.iter().map(|row| Ok((release(row)?, row.time("revoked_ms")?))).collect()
    }

    /// Every release of a publisher, for a change of its owner.
    pub(crate) async fn releases_of(
        &mut self,
        publisher: &PublisherName,
    ) -> Result<Vec<Release>, StoreError> {
        let sql = "SELECT record FROM releases WHERE namespace = $1 ORDER BY capsule, version";
        self.tx.all(sql, binds![publisher.as_str()]).await?.iter().map(release).collect()
    }

    /// What a publisher's releases came to.
    pub(crate) async fn past(&mut self, publisher: &PublisherName) -> Result<Past, StoreError> {
        let sql = "SELECT count(*) AS n FROM releases WHERE namespace = $1 AND published_ms IS NOT NULL AND state <> 'revoked'";
        let row = self.tx.one(sql, binds![publisher.as_str()]).await?;
        let published = row.map_or(Ok(0), |row| row.count("n"))?;
        let sql = "SELECT revoked_ms FROM releases WHERE namespace = $1 AND revoked_ms IS NOT NULL ORDER BY revoked_ms DESC LIMIT 100";
        let rows = self.tx.all(sql, binds![publisher.as_str()]).await?;
        let revoked = rows.iter().map(|row| row.time("revoked_ms")).collect::<Result<_, _>>()?;
        Ok(Past { published: u32::try_from(published).unwrap_or(u32::MAX), revoked })
    }

    pub(crate) async fn insert_release(&mut self, it: &Release) -> Result<(), StoreError> {
        let sql = "INSERT INTO releases (capsule, version, namespace, org, state, sequence, record) VALUES ($1, $2, $3, $4, $5, $6, $7)";
        let record = it.record();
        let (capsule, version) = (record.name.to_string(), record.version.to_string());
        let text = record_text(record)?;
        let (namespace, org) = (record.name.publisher.as_str(), record.owner.as_str());
        let binds = binds![
            &capsule,
            &version,
            namespace,
            org,
            record.state.as_str(),
            whole(record.sequence),
            &text
        ];
        self.tx.run(sql, binds).await.map(drop)
    }

    /// Keeps the next state of a release, if it still is in the one that was read, and that of its present attempt.
    pub(crate) async fn update_release(
        &mut self,
        before: u64,
        next: &Release,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let sql = "UPDATE releases SET org = $4, state = $5, sequence = $6, record = $7, digest = $8, published_ms = $9, \
                   revoked_ms = CASE WHEN $10 THEN COALESCE(revoked_ms, $11) ELSE NULL END \
                   WHERE capsule = $1 AND version = $2 AND sequence = $3";
        let record = next.record();
        let (capsule, version) = (record.name.to_string(), record.version.to_string());
        let (text, digest) = (record_text(record)?, next.digest().map(|digest| digest.to_string()));
        let revoked = record.state == ReleaseState::Revoked;
        let binds = binds![
            &capsule,
            &version,
            whole(before),
            record.owner.as_str(),
            record.state.as_str(),
            whole(record.sequence),
            &text,
            digest.as_deref(),
            record.published_at,
            revoked,
            now,
        ];
        if self.tx.run(sql, binds).await? != 1 {
            return Ok(false);
        }
        let attempt = next.attempt().map_or(0, |attempt| attempt.number);
        let sql = "UPDATE submissions SET org = $4, state = CASE WHEN attempt = $3 THEN $5 ELSE 'replaced' END \
                   WHERE capsule = $1 AND version = $2";
        let binds =
            binds![&capsule, &version, attempt, record.owner.as_str(), record.state.as_str()];
        self.tx.run(sql, binds).await?;
        Ok(true)
    }

    pub(crate) async fn insert_submission(&mut self, it: &SubmissionRow) -> Result<(), StoreError> {
        let sql = "INSERT INTO submissions (submission_id, org, capsule, version, attempt, state, digest, signer, manifest, imports, \
                   bytes, sbom, provenance, submitted_ms) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)";
        let (id, capsule, version) =
            (it.id.to_string(), it.capsule.to_string(), it.version.to_string());
        let (digest, signer) = (it.digest.to_string(), it.signer.to_string());
        let imports = record_text(&it.imports)?;
        let binds = binds![
            &id,
            it.org.as_str(),
            &capsule,
            &version,
            it.attempt,
            &it.state,
            &digest,
            &signer,
            &it.manifest,
            &imports,
            whole(it.bytes),
            it.sbom.as_deref(),
            it.provenance.as_deref(),
            it.submitted,
        ];
        self.tx.run(sql, binds).await.map(drop)
    }

    pub(crate) async fn submission(
        &mut self,
        id: SubmissionId,
    ) -> Result<Option<SubmissionRow>, StoreError> {
        let sql = submissions!("WHERE submission_id = $1");
        self.tx.one(sql, binds![&id.to_string()]).await?.as_ref().map(submission).transpose()
    }

    /// What was submitted, of one org or of all, in one state or in any, newest first.
    pub(crate) async fn submissions(
        &mut self,
        org: Option<&OrgId>,
        state: Option<&str>,
        before: &str,
        limit: u32,
    ) -> Result<Vec<SubmissionRow>, StoreError> {
        let sql = submissions!(
            "WHERE ($1 = '' OR org = $1) AND ($2 = '' OR state = $2) AND ($3 = '' OR submission_id < $3) \
             ORDER BY submission_id DESC LIMIT $4"
        );
        let (org, state) = (org.map_or("", OrgId::as_str), state.unwrap_or(""));
        let rows = self.tx.all(sql, binds![org, state, before, limit.min(PAGE_MAX + 1)]).await?;
        rows.iter().map(submission).collect()
    }
}
