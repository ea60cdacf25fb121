//! How much one org may have of what everybody pays for: names, rows, and room in what every host holds.
//!
//! A count is taken with the org's row held, so that two who make the last one at once do not both make it. What a limit
//! is good for is told where it is refused; budgets and rates are elsewhere.

use soma_policy::OrgId;

use super::sql::binds;
use super::{StoreError, Unit};

/// Something that an org has a bounded number of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Limit {
    /// Installations that are not removed.
    Installations,
    /// Ids of installations, removed ones too: an id is not given again.
    InstallationIds,
    /// Publishers' names: they are never given back.
    Namespaces,
    Environments,
    ServiceAccounts,
    /// API keys that are not revoked.
    Keys,
    /// Offers that nobody took or withdrew.
    Invitations,
    /// Submissions that are not decided.
    Submissions,
}

/// Installations of all orgs together: a snapshot of the feed holds about 60,000.
pub(crate) const INSTALLATIONS_MAX: u64 = 50_000;

impl Limit {
    #[cfg(test)]
    pub(crate) const ALL: [Self; 8] = [
        Self::Installations,
        Self::InstallationIds,
        Self::Namespaces,
        Self::Environments,
        Self::ServiceAccounts,
        Self::Keys,
        Self::Invitations,
        Self::Submissions,
    ];

    /// How many one org has at most.
    pub(crate) const fn most(self) -> u64 {
        match self {
            Self::Installations => 5_000,
            Self::InstallationIds => 50_000,
            Self::Namespaces => 20,
            Self::Environments | Self::Submissions => 50,
            Self::ServiceAccounts | Self::Invitations => 200,
            Self::Keys => 1_000,
        }
    }

    /// What is refused, and what to do instead.
    pub(crate) const fn words(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::Installations => ("installation", "installations", "remove one first"),
            Self::InstallationIds => (
                "installation",
                "ids of installations",
                "make another org: ids are not given again",
            ),
            Self::Namespaces => ("namespace", "publishers' names", "publish under one of yours"),
            Self::Environments => {
                ("environment", "environments", "use one of those that are there")
            }
            Self::ServiceAccounts => ("account", "service accounts", "remove one first"),
            Self::Keys => ("key", "API keys", "revoke one first"),
            Self::Invitations => ("invitation", "open invitations", "withdraw one first"),
            Self::Submissions => {
                ("submission", "submissions that wait for a decision", "wait for one of them")
            }
        }
    }

    const fn sql(self) -> &'static str {
        match self {
            Self::Installations => {
                "SELECT COUNT(*) AS n FROM installations WHERE org = $1 AND state <> 'removed'"
            }
            Self::InstallationIds => "SELECT COUNT(*) AS n FROM installations WHERE org = $1",
            Self::Namespaces => "SELECT COUNT(*) AS n FROM namespaces WHERE org = $1",
            Self::Environments => "SELECT COUNT(*) AS n FROM environments WHERE org = $1",
            Self::ServiceAccounts => "SELECT COUNT(*) AS n FROM service_accounts WHERE org = $1",
            Self::Keys => {
                "SELECT COUNT(*) AS n FROM api_keys WHERE org = $1 AND revoked_ms IS NULL"
            }
            Self::Invitations => {
                "SELECT COUNT(*) AS n FROM invitations WHERE org = $1 AND used_ms IS NULL"
            }
            Self::Submissions => {
                "SELECT COUNT(*) AS n FROM submissions WHERE org = $1 AND state IN ('submitted', 'verifying', 'in_review', 'needs_revision')"
            }
        }
    }
}

impl Unit {
    /// Whether an org may have one more, which the caller makes in this unit.
    pub(crate) async fn has_room(&mut self, org: &OrgId, limit: Limit) -> Result<bool, StoreError> {
        let hold = "UPDATE orgs SET version = version WHERE org = $1";
        self.tx.run(hold, binds![org.as_str()]).await?;
        Ok(self.count_of(org, limit).await? < limit.most())
    }

    /// How many an org has.
    pub(crate) async fn count_of(&mut self, org: &OrgId, limit: Limit) -> Result<u64, StoreError> {
        let row = self.tx.one(limit.sql(), binds![org.as_str()]).await?;
        row.map_or(Ok(0), |row| row.count("n"))
    }

    /// Installations of everybody, as far as this unit may see them.
    pub(crate) async fn installations_of_all(&mut self) -> Result<u64, StoreError> {
        let sql = "SELECT COUNT(*) AS n FROM installations WHERE state <> 'removed'";
        let row = self.tx.one(sql, &[]).await?;
        row.map_or(Ok(0), |row| row.count("n"))
    }
}
