//! The constitution that holds, kept in this process: what releases and installations are judged by, and what
//! tokens name.
//!
//! The database has the last word. It is asked for the digest before each judgement and each second, so that a
//! second server process follows as well.

use std::sync::Arc;

use soma_capsule::constitution::Constitution;

use super::{ConstitutionError, SCOPE, stand};
use crate::server::Server;
use crate::store::StoreError;

impl Server {
    /// Takes over what holds now, if it is another one than before.
    pub(crate) async fn follow_constitution(&self) -> Result<(), ConstitutionError> {
        let mut unit = self.store.survey(SCOPE).await?;
        let digest = unit.constitution_digest().await?;
        if digest == self.market.policy.constitution() {
            return Ok(());
        }
        let Some(row) = unit.constitution().await? else { return Ok(()) };
        drop(unit);
        let corrupt = || StoreError::Corrupt { column: "envelope", expected: "a constitution" };
        let document = Constitution::vouched(&stand::envelope(&row)?).ok_or_else(corrupt)?;
        let server = self.clone();
        let work = move || server.market.policy.follow(Arc::new(document));
        let done = tokio::task::spawn_blocking(work).await;
        done.map_err(|error| ConstitutionError::Failed(error.to_string()))
    }
}
