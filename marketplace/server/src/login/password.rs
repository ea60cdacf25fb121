//! Changing the password. Every session and token of the person ends with the old one.

use serde_json::json;
use zeroize::Zeroizing;

use super::revoke::{revocation, tell};
use super::{LoginError, SCOPE};
use crate::audit::Act;
use crate::identity::{Principal, judge_password};
use crate::server::Server;
use crate::store::RevocationKind;

impl Server {
    pub(crate) async fn change_password(
        &self,
        principal: &Principal,
        old: Zeroizing<String>,
        new: Zeroizing<String>,
    ) -> Result<(), LoginError> {
        let refused = || LoginError::Ask("only persons have a password".to_owned());
        let user = principal.user().ok_or_else(refused)?;
        let verdict = self.logins.ask(&format!("password:{user}"), self.now());
        if !verdict.passes {
            return Err(LoginError::TooFast(verdict));
        }
        let mut unit = self.store.survey(SCOPE).await?;
        let known = unit.password(user).await?.map(|row| row.hash);
        let login = unit.user(user).await?.and_then(|user| user.login).unwrap_or_default();
        drop(unit);
        judge_password(&new, &login)?;
        if !self.passwords.verify(known, old).await? {
            return Err(LoginError::Wrong);
        }
        let hash = self.passwords.hash(new).await?;
        let now = self.now();
        let mut unit = self.store.platform(SCOPE).await?;
        unit.set_password(user, &hash, now).await?;
        unit.end_sessions_of(user, None, now).await?;
        for membership in unit.memberships_of(user).await? {
            let subject = principal.subject.to_string();
            let revoked = revocation(&membership.org, RevocationKind::Subject, &subject, now);
            unit.revoke_anywhere(&revoked).await?;
            tell(self, &mut unit, &revoked).await?;
        }
        let actor = principal.subject.to_string();
        let entry = self.note(&principal.org, &actor, Act::PasswordChanged, user, &json!({}));
        unit.audit(&entry).await?;
        unit.commit().await?;
        self.bell.notify_one();
        Ok(())
    }
}
