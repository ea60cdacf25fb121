//! Revoking: a row that every server looks at, and a change that every host is told.

use serde_json::json;
use soma_policy::{Millis, OrgId, Timestamp};

use crate::identity::LIFE_SECONDS_MAX;
use crate::server::Server;
use crate::store::{Revocation, RevocationKind, StoreError, Unit};

/// What a token may outlive its revocation by, with the difference between clocks.
const OUTLIVES: Millis = Millis((LIFE_SECONDS_MAX + 60) * 1000);

/// A revocation of everything that was issued until now.
///
/// Tokens say when they were issued in whole seconds, so the moment is the end of this second: what
/// is minted again within it is revoked too, which errs on the safe side.
pub(crate) fn revocation(
    org: &OrgId,
    kind: RevocationKind,
    subject: &str,
    now: Timestamp,
) -> Revocation {
    let before = Timestamp((now.0 / 1000 + 1) * 1000);
    let expires = now.plus(OUTLIVES);
    Revocation { org: org.clone(), kind, subject: subject.to_owned(), before, expires }
}

/// Tells hosts of a revocation, in the unit that makes it.
pub(crate) async fn tell(
    server: &Server,
    unit: &mut Unit,
    revoked: &Revocation,
) -> Result<(), StoreError> {
    let payload = json!({
        "kind": revoked.kind.as_str(), "subject": revoked.subject, "org": revoked.org,
        "before": revoked.before.0.to_string(), "expires": revoked.expires.0.to_string(),
    });
    unit.change(&server.feed(&revoked.org, "token.revoked", &revoked.subject, &payload)).await?;
    let event = server.event(&revoked.org, "identity.audit", &revoked.subject, &payload);
    unit.change(&event).await
}
