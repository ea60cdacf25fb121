//! Proving the second factor again, for what asks for a fresh one.

use serde_json::json;
use soma_policy::SessionId;

use super::{Entered, LoginError, SCOPE};
use crate::audit::Act;
use crate::identity::{Assurance, Principal};
use crate::server::Server;

impl Server {
    /// A token of the same session, proven by two factors now.
    pub(crate) async fn step_up(
        &self,
        principal: &Principal,
        totp: Option<&str>,
        recovery_code: Option<&str>,
    ) -> Result<Entered, LoginError> {
        let person = || LoginError::Ask("only a person's session can be stepped up".to_owned());
        let user = principal.user().ok_or_else(person)?;
        let session: SessionId = principal.credential.parse().map_err(|_| person())?;
        self.in_time(&self.logins, &format!("step-up:{user}"))?;
        let mut unit = self.store.platform(SCOPE).await?;
        let acr = match self.second_factor(&mut unit, user, totp, recovery_code).await {
            Err(LoginError::Factor(why)) if totp.is_some() || recovery_code.is_some() => {
                drop(unit);
                self.distrust(principal, "second factor").await?;
                return Err(LoginError::Factor(why));
            }
            proven => proven?,
        };
        if acr < Assurance::Aal2 {
            return Err(LoginError::Factor("the account has no second factor yet; add one first"));
        }
        let now = self.now();
        unit.step_up_session(session, acr, now).await?;
        let live = unit.live_session(session, now).await?.ok_or(LoginError::Refresh)?;
        let entered = self.token_of(&mut unit, &live, Some(&principal.caps)).await?;
        let actor = principal.subject.to_string();
        let entry = self.note(&principal.org, &actor, Act::SteppedUp, session, &json!({}));
        unit.audit(&entry).await?;
        unit.commit().await?;
        self.bell.notify_one();
        Ok(entered)
    }
}
