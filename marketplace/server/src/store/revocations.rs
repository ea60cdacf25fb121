//! Tokens that no longer count: one by one, or all of a subject, a credential or an org up to a moment.

use serde::{Deserialize, Serialize};
use soma_policy::{OrgId, Timestamp};
use utoipa::ToSchema;

use super::sql::{Bind, binds};
use super::{PlatformUnit, StoreError, TenantUnit};

/// What is revoked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum RevocationKind {
    /// One token, by its id.
    Token,
    /// All tokens of a person or a service account.
    Subject,
    /// All tokens of an org.
    Org,
    /// All tokens that were made from a session or an API key.
    Key,
}

impl RevocationKind {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::Subject => "subject",
            Self::Org => "org",
            Self::Key => "key",
        }
    }
}

/// A revocation: tokens of `subject` that were issued before `before` no longer count.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Revocation {
    /// The org whose tokens they are.
    #[schema(value_type = String)]
    pub(crate) org: OrgId,
    /// What is revoked.
    pub(crate) kind: RevocationKind,
    /// The token's id, the subject, the org, the session or the key.
    pub(crate) subject: String,
    /// Issued before this moment (milliseconds).
    #[schema(value_type = String)]
    pub(crate) before: Timestamp,
    /// When the last such token would have ended by itself (milliseconds).
    #[schema(value_type = String)]
    pub(crate) expires: Timestamp,
}

const PUT: &str = "INSERT INTO revocations (org, kind, subject, before_ms, expires_ms) VALUES ($1, $2, $3, $4, $5) \
    ON CONFLICT (org, kind, subject) DO UPDATE SET before_ms = CASE WHEN revocations.before_ms > excluded.before_ms THEN revocations.before_ms ELSE excluded.before_ms END, \
    expires_ms = CASE WHEN revocations.expires_ms > excluded.expires_ms THEN revocations.expires_ms ELSE excluded.expires_ms END";
const HIT: &str = "SELECT kind FROM revocations WHERE org = $1 AND before_ms > $2 AND \
    ((kind = 'token' AND subject = $3) OR (kind = 'subject' AND subject = $4) OR (kind = 'key' AND subject = $5) OR (kind = 'org' AND subject = $1)) LIMIT 1";

fn bound(it: &Revocation) -> [Bind<'_>; 5] {
    [
        it.org.as_str().into(),
        it.kind.as_str().into(),
        it.subject.as_str().into(),
        it.before.into(),
        it.expires.into(),
    ]
}

impl TenantUnit {
    /// Revokes; later moments win.
    pub(crate) async fn revoke(&mut self, it: &Revocation) -> Result<(), StoreError> {
        self.only_own(&it.org)?;
        self.tx.run(PUT, &bound(it)).await.map(drop)
    }

    /// Whether a token of this org is revoked: its id, subject and credential, issued then.
    pub(crate) async fn is_revoked(
        &mut self,
        token: &str,
        subject: &str,
        credential: &str,
        issued: Timestamp,
    ) -> Result<bool, StoreError> {
        let org = self.org().to_owned();
        let binds = binds![&org, issued, token, subject, credential];
        Ok(self.tx.one(HIT, binds).await?.is_some())
    }
}

impl PlatformUnit {
    /// Revokes in any org; later moments win.
    pub(crate) async fn revoke_anywhere(&mut self, it: &Revocation) -> Result<(), StoreError> {
        self.tx.run(PUT, &bound(it)).await.map(drop)
    }
}
