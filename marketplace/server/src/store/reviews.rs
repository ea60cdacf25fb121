//! Submissions that wait to be watched, and the passports of those that were.

use soma_market::finding::Finding;
use soma_policy::{Digest, HostId, OrgId, SubmissionId, Timestamp};

use super::sql::{Row, binds, record_text, whole};
use super::{PlatformUnit, StoreError};

/// A submission that waits for a passport.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ReviewRow {
    pub(crate) submission: SubmissionId,
    pub(crate) org: OrgId,
    /// What the examination found before.
    pub(crate) findings: Vec<Finding>,
    pub(crate) queued: Timestamp,
    /// Who has it, until when.
    pub(crate) taken: Option<(HostId, Timestamp)>,
    pub(crate) tries: u64,
}

/// A signed passport.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PassportRow {
    pub(crate) submission: SubmissionId,
    pub(crate) org: OrgId,
    pub(crate) digest: Digest,
    /// Of the signed document.
    pub(crate) hash: Digest,
    pub(crate) envelope: String,
    pub(crate) made: Timestamp,
}

fn job(row: &Row) -> Result<ReviewRow, StoreError> {
    let until = row.time("taken_until_ms")?;
    Ok(ReviewRow {
        submission: row.parsed("submission_id")?,
        org: row.parsed("org")?,
        findings: row.record("findings")?,
        queued: row.time("queued_ms")?,
        taken: row.maybe_parsed("taken_by")?.map(|host| (host, until)),
        tries: row.count("tries")?,
    })
}

macro_rules! jobs {
    ($rest:literal) => {
        concat!(
            "SELECT submission_id, org, findings, queued_ms, taken_by, taken_until_ms, tries FROM review_jobs ",
            $rest
        )
    };
}

impl PlatformUnit {
    pub(crate) async fn insert_review(&mut self, it: &ReviewRow) -> Result<(), StoreError> {
        let sql = "INSERT INTO review_jobs (submission_id, org, findings, queued_ms, taken_until_ms, tries) VALUES ($1, $2, $3, $4, 0, 0)";
        let (id, findings) = (it.submission.to_string(), record_text(&it.findings)?);
        let binds = binds![&id, it.org.as_str(), &findings, it.queued];
        self.tx.run(sql, binds).await.map(drop)
    }

    pub(crate) async fn review_job(
        &mut self,
        id: SubmissionId,
    ) -> Result<Option<ReviewRow>, StoreError> {
        let sql = jobs!("WHERE submission_id = $1");
        self.tx.one(sql, binds![&id.to_string()]).await?.as_ref().map(job).transpose()
    }

    /// The oldest submission that nobody watches at this time, and that was given out less than `tries` times.
    pub(crate) async fn free_review(
        &mut self,
        now: Timestamp,
        tries: u64,
    ) -> Result<Option<ReviewRow>, StoreError> {
        let sql = jobs!(
            "WHERE taken_until_ms <= $1 AND tries < $2 ORDER BY queued_ms, submission_id LIMIT 1"
        );
        self.tx.one(sql, binds![now, whole(tries)]).await?.as_ref().map(job).transpose()
    }

    /// Submissions that nobody watches at this time, and that were given out `tries` times for nothing.
    pub(crate) async fn spent_reviews(
        &mut self,
        now: Timestamp,
        tries: u64,
        limit: u32,
    ) -> Result<Vec<ReviewRow>, StoreError> {
        let sql = jobs!(
            "WHERE taken_until_ms <= $1 AND tries >= $2 ORDER BY queued_ms, submission_id LIMIT $3"
        );
        self.tx.all(sql, binds![now, whole(tries), limit]).await?.iter().map(job).collect()
    }

    /// Submissions that were queued at `before` or earlier.
    pub(crate) async fn old_reviews(
        &mut self,
        before: Timestamp,
        limit: u32,
    ) -> Result<Vec<ReviewRow>, StoreError> {
        let sql = jobs!("WHERE queued_ms <= $1 ORDER BY queued_ms, submission_id LIMIT $2");
        self.tx.all(sql, binds![before, limit]).await?.iter().map(job).collect()
    }

    /// Gives a submission to a host, if nobody has it now.
    pub(crate) async fn take_review(
        &mut self,
        id: SubmissionId,
        host: HostId,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<bool, StoreError> {
        let sql = "UPDATE review_jobs SET taken_by = $2, taken_until_ms = $4, tries = tries + 1 \
                   WHERE submission_id = $1 AND taken_until_ms <= $3";
        let (id, host) = (id.to_string(), host.to_string());
        let binds = binds![&id, &host, now, until];
        Ok(self.tx.run(sql, binds).await? == 1)
    }

    /// Ends the waiting, once.
    pub(crate) async fn end_review(&mut self, id: SubmissionId) -> Result<bool, StoreError> {
        let sql = "DELETE FROM review_jobs WHERE submission_id = $1";
        Ok(self.tx.run(sql, binds![&id.to_string()]).await? == 1)
    }

    pub(crate) async fn insert_passport(&mut self, it: &PassportRow) -> Result<(), StoreError> {
        let sql = "INSERT INTO passports (submission_id, org, digest, hash, envelope, made_ms) VALUES ($1, $2, $3, $4, $5, $6)";
        let (id, digest, hash) =
            (it.submission.to_string(), it.digest.to_string(), it.hash.to_string());
        let binds = binds![&id, it.org.as_str(), &digest, &hash, &it.envelope, it.made];
        self.tx.run(sql, binds).await.map(drop)
    }

    pub(crate) async fn passport(
        &mut self,
        id: SubmissionId,
    ) -> Result<Option<PassportRow>, StoreError> {
        let sql = "SELECT submission_id, org, digest, hash, envelope, made_ms FROM passports WHERE submission_id = $1";
        let row = self.tx.one(sql, binds![&id.to_string()]).await?;
        let read = |row: Row| {
            Ok(PassportRow {
                submission: row.parsed("submission_id")?,
                org: row.parsed("org")?,
                digest: row.parsed("digest")?,
                hash: row.parsed("hash")?,
                envelope: row.text("envelope")?,
                made: row.time("made_ms")?,
            })
        };
        row.map(read).transpose()
    }

    /// A host was heard of: one that sends no reports is alive by its requests.
    pub(crate) async fn heard_of(
        &mut self,
        host: HostId,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let sql = "UPDATE hosts SET seen_ms = $2 WHERE host = $1";
        self.tx.run(sql, binds![&host.to_string(), now]).await.map(drop)
    }
}
