//! Who a request is by: made from a verified token alone.

use soma_policy::{EnvironmentId, Millis, OrgId, Timestamp, TokenId, UserId};

use super::{Assurance, Cap, CapSet, Claims, Subject};
use crate::store::TenantScope;

/// The holder of a token that counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Principal {
    pub(crate) subject: Subject,
    pub(crate) org: OrgId,
    pub(crate) environment: EnvironmentId,
    pub(crate) caps: CapSet,
    pub(crate) acr: Assurance,
    /// When a person last proved who they are.
    pub(crate) authenticated: Option<Timestamp>,
    /// The session or API key behind the token.
    pub(crate) credential: String,
    /// Whether it is the credential's own token, and not a narrower one that somebody else may hold.
    pub(crate) whole: bool,
    pub(crate) token: TokenId,
    pub(crate) issued: Timestamp,
    pub(crate) expires: Timestamp,
}

impl Principal {
    /// From claims that were judged, and that nothing revokes.
    pub(crate) fn of(claims: Claims) -> Self {
        Self {
            subject: claims.sub,
            org: claims.org,
            environment: claims.env,
            caps: claims.caps,
            acr: claims.acr,
            authenticated: claims.auth_time.map(|seconds| Timestamp(seconds.saturating_mul(1000))),
            credential: claims.cred,
            whole: claims.whole,
            token: claims.jti,
            issued: Timestamp(claims.iat.saturating_mul(1000)),
            expires: Timestamp(claims.exp.saturating_mul(1000)),
        }
    }

    /// The scope of everything that it may see.
    pub(crate) fn scope(&self) -> TenantScope {
        TenantScope::of(self.org.clone())
    }

    pub(crate) fn may(&self, cap: &Cap) -> bool {
        self.caps.allows(cap)
    }

    /// The person, if it is one.
    pub(crate) fn user(&self) -> Option<UserId> {
        match self.subject {
            Subject::User(user) => Some(user),
            Subject::Account(_) => None,
        }
    }

    /// Whether it was proven by two factors not longer than `age` ago.
    pub(crate) fn is_fresh(&self, now: Timestamp, age: Millis) -> bool {
        let proven = self.authenticated.is_some_and(|at| now.since(at) <= age);
        self.acr >= Assurance::Aal2 && proven
    }
}
