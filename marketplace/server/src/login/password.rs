//! Changing the password. Every session and token of the person ends with the old one.

use serde_json::json;
use soma_policy::UserId;
use zeroize::Zeroizing;

use super::{LoginError, SCOPE};
use crate::audit::Act;
use crate::identity::{Principal, judge_password};
use crate::server::Server;

impl Server {
    pub(crate) async fn change_password(
        &self,
        principal: &Principal,
        old: Zeroizing<String>,
        new: Zeroizing<String>,
    ) -> Result<(), LoginError> {
        let refused = || LoginError::Ask("only persons have a password".to_owned());
        let user = principal.user().ok_or_else(refused)?;
        let mut unit = self.store.survey(SCOPE).await?;
        let login = unit.user(user).await?.and_then(|user| user.login).unwrap_or_default();
        drop(unit);
        judge_password(&new, &login)?;
        self.prove_password(principal, user, old).await?;
        let hash = self.passwords.hash(new).await?;
        let now = self.now();
        let mut unit = self.store.platform(SCOPE).await?;
        unit.set_password(user, &hash, now).await?;
        self.cut_person(&mut unit, user).await?;
        let actor = principal.subject.to_string();
        let entry = self.note(&principal.org, &actor, Act::PasswordChanged, user, &json!({}));
        unit.audit(&entry).await?;
        unit.commit().await?;
        self.bell.notify_one();
        Ok(())
    }

    /// Whether it is the person's password: asked for again where a token alone is not enough.
    pub(super) async fn prove_password(
        &self,
        principal: &Principal,
        user: UserId,
        password: Zeroizing<String>,
    ) -> Result<(), LoginError> {
        self.in_time(&self.logins, &format!("password:{user}"))?;
        let mut unit = self.store.survey(SCOPE).await?;
        let known = unit.password(user).await?.map(|row| row.hash);
        drop(unit);
        if self.passwords.verify(known, password).await? {
            return Ok(());
        }
        self.distrust(principal, "password").await?;
        Err(LoginError::Wrong)
    }
}
