//! Revoking: a row that every server looks at, and a change that every host is told.

use serde_json::json;
use soma_policy::feed::{Revoked, RevokedKind, Topic};
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
    let told = told(revoked);
    let subject = format!("{}/{}", revoked.kind.as_str(), told.value);
    let payload = serde_json::to_value(&told).unwrap_or_default();
    let topic = Topic::Revocation.as_str();
    unit.change(&server.feed(&revoked.org, topic, subject, &payload)).await?;
    let payload = json!({
        "kind": revoked.kind.as_str(), "subject": revoked.subject, "org": revoked.org,
        "before": revoked.before.0.to_string(), "expires": revoked.expires.0.to_string(),
    });
    let event = server.event(&revoked.org, "identity.audit", &revoked.subject, &payload);
    unit.change(&event).await
}

/// A revocation as hosts judge by it.
fn told(revoked: &Revocation) -> Revoked {
    let (kind, value) = match revoked.kind {
        RevocationKind::Token => (RevokedKind::Token, revoked.subject.clone()),
        // Service accounts of two orgs may have one name.
        RevocationKind::Subject => {
            (RevokedKind::Subject, format!("{}/{}", revoked.org, revoked.subject))
        }
        RevocationKind::Org => (RevokedKind::Org, revoked.subject.clone()),
        RevocationKind::Key => (RevokedKind::Key, revoked.subject.clone()),
    };
    // Here what was issued before the moment is revoked, there what was issued until it.
    let before = Timestamp(revoked.before.0.saturating_sub(1));
    Revoked { before, kind, until: revoked.expires, value }
}
