//! What was shown in a session and was wrong: whoever holds a stolen token has a few guesses, each is in the record, and
//! the last one ends the session.

use serde_json::json;
use soma_policy::SessionId;

use super::revoke::{revocation, tell};
use super::{LoginError, SCOPE};
use crate::audit::Act;
use crate::identity::Principal;
use crate::server::Server;
use crate::store::RevocationKind;

/// Wrong proofs that a session survives, and one more.
const WRONG_MAX: u64 = 5;

impl Server {
    /// Counts a wrong proof of somebody who holds a session's token, in a unit of its own.
    pub(super) async fn distrust(
        &self,
        principal: &Principal,
        why: &str,
    ) -> Result<(), LoginError> {
        let now = self.now();
        let mut unit = self.store.platform(SCOPE).await?;
        let mut ends = false;
        if let Ok(session) = principal.credential.parse::<SessionId>() {
            ends = unit.count_wrong_proof(session).await? >= WRONG_MAX;
            if ends {
                unit.end_session(session, now).await?;
                let kind = RevocationKind::Key;
                let revoked = revocation(&principal.org, kind, &principal.credential, now);
                unit.revoke_anywhere(&revoked).await?;
                tell(self, &mut unit, &revoked).await?;
            }
        }
        let actor = principal.subject.to_string();
        let detail = json!({ "why": why, "session": principal.credential, "ended": ends });
        let entry = self.note(&principal.org, &actor, Act::ProofFailed, &actor, &detail);
        unit.audit(&entry).await?;
        unit.commit().await?;
        self.bell.notify_one();
        Ok(())
    }
}
