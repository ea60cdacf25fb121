//! A token of a few minutes for the process, in the name of the home's owner: what they may do with one factor, no more.
//!
//! What asks for two factors asks for a person, here too.

use serde_json::json;
use soma_policy::{EnvironmentId, OrgId, UserId};

use super::{ACTOR, BesideError};
use crate::audit::Act;
use crate::identity::{Assurance, Cap, CapSet, Subject};
use crate::login::{Grant, rights};
use crate::server::Server;
use crate::store::{PlatformScope, PlatformUnit};

/// How long a pass counts.
const SECONDS: u64 = 300;

/// A token. It shows itself to nobody by accident.
#[derive(Clone)]
pub struct Pass(String);

impl Pass {
    /// The token itself, for `Authorization: Bearer`.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Pass {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Pass(..)")
    }
}

impl Server {
    /// Lets the process publish and install for five minutes as the owner of the home beside it.
    ///
    /// # Errors
    /// When there is no such person, org or environment, or the person may do neither there.
    pub async fn pass(
        &self,
        login: &str,
        org: &OrgId,
        environment: &EnvironmentId,
    ) -> Result<Pass, BesideError> {
        let mut unit = self.store.platform(PlatformScope::of("pass")).await?;
        let user = person(&mut unit, login).await?;
        let wanted = CapSet::new([Cap::OrgRead, Cap::Publish, Cap::Install]);
        let theirs = rights(&mut unit, user, org).await?;
        let caps = theirs.map(|theirs| theirs.both(&wanted)).filter(|caps| !caps.is_empty());
        let caps = caps.ok_or_else(|| BesideError::NotTheirs(org.clone()))?;
        if !unit.has_environment(org, environment).await? {
            return Err(BesideError::Environment(org.clone(), environment.clone()));
        }
        let entered = self.mint(Grant {
            subject: Subject::User(user),
            org: org.clone(),
            environment: environment.clone(),
            caps,
            acr: Assurance::Aal1,
            authenticated: None,
            credential: ACTOR.to_owned(),
            whole: false,
            seconds: SECONDS,
        })?;
        let detail = json!({ "beside": true, "user": user });
        let entry = self.note(org, ACTOR, Act::TokenMade, entered.jti, &detail);
        unit.audit(&entry).await?;
        unit.commit().await?;
        self.bell.notify_one();
        Ok(Pass(entered.access_token))
    }
}

pub(super) async fn person(unit: &mut PlatformUnit, login: &str) -> Result<UserId, BesideError> {
    let found = unit.user_by_login(login).await?;
    found.map(|user| user.user).ok_or_else(|| BesideError::Nobody(login.to_owned()))
}
