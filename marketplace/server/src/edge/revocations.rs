//! Revoking tokens: one, all of a subject, all of a credential, or all of the org.

use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use serde_json::json;
use soma_policy::TokenId;
use utoipa::ToSchema;

use super::body::Body;
use super::once::Once;
use super::problem::Problem;
use super::reply::Reply;
use crate::audit::Act;
use crate::identity::{Cap, Principal, Subject};
use crate::login::{revocation, tell};
use crate::server::Server;
use crate::store::{Revocation, RevocationKind};

/// What to revoke.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewRevocation {
    /// What kind of thing `subject` is.
    kind: RevocationKind,
    /// The token's id, `user:ID` or `account:NAME`, the session or key; nothing for the org.
    #[serde(default)]
    subject: String,
}

/// Revokes tokens of the own org. One's own need no right, others' need `keys:write`; a narrowed token revokes itself alone.
#[utoipa::path(post, path = "/v1/revocations", tag = "identity", request_body = NewRevocation,
    params(("Idempotency-Key" = Option<String>, Header, description = "one effect, however often it is sent")),
    responses((status = 200, description = "the revocation", body = Revocation)), security(("token" = [])))]
pub(super) async fn create(
    State(server): State<Server>,
    principal: Principal,
    once: Once,
    Body { value, digest }: Body<NewRevocation>,
) -> Result<Response, Problem> {
    let subject = subject(&principal, value.kind, value.subject)?;
    let own = match value.kind {
        RevocationKind::Token => subject == principal.token.to_string(),
        RevocationKind::Subject => subject == principal.subject.to_string(),
        RevocationKind::Key => subject == principal.credential,
        RevocationKind::Org => false,
    };
    if !own {
        principal.must(&Cap::KeysWrite)?;
    } else if value.kind != RevocationKind::Token {
        principal.must_be_whole()?;
    }
    let mut work = once.tenant(&server, &principal, &principal.scope(), &digest).await?;
    let revoked = revocation(&principal.org, value.kind, &subject, server.now());
    work.revoke(&revoked).await?;
    tell(&server, &mut work, &revoked).await?;
    let (actor, detail) = (principal.subject.to_string(), json!({ "kind": value.kind.as_str() }));
    let entry = server.note(&principal.org, &actor, Act::TokensRevoked, &subject, &detail);
    work.audit(&entry).await?;
    work.done(Reply::ok(&revoked)).await
}

fn subject(principal: &Principal, kind: RevocationKind, given: String) -> Result<String, Problem> {
    let sound = match kind {
        RevocationKind::Token | RevocationKind::Key => given.parse::<TokenId>().is_ok(),
        RevocationKind::Subject => given.parse::<Subject>().is_ok(),
        RevocationKind::Org if given.is_empty() => return Ok(principal.org.to_string()),
        RevocationKind::Org => given == principal.org.as_str(),
    };
    let rule = "it is a token, session or key id, `user:ID` or `account:NAME`, by its kind";
    if sound { Ok(given) } else { Err(Problem::field("subject", rule)) }
}
