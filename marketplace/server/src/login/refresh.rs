//! Staying logged in, and leaving. A refresh code is good once; a spent one ends the session.

use serde_json::json;
use soma_policy::SessionId;

use super::revoke::{revocation, tell};
use super::{Entered, LoginError, SCOPE};
use crate::audit::Act;
use crate::identity::{Principal, SecretText, secret_hash};
use crate::server::Server;
use crate::store::{RevocationKind, Session};

impl Server {
    /// The next token of a session, and the next refresh code.
    pub(crate) async fn refresh(&self, code: &str) -> Result<Entered, LoginError> {
        let hash = secret_hash(code);
        let mut unit = self.store.platform(SCOPE).await?;
        let found = unit.session_by_code(&hash).await?;
        let row = found.ok_or(LoginError::Refresh)?;
        let session = row.session;
        if row.ended || session.expires <= self.now() {
            return Err(LoginError::Refresh);
        }
        if row.spent {
            drop(unit);
            self.end_stolen(&session).await?;
            return Err(LoginError::Refresh);
        }
        let next = SecretText::draw().ok_or(LoginError::Failed)?;
        // Of two that come at once, one wins; the other shows a spent code.
        if !unit.rotate_session(session.session, &hash, &next.hash()).await? {
            return Err(LoginError::Refresh);
        }
        let entered = self.token_of(&mut unit, &session, None).await?;
        unit.commit().await?;
        Ok(Entered { refresh_token: Some(next.expose().to_owned()), ..entered })
    }

    /// Two hold the codes of one session: neither keeps it.
    async fn end_stolen(&self, session: &Session) -> Result<(), LoginError> {
        let now = self.now();
        let mut unit = self.store.platform(SCOPE).await?;
        unit.end_session(session.session, now).await?;
        let id = session.session.to_string();
        let revoked = revocation(&session.org, RevocationKind::Key, &id, now);
        unit.revoke_anywhere(&revoked).await?;
        tell(self, &mut unit, &revoked).await?;
        let actor = format!("user:{}", session.user);
        let entry = self.note(&session.org, &actor, Act::SessionStolen, &id, &json!({}));
        unit.audit(&entry).await?;
        unit.commit().await?;
        self.bell.notify_one();
        Ok(())
    }

    /// Ends the session behind a token, and every token that it made.
    pub(crate) async fn log_out(&self, principal: &Principal) -> Result<(), LoginError> {
        let now = self.now();
        let mut unit = self.store.platform(SCOPE).await?;
        if let Ok(session) = principal.credential.parse::<SessionId>() {
            unit.end_session(session, now).await?;
        }
        let kind = RevocationKind::Key;
        let revoked = revocation(&principal.org, kind, &principal.credential, now);
        unit.revoke_anywhere(&revoked).await?;
        tell(self, &mut unit, &revoked).await?;
        let actor = principal.subject.to_string();
        let subject = &principal.credential;
        let entry = self.note(&principal.org, &actor, Act::LoggedOut, subject, &json!({}));
        unit.audit(&entry).await?;
        unit.commit().await?;
        self.bell.notify_one();
        Ok(())
    }
}
