//! Who asks: the bearer of a token that verifies and that nothing revokes. Nobody else.
//!
//! A token is taken from `Authorization: Bearer` and from nowhere else, so a page of another origin
//! cannot send it for its visitor.

use axum::extract::FromRequestParts;
use http::header::AUTHORIZATION;
use http::request::Parts;
use soma_policy::{Code, Millis, OrgId};

use super::problem::Problem;
use crate::identity::{Cap, Claims, Principal, TokenError};
use crate::server::Server;
use crate::store::{PlatformScope, TenantScope};

/// How fresh two factors must be for what needs them.
pub(crate) const STEP_UP_SECONDS: u64 = 300;

impl FromRequestParts<Server> for Principal {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, server: &Server) -> Result<Self, Problem> {
        let token = bearer(parts)?;
        let claims = judge(server, &token).await?;
        let mut unit = server.store.read(&TenantScope::of(claims.org.clone())).await?;
        let principal = Self::of(claims);
        let (token, subject) = (principal.token.to_string(), principal.subject.to_string());
        if unit.is_revoked(&token, &subject, &principal.credential, principal.issued).await? {
            return Err(TokenError::Revoked.into());
        }
        drop(unit);
        in_time(server, &principal)?;
        Ok(principal)
    }
}

/// Counts the request for who asks, then for their org: only what a token that counts asks is anybody's, and who comes
/// too fast uses up nothing of the others' part.
fn in_time(server: &Server, principal: &Principal) -> Result<(), Problem> {
    let (org, now) = (principal.org.as_str(), server.now());
    let subject = match principal.user() {
        Some(user) => format!("user:{user}"),
        None => format!("{org}/{}", principal.subject),
    };
    for (limiter, key) in [(&server.subjects, subject.as_str()), (&server.orgs, org)] {
        let verdict = limiter.ask(key, now);
        if !verdict.passes {
            return Err(Problem::too_fast(verdict));
        }
    }
    Ok(())
}

/// The bearer of a request that is not made with a token of ours: what it is worth its route decides.
#[derive(Debug)]
pub(super) struct OneTimeToken(pub(super) String);

impl<S: Sync> FromRequestParts<S> for OneTimeToken {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        bearer(parts).map(Self)
    }
}

fn bearer(parts: &Parts) -> Result<String, Problem> {
    let mut values = parts.headers.get_all(AUTHORIZATION).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return Err(TokenError::Missing.into());
    };
    let text = value.to_str().ok().and_then(|text| text.split_once(' ')).unwrap_or_default();
    if !text.0.eq_ignore_ascii_case("bearer") {
        return Err(TokenError::Malformed("only a Bearer token is taken").into());
    }
    Ok(text.1.trim().to_owned())
}

/// Judges a token. A key that another server has just made is looked for once.
async fn judge(server: &Server, token: &str) -> Result<Claims, Problem> {
    match server.keyring.judge(token, server.now()) {
        Err(TokenError::UnknownKey) if server.reloads.ask("keys", server.now()).passes => {
            server.reload_keys().await.map_err(|error| {
                tracing::warn!(%error, "the issuer's keys could not be read");
                Problem::new(Code::StoreDown, "the database does not answer")
            })?;
            Ok(server.keyring.judge(token, server.now())?)
        }
        judged => Ok(judged?),
    }
}

impl Principal {
    /// Refuses a token without this right.
    pub(crate) fn must(&self, cap: &Cap) -> Result<(), Problem> {
        if self.may(cap) {
            return Ok(());
        }
        Err(Problem::new(Code::TokenRight, format!("the token does not hold `{cap}`")))
    }

    /// Refuses a token that was narrowed: others may hold it, and what proves its person is not theirs to touch.
    pub(crate) fn must_be_whole(&self) -> Result<(), Problem> {
        if self.whole {
            return Ok(());
        }
        let what = "the token was narrowed; this takes the one that the login returned";
        Err(Problem::new(Code::TokenRight, what))
    }

    /// Refuses who has not proven two factors within the last minutes.
    pub(crate) fn must_be_fresh(&self, server: &Server) -> Result<(), Problem> {
        if self.is_fresh(server.now(), Millis(STEP_UP_SECONDS * 1000)) {
            return Ok(());
        }
        Err(Problem::step_up(STEP_UP_SECONDS))
    }

    /// The scope of an org that a path names: the token's own, or there is no such org.
    pub(crate) fn within(&self, org: &OrgId) -> Result<TenantScope, Problem> {
        if *org == self.org { Ok(self.scope()) } else { Err(Problem::not_found("org")) }
    }

    /// The operator's scope over everything.
    pub(crate) fn operating(&self) -> Result<PlatformScope, Problem> {
        self.must(&Cap::Operate)?;
        Ok(PlatformScope::of("operator"))
    }
}
