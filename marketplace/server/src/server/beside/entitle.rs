//! Publisher names and keys of what lies beside a server: they belong to the owner of the home.

use serde_json::json;
use soma_capsule::PublicKey;
use soma_market::namespace::Namespace;
use soma_policy::{OrgId, PublisherName};

use super::pass::person;
use super::{ACTOR, BesideError};
use crate::audit::Act;
use crate::identity::Subject;
use crate::market::{MarketError, actor_of};
use crate::releases::add_signing_key;
use crate::server::Server;
use crate::store::{NamespaceRow, PlatformScope, PlatformUnit};

impl Server {
    /// Gives an org a publisher's name, reserved ones too, and the keys that sign for it. What is there already stays:
    /// a name that is another org's is refused, and a key that was revoked stays revoked.
    ///
    /// # Errors
    /// When the name is another org's, or the person is no operator here.
    pub async fn entitle(
        &self,
        login: &str,
        org: &OrgId,
        publisher: &PublisherName,
        keys: &[PublicKey],
    ) -> Result<(), BesideError> {
        let mut unit = self.store.platform(PlatformScope::of("entitlement")).await?;
        unit.lock_namespace(publisher).await?;
        let it = match unit.namespace(publisher).await? {
            Some(row) if row.it.owner == *org => row.it,
            Some(row) => return Err(BesideError::Taken(publisher.clone(), row.it.owner)),
            None => self.claimed(&mut unit, login, org, publisher).await?,
        };
        let known = unit.signing_keys(publisher).await?;
        for key in keys {
            if !known.iter().any(|it| it.fingerprint == key.fingerprint()) {
                add_signing_key(self, &mut unit, &it, key, ACTOR).await?;
            }
        }
        unit.commit().await?;
        self.bell.notify_one();
        Ok(())
    }

    async fn claimed(
        &self,
        unit: &mut PlatformUnit,
        login: &str,
        org: &OrgId,
        publisher: &PublisherName,
    ) -> Result<Namespace, BesideError> {
        let user = person(unit, login).await?;
        let by = actor_of(unit, &self.platform, &Subject::User(user)).await?;
        let now = self.now();
        let claimed = Namespace::claim(publisher.clone(), None, org.clone(), &by, now);
        let it = claimed.map_err(MarketError::from)?;
        let row = NamespaceRow { it, checked: true };
        unit.insert_namespace(&row, now).await?;
        let note = self.note(org, ACTOR, Act::NamespaceClaimed, publisher, &json!({}));
        unit.audit(&note).await?;
        Ok(row.it)
    }
}
