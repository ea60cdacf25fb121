//! Secrets of tenants: that they exist, their sealed values, and which host was sent which version.
//!
//! Nothing here opens a value. A tenant's unit writes sealed values and never reads one back; keys of
//! orgs and values are read by the platform alone, for the host that they are sealed to next.

use soma_policy::{EnvironmentId, HostId, OrgId, SecretName, Timestamp};

use super::sql::{Row, binds, whole};
use super::{PAGE_MAX, PlatformUnit, StoreError, TenantUnit};

/// Which secret.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct SecretPlace {
    pub(crate) org: OrgId,
    pub(crate) environment: EnvironmentId,
    pub(crate) name: SecretName,
}

impl std::fmt::Display for SecretPlace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}/{}", self.org, self.environment, self.name)
    }
}

/// A secret without its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SecretRow {
    pub(crate) name: SecretName,
    /// Rises with each value, and goes on where it was when a removed one comes back.
    pub(crate) version: u64,
    pub(crate) created: Timestamp,
    pub(crate) changed: Timestamp,
    pub(crate) removed: Option<Timestamp>,
}

/// How far a secret's newest version has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Spread {
    /// Hosts that were sent the newest version.
    pub(crate) current: u64,
    /// Hosts that hold an older one.
    pub(crate) behind: u64,
}

fn read(row: &Row) -> Result<SecretRow, StoreError> {
    Ok(SecretRow {
        name: row.parsed("name")?,
        version: row.count("version")?,
        created: row.time("created_ms")?,
        changed: row.time("changed_ms")?,
        removed: row.maybe_time("removed_ms")?,
    })
}

impl TenantUnit {
    /// A secret, removed or not.
    pub(crate) async fn secret(
        &mut self,
        environment: &EnvironmentId,
        name: &SecretName,
    ) -> Result<Option<SecretRow>, StoreError> {
        let sql = "SELECT name, version, created_ms, changed_ms, removed_ms FROM secrets \
                   WHERE org = $1 AND environment = $2 AND name = $3";
        let org = self.org().to_owned();
        let binds = binds![&org, environment.as_str(), name.as_str()];
        self.tx.one(sql, binds).await?.as_ref().map(read).transpose()
    }

    /// Secrets of an environment by their names, after `after`.
    pub(crate) async fn secrets(
        &mut self,
        environment: &EnvironmentId,
        after: &str,
        limit: u32,
    ) -> Result<Vec<SecretRow>, StoreError> {
        let sql = "SELECT name, version, created_ms, changed_ms, removed_ms FROM secrets \
                   WHERE org = $1 AND environment = $2 AND name > $3 AND removed_ms IS NULL ORDER BY name LIMIT $4";
        let org = self.org().to_owned();
        let binds = binds![&org, environment.as_str(), after, limit.min(PAGE_MAX + 1)];
        self.tx.all(sql, binds).await?.iter().map(read).collect()
    }

    /// Secrets that an environment has.
    pub(crate) async fn secret_count(
        &mut self,
        environment: &EnvironmentId,
    ) -> Result<u64, StoreError> {
        let sql = "SELECT COUNT(*) AS n FROM secrets WHERE org = $1 AND environment = $2 AND removed_ms IS NULL";
        let org = self.org().to_owned();
        let row = self.tx.one(sql, binds![&org, environment.as_str()]).await?;
        row.map_or(Ok(0), |row| row.count("n"))
    }

    /// Notes a secret that never was: its first version.
    pub(crate) async fn insert_secret(
        &mut self,
        environment: &EnvironmentId,
        name: &SecretName,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let sql = "INSERT INTO secrets (org, environment, name, version, created_ms, changed_ms, removed_ms) \
                   VALUES ($1, $2, $3, 1, $4, $4, NULL)";
        let org = self.org().to_owned();
        let binds = binds![&org, environment.as_str(), name.as_str(), now];
        self.tx.run(sql, binds).await.map(drop)
    }

    /// Raises the version, if it is still the one that was read.
    pub(crate) async fn raise_secret(
        &mut self,
        environment: &EnvironmentId,
        name: &SecretName,
        version: u64,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let sql = "UPDATE secrets SET version = version + 1, changed_ms = $5, removed_ms = NULL \
                   WHERE org = $1 AND environment = $2 AND name = $3 AND version = $4";
        let org = self.org().to_owned();
        let binds = binds![&org, environment.as_str(), name.as_str(), whole(version), now];
        Ok(self.tx.run(sql, binds).await? == 1)
    }

    /// Keeps a version's value, sealed for exactly this place and version.
    pub(crate) async fn insert_secret_value(
        &mut self,
        environment: &EnvironmentId,
        name: &SecretName,
        version: u64,
        sealed: &str,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let sql = "INSERT INTO secret_values (org, environment, name, version, sealed, created_ms) \
                   VALUES ($1, $2, $3, $4, $5, $6)";
        let org = self.org().to_owned();
        let binds = binds![&org, environment.as_str(), name.as_str(), whole(version), sealed, now];
        self.tx.run(sql, binds).await.map(drop)
    }

    /// Removes a secret with all of its values, if it is still the version that was read.
    pub(crate) async fn remove_secret(
        &mut self,
        environment: &EnvironmentId,
        name: &SecretName,
        version: u64,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let org = self.org().to_owned();
        let (environment, name) = (environment.as_str(), name.as_str());
        let gone = "UPDATE secrets SET removed_ms = $5, changed_ms = $5 \
                    WHERE org = $1 AND environment = $2 AND name = $3 AND version = $4 AND removed_ms IS NULL";
        let binds = binds![&org, environment, name, whole(version), now];
        if self.tx.run(gone, binds).await? == 0 {
            return Ok(false);
        }
        for sql in [
            "DELETE FROM secret_values WHERE org = $1 AND environment = $2 AND name = $3",
            "DELETE FROM secret_hosts WHERE org = $1 AND environment = $2 AND name = $3",
        ] {
            self.tx.run(sql, binds![&org, environment, name]).await?;
        }
        Ok(true)
    }

    /// How many hosts were sent the newest version, and how many hold an older one.
    pub(crate) async fn secret_spread(
        &mut self,
        environment: &EnvironmentId,
        it: &SecretRow,
    ) -> Result<Spread, StoreError> {
        let sql = "SELECT COUNT(*) FILTER (WHERE version >= $4) AS current_n, \
                   COUNT(*) FILTER (WHERE version < $4) AS behind_n \
                   FROM secret_hosts WHERE org = $1 AND environment = $2 AND name = $3";
        let org = self.org().to_owned();
        let binds = binds![&org, environment.as_str(), it.name.as_str(), whole(it.version)];
        let Some(row) = self.tx.one(sql, binds).await? else { return Ok(Spread::default()) };
        Ok(Spread { current: row.count("current_n")?, behind: row.count("behind_n")? })
    }
}

impl PlatformUnit {
    /// The key of an org as it is sealed.
    pub(crate) async fn secret_key(&mut self, org: &OrgId) -> Result<Option<String>, StoreError> {
        let sql = "SELECT sealed FROM secret_keys WHERE org = $1";
        let row = self.tx.one(sql, binds![org.as_str()]).await?;
        row.map(|row| row.text("sealed")).transpose()
    }

    /// Keeps an org's first key; whoever was quicker wins.
    pub(crate) async fn insert_secret_key(
        &mut self,
        org: &OrgId,
        sealed: &str,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let sql = "INSERT INTO secret_keys (org, sealed, created_ms) VALUES ($1, $2, $3) ON CONFLICT (org) DO NOTHING";
        self.tx.run(sql, binds![org.as_str(), sealed, now]).await.map(drop)
    }

    /// The newest version of a secret and its sealed value.
    pub(crate) async fn secret_value(
        &mut self,
        it: &SecretPlace,
    ) -> Result<Option<(u64, String)>, StoreError> {
        let sql = "SELECT v.version, v.sealed FROM secret_values v JOIN secrets s \
                   ON s.org = v.org AND s.environment = v.environment AND s.name = v.name AND s.version = v.version \
                   WHERE v.org = $1 AND v.environment = $2 AND v.name = $3 AND s.removed_ms IS NULL";
        let binds = binds![it.org.as_str(), it.environment.as_str(), it.name.as_str()];
        let Some(row) = self.tx.one(sql, binds).await? else { return Ok(None) };
        Ok(Some((row.count("version")?, row.text("sealed")?)))
    }

    /// Notes what a host is sent; whether it is the first time for this version.
    pub(crate) async fn note_secret_sent(
        &mut self,
        it: &SecretPlace,
        host: &HostId,
        version: u64,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let sql = "INSERT INTO secret_hosts (org, environment, name, host, version, sent_ms) VALUES ($1, $2, $3, $4, $5, $6) \
                   ON CONFLICT (org, environment, name, host) DO UPDATE SET version = EXCLUDED.version, sent_ms = EXCLUDED.sent_ms \
                   WHERE secret_hosts.version < EXCLUDED.version";
        let host = host.to_string();
        let (org, environment) = (it.org.as_str(), it.environment.as_str());
        let binds = binds![org, environment, it.name.as_str(), &host, whole(version), now];
        Ok(self.tx.run(sql, binds).await? == 1)
    }

    /// Forgets hosts that were taken out of the fleet, and erases older values that no host holds any
    /// more, or that were replaced before `since`.
    pub(crate) async fn erase_old_secret_values(
        &mut self,
        since: Timestamp,
    ) -> Result<u64, StoreError> {
        let retired = "DELETE FROM secret_hosts WHERE host IN (SELECT host FROM hosts WHERE retired_ms IS NOT NULL)";
        self.tx.run(retired, &[]).await?;
        let sql = "DELETE FROM secret_values WHERE EXISTS (SELECT 1 FROM secrets s WHERE s.org = secret_values.org \
                AND s.environment = secret_values.environment AND s.name = secret_values.name \
                AND s.version > secret_values.version AND (s.changed_ms < $1 \
                OR NOT EXISTS (SELECT 1 FROM secret_hosts h WHERE h.org = s.org AND h.environment = s.environment \
                    AND h.name = s.name AND h.version = secret_values.version)))";
        self.tx.run(sql, binds![since]).await
    }

    /// What runs, or may run next, in an environment: the feed's own words.
    pub(crate) async fn installed_in(
        &mut self,
        org: &OrgId,
        environment: &EnvironmentId,
    ) -> Result<Vec<String>, StoreError> {
        // `0` is what follows `/`: everything between the two begins with the prefix.
        let sql = "SELECT payload FROM feed_state WHERE topic = 'installation' AND subject > $1 AND subject < $2 ORDER BY subject";
        let (from, to) = (format!("{org}/{environment}/"), format!("{org}/{environment}0"));
        let rows = self.tx.all(sql, binds![&from, &to]).await?;
        rows.iter().map(|row| row.text("payload")).collect()
    }
}
