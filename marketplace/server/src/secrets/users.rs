//! Who may use a secret: installations whose active or candidate revision takes it in its grants.

use std::collections::HashMap;

use soma_policy::feed::Installed;
use soma_policy::{EnvironmentId, OrgId, SecretName};

use crate::store::{PlatformUnit, StoreError};

/// The installations of the feed, read once per environment.
#[derive(Debug, Default)]
pub(crate) struct Installations(HashMap<(OrgId, EnvironmentId), Vec<Installed>>);

impl Installations {
    /// What runs, or may run next, in an environment.
    pub(crate) async fn of(
        &mut self,
        unit: &mut PlatformUnit,
        org: &OrgId,
        environment: &EnvironmentId,
    ) -> Result<&[Installed], StoreError> {
        let key = (org.clone(), environment.clone());
        if !self.0.contains_key(&key) {
            let texts = unit.installed_in(org, environment).await?;
            // What is gone is null, and what does not read is not installed here.
            let read = texts.iter().filter_map(|text| serde_json::from_str(text).ok());
            self.0.insert(key.clone(), read.collect());
        }
        Ok(self.0.get(&key).map_or(&[], Vec::as_slice))
    }
}

/// `issues (secret.token)` for each grant that takes the secret, each once.
pub(crate) fn users(installed: &[Installed], name: &SecretName) -> Vec<String> {
    let mut users = Vec::new();
    for it in installed {
        let candidate = it.candidate.as_ref().map(|candidate| &candidate.revision);
        for revision in std::iter::once(&it.active).chain(candidate) {
            for (capability, grant) in &revision.spec.grants.secret {
                let user = format!("{} (secret.{capability})", it.key.id);
                if grant.from == *name && !users.contains(&user) {
                    users.push(user);
                }
            }
        }
    }
    users
}
