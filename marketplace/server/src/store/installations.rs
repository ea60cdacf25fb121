//! Installations with their revisions, and what their health gates counted. The record is the whole state.

use soma_market::install::{Installed, InstalledRecord, Revision, Tally};
use soma_policy::{CapsuleName, Digest, EnvironmentId, InstallationKey, OrgId, Timestamp};

use super::sql::{Row, binds, record_text, whole};
use super::{PAGE_MAX, PlatformUnit, StoreError, TenantUnit};

/// An installation as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct InstallationRow {
    pub(crate) it: Installed,
    /// The change of the feed that hosts acknowledge.
    pub(crate) change: String,
    pub(crate) created: Timestamp,
}

fn read(row: &Row) -> Result<InstallationRow, StoreError> {
    let record: InstalledRecord = row.record("record")?;
    let broken = |_| StoreError::Corrupt { column: "record", expected: "an installation" };
    Ok(InstallationRow {
        it: Installed::from_record(record).map_err(broken)?,
        change: row.text("change_id")?,
        created: row.time("created_ms")?,
    })
}

macro_rules! select {
    ($rest:literal) => {
        concat!("SELECT record, change_id, created_ms FROM installations ", $rest)
    };
}

impl TenantUnit {
    pub(crate) async fn own_installation(
        &mut self,
        environment: &EnvironmentId,
        installation: &str,
    ) -> Result<Option<InstallationRow>, StoreError> {
        let sql = select!("WHERE org = $1 AND environment = $2 AND installation = $3");
        let org = self.org().to_owned();
        let row = self.tx.one(sql, binds![&org, environment.as_str(), installation]).await?;
        row.as_ref().map(read).transpose()
    }

    /// Installations of one environment by their ids, after `after`; the removed ones are not there.
    pub(crate) async fn own_installations(
        &mut self,
        environment: &EnvironmentId,
        after: &str,
        limit: u32,
    ) -> Result<Vec<InstallationRow>, StoreError> {
        let sql = select!(
            "WHERE org = $1 AND environment = $2 AND installation > $3 AND state <> 'removed' ORDER BY installation LIMIT $4"
        );
        let org = self.org().to_owned();
        let binds = binds![&org, environment.as_str(), after, limit.min(PAGE_MAX + 1)];
        self.tx.all(sql, binds).await?.iter().map(read).collect()
    }

    /// Revisions of an installation, newest first.
    pub(crate) async fn own_revisions(
        &mut self,
        environment: &EnvironmentId,
        installation: &str,
        limit: u32,
    ) -> Result<Vec<Revision>, StoreError> {
        let sql = "SELECT record FROM revisions WHERE org = $1 AND environment = $2 AND installation = $3 \
                   ORDER BY revision DESC LIMIT $4";
        let org = self.org().to_owned();
        let binds = binds![&org, environment.as_str(), installation, limit.min(PAGE_MAX + 1)];
        self.tx.all(sql, binds).await?.iter().map(|row| row.record("record")).collect()
    }
}

impl PlatformUnit {
    pub(crate) async fn installation(
        &mut self,
        key: &InstallationKey,
    ) -> Result<Option<InstallationRow>, StoreError> {
        let sql = select!("WHERE org = $1 AND environment = $2 AND installation = $3");
        let binds = binds![key.org.as_str(), key.environment.as_str(), key.id.as_str()];
        self.tx.one(sql, binds).await?.as_ref().map(read).transpose()
    }

    pub(crate) async fn insert_installation(
        &mut self,
        it: &InstallationRow,
    ) -> Result<(), StoreError> {
        let sql = "INSERT INTO installations (org, environment, installation, capsule, state, sequence, record, digest, change_id, created_ms) \
                   VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
        let record = it.it.record();
        let (capsule, text) = (record.capsule.to_string(), record_text(record)?);
        let digest = record.active.spec.digest.to_string();
        let (org, environment) = (record.key.org.as_str(), record.key.environment.as_str());
        let binds = binds![
            org,
            environment,
            record.key.id.as_str(),
            &capsule,
            it.it.state().as_str(),
            whole(record.sequence),
            &text,
            &digest,
            &it.change,
            it.created,
        ];
        self.tx.run(sql, binds).await.map(drop)
    }

    /// Keeps the next state, if it still is in the one that was read.
    pub(crate) async fn update_installation(
        &mut self,
        before: u64,
        next: &Installed,
        change: &str,
    ) -> Result<bool, StoreError> {
        let sql = "UPDATE installations SET state = $5, sequence = $6, record = $7, digest = $8, candidate = $9, change_id = $10 \
                   WHERE org = $1 AND environment = $2 AND installation = $3 AND sequence = $4";
        let record = next.record();
        let (text, digest) = (record_text(record)?, record.active.spec.digest.to_string());
        let candidate = record.candidate.as_ref().map(|it| it.revision.spec.digest.to_string());
        let binds = binds![
            record.key.org.as_str(),
            record.key.environment.as_str(),
            record.key.id.as_str(),
            whole(before),
            next.state().as_str(),
            whole(record.sequence),
            &text,
            &digest,
            candidate.as_deref(),
            change,
        ];
        Ok(self.tx.run(sql, binds).await? == 1)
    }

    pub(crate) async fn insert_revision(
        &mut self,
        key: &InstallationKey,
        it: &Revision,
    ) -> Result<(), StoreError> {
        let sql = "INSERT INTO revisions (org, environment, installation, revision, capsule, version, digest, offer, record, made_ms) \
                   VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
        let (capsule, version) = (it.spec.capsule.to_string(), it.version.to_string());
        let (digest, offer, text) =
            (it.spec.digest.to_string(), it.offer.to_string(), record_text(it)?);
        let binds = binds![
            key.org.as_str(),
            key.environment.as_str(),
            key.id.as_str(),
            whole(it.number),
            &capsule,
            &version,
            &digest,
            &offer,
            &text,
            it.at,
        ];
        self.tx.run(sql, binds).await.map(drop)
    }

    /// A revision that ever was.
    pub(crate) async fn revision(
        &mut self,
        key: &InstallationKey,
        number: u64,
    ) -> Result<Option<Revision>, StoreError> {
        let sql = "SELECT record FROM revisions WHERE org = $1 AND environment = $2 AND installation = $3 AND revision = $4";
        let binds =
            binds![key.org.as_str(), key.environment.as_str(), key.id.as_str(), whole(number)];
        self.tx.one(sql, binds).await?.map(|row| row.record("record")).transpose()
    }

    /// Installations that wait for hosts or for their gate, by their keys, after `after`.
    pub(crate) async fn unsettled(
        &mut self,
        after: Option<&InstallationKey>,
        limit: u32,
    ) -> Result<Vec<InstallationRow>, StoreError> {
        let sql = select!(
            "WHERE state IN ('gating', 'pending') AND (org > $1 OR (org = $1 AND (environment > $2 OR (environment = $2 AND installation > $3)))) \
             ORDER BY org, environment, installation LIMIT $4"
        );
        let (org, environment, id) = after.map_or(("", "", ""), |key| {
            (key.org.as_str(), key.environment.as_str(), key.id.as_str())
        });
        self.tx.all(sql, binds![org, environment, id, limit]).await?.iter().map(read).collect()
    }

    /// Installations with a revision of this digest at their gate.
    pub(crate) async fn gated_with(
        &mut self,
        digest: &Digest,
    ) -> Result<Vec<InstallationRow>, StoreError> {
        let sql = select!(
            "WHERE candidate = $1 AND state = 'gating' ORDER BY org, environment, installation"
        );
        self.tx.all(sql, binds![&digest.to_string()]).await?.iter().map(read).collect()
    }

    /// Installations of a capsule by their keys, after `after`; the removed ones are not there.
    pub(crate) async fn installations_of(
        &mut self,
        capsule: &CapsuleName,
        after: Option<&InstallationKey>,
        limit: u32,
    ) -> Result<Vec<InstallationRow>, StoreError> {
        let sql = select!(
            "WHERE capsule = $1 AND state <> 'removed' AND (org > $2 OR (org = $2 AND (environment > $3 OR (environment = $3 AND installation > $4)))) \
             ORDER BY org, environment, installation LIMIT $5"
        );
        let (org, environment, id) = after.map_or(("", "", ""), |key| {
            (key.org.as_str(), key.environment.as_str(), key.id.as_str())
        });
        let capsule = capsule.to_string();
        let binds = binds![&capsule, org, environment, id, limit];
        self.tx.all(sql, binds).await?.iter().map(read).collect()
    }

    /// Capsules with an installation that takes updates by itself.
    pub(crate) async fn self_updating(&mut self) -> Result<Vec<CapsuleName>, StoreError> {
        let sql = "SELECT DISTINCT capsule FROM installations WHERE state = 'active' AND record LIKE '%\"narrower-or-equal\"%' \
                   ORDER BY capsule LIMIT 10000";
        self.tx.all(sql, &[]).await?.iter().map(|row| row.parsed("capsule")).collect()
    }

    /// Installations by their keys, after `after`; the removed ones are not there.
    pub(crate) async fn installations_from(
        &mut self,
        after: Option<&InstallationKey>,
        limit: u32,
    ) -> Result<Vec<InstallationRow>, StoreError> {
        let sql = select!(
            "WHERE state <> 'removed' AND (org > $1 OR (org = $1 AND (environment > $2 OR (environment = $2 AND installation > $3)))) \
             ORDER BY org, environment, installation LIMIT $4"
        );
        let (org, environment, id) = after.map_or(("", "", ""), |key| {
            (key.org.as_str(), key.environment.as_str(), key.id.as_str())
        });
        self.tx.all(sql, binds![org, environment, id, limit]).await?.iter().map(read).collect()
    }

    /// The number of a change in its stream; none until it is numbered.
    pub(crate) async fn number_of(
        &mut self,
        org: &OrgId,
        change: &str,
    ) -> Result<Option<u64>, StoreError> {
        let sql = "SELECT seq FROM changes WHERE org = $1 AND change_id = $2";
        let row = self.tx.one(sql, binds![org.as_str(), change]).await?;
        row.map_or(Ok(None), |row| row.maybe_count("seq"))
    }

    /// Counts one settled call at a gate.
    pub(crate) async fn count_at_gate(
        &mut self,
        key: &InstallationKey,
        candidate: u64,
        revision: u64,
        one: Tally,
    ) -> Result<(), StoreError> {
        let sql = "INSERT INTO gate_tallies (org, environment, installation, candidate, revision, ok, failed) \
                   VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (org, environment, installation, candidate, revision) \
                   DO UPDATE SET ok = gate_tallies.ok + excluded.ok, failed = gate_tallies.failed + excluded.failed";
        let binds = binds![
            key.org.as_str(),
            key.environment.as_str(),
            key.id.as_str(),
            whole(candidate),
            whole(revision),
            whole(one.ok),
            whole(one.failed),
        ];
        self.tx.run(sql, binds).await.map(drop)
    }

    /// What a gate counted of one revision.
    pub(crate) async fn tally(
        &mut self,
        key: &InstallationKey,
        candidate: u64,
        revision: u64,
    ) -> Result<Tally, StoreError> {
        let sql = "SELECT ok, failed FROM gate_tallies WHERE org = $1 AND environment = $2 AND installation = $3 \
                   AND candidate = $4 AND revision = $5";
        let binds = binds![
            key.org.as_str(),
            key.environment.as_str(),
            key.id.as_str(),
            whole(candidate),
            whole(revision)
        ];
        let Some(row) = self.tx.one(sql, binds).await? else { return Ok(Tally::default()) };
        Ok(Tally { ok: row.count("ok")?, failed: row.count("failed")? })
    }
}
