//! What hosts said of single installations: answers of declared checks, and what they cannot run.

use soma_policy::feed::{CheckResult, NotRunning};
use soma_policy::{EnvironmentId, HostId, InstallationId, InstallationKey, Timestamp};

use super::sql::{Row, binds, whole};
use super::{PlatformUnit, StoreError, TenantUnit};

/// Words of a host that are kept.
const WORDS_CHARS_MAX: usize = 400;

/// What one host found when it asked a candidate's check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HostCheck {
    pub(crate) host: HostId,
    pub(crate) passed: bool,
    pub(crate) words: String,
    pub(crate) at: Timestamp,
}

/// Why one host cannot run a revision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HostRefusal {
    pub(crate) host: HostId,
    pub(crate) revision: u64,
    /// `SOMA-Xnnn`.
    pub(crate) code: String,
    pub(crate) words: String,
    pub(crate) at: Timestamp,
}

fn refusal(row: &Row) -> Result<HostRefusal, StoreError> {
    Ok(HostRefusal {
        host: row.parsed("host")?,
        revision: row.count("revision")?,
        code: row.text("code")?,
        words: row.text("words")?,
        at: row.time("at_ms")?,
    })
}

/// Texts of hosts are shown to people: short, and without control characters.
fn words(text: &str) -> String {
    let plain = |c: char| if c.is_control() { ' ' } else { c };
    text.chars().take(WORDS_CHARS_MAX).map(plain).collect()
}

impl PlatformUnit {
    /// Keeps a host's last answer for each candidate.
    pub(crate) async fn report_checks(
        &mut self,
        host: &HostId,
        checks: &[CheckResult],
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let sql = "INSERT INTO host_checks (org, environment, installation, revision, host, passed, words, at_ms) \
                   VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (org, environment, installation, revision, host) \
                   DO UPDATE SET passed = excluded.passed, words = excluded.words, at_ms = excluded.at_ms";
        let host = host.to_string();
        for it in checks {
            let (words, revision) = (words(&it.words), whole(it.revision));
            let InstallationKey { org, environment, id } = &it.key;
            let place = (org.as_str(), environment.as_str(), id.as_str());
            let binds = binds![place.0, place.1, place.2, revision, &host, it.passed, &words, now];
            self.tx.run(sql, binds).await?;
        }
        Ok(())
    }

    /// Keeps what a host cannot run now, in place of what it said before.
    pub(crate) async fn report_refusals(
        &mut self,
        host: &HostId,
        refusals: &[NotRunning],
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let host = host.to_string();
        self.tx.run("DELETE FROM host_refusals WHERE host = $1", binds![&host]).await?;
        let sql = "INSERT INTO host_refusals (org, environment, installation, revision, host, code, words, at_ms) \
                   VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING";
        for it in refusals {
            let (words, revision) = (words(&it.words), whole(it.revision));
            let InstallationKey { org, environment, id } = &it.key;
            let place = (org.as_str(), environment.as_str(), id.as_str());
            let code = it.code.entry().id;
            let binds = binds![place.0, place.1, place.2, revision, &host, code, &words, now];
            self.tx.run(sql, binds).await?;
        }
        Ok(())
    }

    /// What hosts found of a candidate.
    pub(crate) async fn host_checks(
        &mut self,
        key: &InstallationKey,
        revision: u64,
    ) -> Result<Vec<HostCheck>, StoreError> {
        let sql = "SELECT host, passed, words, at_ms FROM host_checks \
                   WHERE org = $1 AND environment = $2 AND installation = $3 AND revision = $4 ORDER BY host LIMIT 10000";
        let InstallationKey { org, environment, id } = key;
        let binds = binds![org.as_str(), environment.as_str(), id.as_str(), whole(revision)];
        let rows = self.tx.all(sql, binds).await?;
        let read = |row: &Row| {
            Ok(HostCheck {
                host: row.parsed("host")?,
                passed: row.flag("passed")?,
                words: row.text("words")?,
                at: row.time("at_ms")?,
            })
        };
        rows.iter().map(read).collect()
    }
}

impl TenantUnit {
    /// Which hosts cannot run an installation of the org, and why.
    pub(crate) async fn host_refusals(
        &mut self,
        environment: &EnvironmentId,
        installation: &InstallationId,
    ) -> Result<Vec<HostRefusal>, StoreError> {
        let sql = "SELECT host, revision, code, words, at_ms FROM host_refusals \
                   WHERE org = $1 AND environment = $2 AND installation = $3 ORDER BY revision, host LIMIT 1000";
        let org = self.org().to_owned();
        let binds = binds![&org, environment.as_str(), installation.as_str()];
        self.tx.all(sql, binds).await?.iter().map(refusal).collect()
    }
}
