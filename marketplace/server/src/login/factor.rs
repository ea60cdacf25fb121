//! Adding and removing a second factor. The secret is shown once and rests sealed.

use serde::Serialize;
use serde_json::json;
use soma_policy::UserId;
use utoipa::ToSchema;
use zeroize::Zeroizing;

use super::enter::recovery_codes;
use super::{LoginError, SCOPE};
use crate::audit::Act;
use crate::identity::{Principal, TotpSecret};
use crate::server::Server;

/// What an authenticator is given, once.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Enrolment {
    /// `otpauth://totp/…`, as a QR code or by hand.
    pub(crate) uri: String,
}

fn purpose(user: UserId) -> String {
    format!("totp/{user}")
}

fn person(principal: &Principal) -> Result<UserId, LoginError> {
    let refused = || LoginError::Ask("only persons have a second factor".to_owned());
    principal.user().ok_or_else(refused)
}

impl Server {
    pub(super) fn open_factor(&self, user: UserId, sealed: &str) -> Result<TotpSecret, LoginError> {
        let opened = self.sealer.open(&purpose(user), sealed).map_err(|_| LoginError::Failed)?;
        Ok(TotpSecret::from_bytes(opened))
    }

    /// Begins an enrolment; it counts once it is confirmed. The password is asked for again: whoever has only found a
    /// token must not become the one who holds the second factor.
    pub(crate) async fn begin_factor(
        &self,
        principal: &Principal,
        password: Zeroizing<String>,
    ) -> Result<Enrolment, LoginError> {
        let user = person(principal)?;
        self.prove_password(principal, user, password).await?;
        let secret = TotpSecret::draw().ok_or(LoginError::Failed)?;
        let sealed = self.sealer.seal(&purpose(user), secret.bytes());
        let sealed = sealed.map_err(|_| LoginError::Failed)?;
        let mut unit = self.store.platform(SCOPE).await?;
        let login = unit.user(user).await?.and_then(|user| user.login).unwrap_or_default();
        if !unit.begin_totp(user, &sealed).await? {
            return Err(LoginError::Exists("the account has a second factor; remove it first"));
        }
        unit.commit().await?;
        Ok(Enrolment { uri: secret.uri("soma", &login).to_string() })
    }

    /// Confirms an enrolment with its first code; gives the recovery codes, once.
    pub(crate) async fn confirm_factor(
        &self,
        principal: &Principal,
        code: &str,
    ) -> Result<Vec<String>, LoginError> {
        let user = person(principal)?;
        let (shown, hashes) = recovery_codes()?;
        let now = self.now();
        let mut unit = self.store.platform(SCOPE).await?;
        let begun = unit.totp(user).await?.filter(|factor| !factor.confirmed);
        let begun = begun.ok_or(LoginError::Exists("no enrolment is under way"))?;
        let step = self.open_factor(user, &begun.sealed)?.step_of(code.trim(), now);
        let step = step.ok_or(LoginError::Factor("the code is wrong"))?;
        unit.use_totp_step(user, step).await?;
        if !unit.confirm_totp(user, now).await? {
            return Err(LoginError::Exists("the second factor is confirmed already"));
        }
        unit.set_recovery_codes(user, &hashes).await?;
        let actor = principal.subject.to_string();
        let entry = self.note(&principal.org, &actor, Act::FactorAdded, user, &json!({}));
        unit.audit(&entry).await?;
        unit.commit().await?;
        self.bell.notify_one();
        Ok(shown)
    }

    /// Removes the second factor with its recovery codes.
    pub(crate) async fn remove_factor(&self, principal: &Principal) -> Result<bool, LoginError> {
        let user = person(principal)?;
        let mut unit = self.store.platform(SCOPE).await?;
        if !unit.remove_totp(user).await? {
            return Ok(false);
        }
        let actor = principal.subject.to_string();
        let entry = self.note(&principal.org, &actor, Act::FactorRemoved, user, &json!({}));
        unit.audit(&entry).await?;
        unit.commit().await?;
        self.bell.notify_one();
        Ok(true)
    }
}
