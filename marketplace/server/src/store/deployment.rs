//! The one row about the deployment itself: its id, and whether its first operator has come.

use soma_policy::Timestamp;

use super::sql::binds;
use super::{PlatformUnit, StoreError};

/// What this deployment is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Deployment {
    pub(crate) id: String,
    /// Hash of the code that makes the first operator; good until somebody came.
    pub(crate) bootstrap_hash: String,
    pub(crate) bootstrapped: Option<Timestamp>,
}

impl PlatformUnit {
    pub(crate) async fn deployment(&mut self) -> Result<Option<Deployment>, StoreError> {
        let sql = "SELECT deployment_id, bootstrap_hash, bootstrapped_ms FROM deployment";
        let Some(row) = self.tx.one(sql, &[]).await? else { return Ok(None) };
        Ok(Some(Deployment {
            id: row.text("deployment_id")?,
            bootstrap_hash: row.text("bootstrap_hash")?,
            bootstrapped: row.maybe_time("bootstrapped_ms")?,
        }))
    }

    /// Founds the deployment; whoever comes second founds nothing.
    pub(crate) async fn found(
        &mut self,
        id: &str,
        bootstrap_hash: &str,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let sql = "INSERT INTO deployment (singleton, deployment_id, created_ms, bootstrap_hash) \
                   VALUES (1, $1, $2, $3) ON CONFLICT DO NOTHING";
        Ok(self.tx.run(sql, binds![id, now, bootstrap_hash]).await? == 1)
    }

    /// A new code for the first operator, as long as nobody came.
    pub(crate) async fn renew_bootstrap(&mut self, hash: &str) -> Result<bool, StoreError> {
        let sql = "UPDATE deployment SET bootstrap_hash = $1 WHERE bootstrapped_ms IS NULL";
        Ok(self.tx.run(sql, binds![hash]).await? == 1)
    }

    /// Takes the first operator's place with the code's hash: once, whoever is first.
    pub(crate) async fn bootstrap(
        &mut self,
        hash: &str,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let sql = "UPDATE deployment SET bootstrapped_ms = $1 \
                   WHERE bootstrapped_ms IS NULL AND bootstrap_hash = $2";
        Ok(self.tx.run(sql, binds![now, hash]).await? == 1)
    }
}

impl PlatformUnit {
    /// Lets founding work happen one after the other.
    pub(crate) async fn lock_deployment(&mut self) -> Result<(), StoreError> {
        let sql = "UPDATE deployment SET singleton = singleton";
        self.tx.run(sql, &[]).await.map(drop)
    }
}
