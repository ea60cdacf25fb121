//! Letting somebody in again who cannot: an operator lifts the blocks and hands over a code, the person sets a new password
//! with it. A lost second factor goes only if the operator says so.

use serde_json::json;
use soma_policy::{Millis, UserId};
use zeroize::Zeroizing;

use super::revoke::{revocation, tell};
use super::{LoginError, SCOPE};
use crate::audit::Act;
use crate::identity::{Principal, SecretText, judge_password, secret_hash};
use crate::server::Server;
use crate::store::{PlatformUnit, RevocationKind, UserState};

/// How long a code is good.
const LIVES: Millis = Millis(24 * 3_600_000);

impl Server {
    /// Lifts every block of an account and makes a code for its next password; takes the second factor away if asked to.
    /// None if there is no such person.
    pub(crate) async fn reset_person(
        &self,
        by: &Principal,
        user: UserId,
        factors: bool,
    ) -> Result<Option<(SecretText, soma_policy::Timestamp)>, LoginError> {
        let (now, actor) = (self.now(), by.subject.to_string());
        let code = SecretText::draw().ok_or(LoginError::Failed)?;
        let mut unit = self.store.platform(SCOPE).await?;
        let found = unit.user(user).await?.filter(|user| user.state != UserState::Erased);
        if found.is_none() {
            return Ok(None);
        }
        unit.unblock(user).await?;
        let removed = factors && unit.remove_totp(user).await?;
        if removed {
            // What was proven by the factor that is gone counts no more.
            self.cut_person(&mut unit, user).await?;
        }
        let expires = now.plus(LIVES);
        unit.offer_reset(user, (&code.hash(), &actor), expires, now).await?;
        let detail = json!({ "factor_removed": removed });
        let entry = self.note(&self.platform, &actor, Act::UserReset, user, &detail);
        unit.audit(&entry).await?;
        unit.commit().await?;
        self.bell.notify_one();
        Ok(Some((code, expires)))
    }

    /// Sets a new password with a code, and says whether it was one. Every session and token of the person ends.
    pub(crate) async fn reset_password(
        &self,
        code: &str,
        new: Zeroizing<String>,
    ) -> Result<bool, LoginError> {
        let hash = secret_hash(code.trim());
        let mut unit = self.store.survey(SCOPE).await?;
        let Some(user) = unit.reset_of(&hash, self.now()).await? else { return Ok(false) };
        let login = unit.user(user).await?.and_then(|user| user.login).unwrap_or_default();
        drop(unit);
        judge_password(&new, &login)?;
        let password = self.passwords.hash(new).await?;
        let now = self.now();
        let mut unit = self.store.platform(SCOPE).await?;
        if !unit.take_reset(&hash, now).await? {
            return Ok(false);
        }
        unit.set_password(user, &password, now).await?;
        self.cut_person(&mut unit, user).await?;
        let (actor, detail) = (format!("user:{user}"), json!({ "reset": true }));
        let entry = self.note(&self.platform, &actor, Act::PasswordChanged, user, &detail);
        unit.audit(&entry).await?;
        unit.commit().await?;
        self.bell.notify_one();
        Ok(true)
    }

    /// Ends every session and token of a person, in every org.
    pub(crate) async fn cut_person(
        &self,
        unit: &mut PlatformUnit,
        user: UserId,
    ) -> Result<(), LoginError> {
        let now = self.now();
        unit.end_sessions_of(user, None, now).await?;
        for membership in unit.memberships_of(user).await? {
            let subject = format!("user:{user}");
            let kind = RevocationKind::Subject;
            let revoked = revocation(&membership.org, kind, &subject, now);
            unit.revoke_anywhere(&revoked).await?;
            tell(self, unit, &revoked).await?;
        }
        Ok(())
    }
}
