//! Who asks the host's own interface: the bearer of a verified token, nobody else.
//!
//! Tenant, environment and rights come from the token alone. A token is taken from `Authorization:
//! Bearer` and from nowhere else, so a page of another origin cannot send it for its visitor.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use http::header::AUTHORIZATION;
use http::request::Parts;
use soma_policy::{Caller, Code, InstallationId, InstallationKey};

use super::problem::Problem;
use super::serve::caller_of;
use crate::host::Host;
use crate::token::{Scope, VerifiedToken};

/// A verified token.
pub(super) struct Bearer(Arc<VerifiedToken>);

impl FromRequestParts<Arc<Host>> for Bearer {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, host: &Arc<Host>) -> Result<Self, Problem> {
        let mut values = parts.headers.get_all(AUTHORIZATION).iter();
        let (Some(value), None) = (values.next(), values.next()) else {
            let what = "the request carries no token, or several";
            return Err(Problem::new(Code::TokenMissing, what));
        };
        let (scheme, token) =
            value.to_str().ok().and_then(|text| text.split_once(' ')).unwrap_or_default();
        if !scheme.eq_ignore_ascii_case("bearer") {
            return Err(Problem::new(Code::TokenMalformed, "only a Bearer token is taken"));
        }
        let verified = host.tokens().verify(token.trim(), host.clock().now());
        verified.map(Self).map_err(|error| Problem::new(error.code(), error.to_string()))
    }
}

impl Bearer {
    /// The caller that policy judges.
    pub(super) fn caller(&self) -> Caller {
        caller_of(self.0.claims())
    }

    /// An installation of the token's own org and environment.
    pub(super) fn installation(&self, id: InstallationId) -> InstallationKey {
        let claims = self.0.claims();
        InstallationKey { environment: claims.env.clone(), id, org: claims.org.clone() }
    }

    /// Whether a key belongs to the token's org and environment.
    pub(super) fn owns(&self, key: &InstallationKey) -> bool {
        let claims = self.0.claims();
        key.org == claims.org && key.environment == claims.env
    }

    /// Whether the token is an operator's: it then sees every tenant.
    pub(super) fn operates(&self) -> bool {
        self.0.may(&Scope::Operate)
    }

    /// Refuses a token without this right.
    pub(super) fn must(&self, scope: &Scope) -> Result<(), Problem> {
        if self.0.may(scope) {
            return Ok(());
        }
        Err(Problem::new(Code::TokenRight, format!("the token does not hold `{scope}`")))
    }
}
