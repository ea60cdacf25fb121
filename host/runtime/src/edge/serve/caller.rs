//! Who asks a served capsule: the bearer of a token, or anybody where the installation grants that.
//!
//! The token comes in `Authorization: Bearer` and nowhere else: no cookie and no query, so a page of another origin cannot
//! send it for its visitor. The field is not admitted to the guest.

use http::{HeaderValue, Request, Response, header};
use soma_policy::{CallScope, Caller, Code, InstallationKey};

use super::answer::{Answer, refusal};
use crate::host::Host;
use crate::token::{Claims, Scope};

/// The caller that the request's token names, or a stranger without one.
pub(crate) fn of<B>(
    host: &Host,
    key: &InstallationKey,
    request: &Request<B>,
) -> Result<Caller, Box<Response<Answer>>> {
    let refuse = |code, words: &str| Box::new(refusal(code, words));
    let mut values = request.headers().get_all(header::AUTHORIZATION).iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(Caller::anonymous(key.org.clone(), key.environment.clone())),
        (Some(only), None) => {
            let token = bearer(only)
                .ok_or_else(|| refuse(Code::TokenMalformed, "only a Bearer token is taken"))?;
            let verified = host
                .tokens()
                .verify(token, host.clock().now())
                .map_err(|error| refuse(error.code(), &error.to_string()))?;
            Ok(caller(verified.claims()))
        }
        (Some(_), Some(_)) => {
            Err(refuse(Code::TokenMalformed, "there is more than one Authorization field"))
        }
    }
}

/// What a token's claims are to the policy.
pub(crate) fn caller(claims: &Claims) -> Caller {
    let one = |scope: &Scope| match scope {
        Scope::CallAny => CallScope::All,
        Scope::Call(id) => CallScope::Only(std::collections::BTreeSet::from([id.clone()])),
        Scope::ReadCalls | Scope::Operate => CallScope::none(),
    };
    let can = claims.caps.iter().map(one).fold(CallScope::none(), CallScope::union);
    Caller::new(claims.org.clone(), claims.env.clone(), &claims.sub, Some(claims.jti), can)
}

fn bearer(value: &HeaderValue) -> Option<&str> {
    let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
    scheme
        .eq_ignore_ascii_case("bearer")
        .then_some(token.trim_start())
        .filter(|token| !token.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_bearer_token_is_read() {
        for (value, token) in [
            ("Bearer abc", Some("abc")),
            ("bearer  abc", Some("abc")),
            ("Basic abc", None),
            ("Bearer", None),
            ("Bearer ", None),
            ("abc", None),
        ] {
            assert_eq!(bearer(&HeaderValue::from_static(value)), token, "{value}");
        }
    }
}
