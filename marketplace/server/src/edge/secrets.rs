//! Secrets of the token's org and environment: set, listed and removed, never shown; and what hosts
//! are sent of them.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::CONTENT_TYPE;
use serde::Serialize;
use soma_policy::feed::{HostRole, SecretAsk, kind};
use soma_policy::{Code, SecretName, Timestamp};
use utoipa::ToSchema;

use super::body::{At, Body, Search};
use super::etag::{IfMatch, Seen};
use super::page::{Listed, Paging};
use super::problem::Problem;
use super::proven::Proven;
use super::reply::Reply;
use crate::identity::{Cap, Principal};
use crate::secrets::{self, ASKS_MAX, GivenSecret, Installations, SecretError};
use crate::server::Server;
use crate::store::{PlatformScope, SecretRow, TenantUnit};

/// Bodies that hold a value: 64 KiB in base64, with what is around it.
pub(super) const BODY_MAX: usize = 128 * 1024;

/// A value: exactly one of the two.
#[derive(ToSchema)]
#[expect(
    dead_code,
    reason = "the shape of the body for the document; it is read without quoting it"
)]
pub(super) struct NewSecret {
    /// The value as text.
    #[schema(max_length = 65536)]
    value: Option<String>,
    /// The value as bytes, in base64.
    base64: Option<String>,
}

/// A secret. Its value is never shown.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SecretView {
    /// The name that grants refer to.
    #[schema(value_type = String)]
    name: SecretName,
    /// Rises with each value; the ETag.
    version: u64,
    /// When it got its first value (milliseconds).
    #[schema(value_type = String)]
    created: Timestamp,
    /// When it got this one (milliseconds).
    #[schema(value_type = String)]
    changed: Timestamp,
    /// Installations that take it, each with its grant: `issues (secret.token)`.
    used_by: Vec<String>,
    /// Hosts that were sent this value.
    hosts_current: u64,
    /// Hosts that still have an older one: keep that one valid where it is used until there are none.
    hosts_behind: u64,
}

/// A value that a host needs.
#[derive(ToSchema)]
#[expect(
    dead_code,
    reason = "the shape of the body for the document; the contract's own type is read"
)]
pub(super) struct Ask {
    /// The environment.
    environment: String,
    /// Its name.
    name: String,
    /// The org.
    org: String,
}

impl From<SecretError> for Problem {
    fn from(error: SecretError) -> Self {
        match error {
            SecretError::Store(error) => error.into(),
            SecretError::Missing => Self::not_found("secret"),
            SecretError::Failed => {
                tracing::error!("a secret could not be sealed or opened");
                Self::new(Code::HostFailure, "the server failed")
            }
            other => Self::new(other.code(), other.to_string()),
        }
    }
}

/// Sets a secret of the token's org and environment. A value that is there is replaced if `If-Match`
/// names its version. There is no Idempotency-Key: nothing of a secret is kept to compare with.
#[utoipa::path(put, path = "/v1/secrets/{name}", tag = "secrets", request_body = NewSecret,
    params(("name" = String, Path), ("If-Match" = Option<String>, Header, description = "the ETag that was read; none for a new secret")),
    responses((status = 200, description = "it has a new value", body = SecretView),
        (status = 201, description = "it is new", body = SecretView)), security(("token" = [])))]
pub(super) async fn set(
    State(server): State<Server>,
    principal: Principal,
    At(name): At<String>,
    Seen(seen): Seen,
    Body { value, .. }: Body<GivenSecret>,
) -> Result<Response, Problem> {
    principal.must(&Cap::Install)?;
    let name: SecretName = name.parse().map_err(|rule| Problem::field("name", rule))?;
    let seen = seen.map(IfMatch::version);
    let stored = secrets::set(&server, &principal, &name, &value, seen).await?;
    drop(value);
    let view = view(&server, &principal, &name).await?;
    let location = format!("/v1/secrets/{name}");
    let reply = if stored.fresh { Reply::created(location, &view) } else { Reply::ok(&view) };
    Ok(reply.version(stored.version).into_response())
}

/// The secrets of the token's org and environment, without their values.
#[utoipa::path(get, path = "/v1/secrets", tag = "secrets", params(Paging),
    responses((status = 200, description = "a page", body = Listed<SecretView>)), security(("token" = [])))]
pub(super) async fn list(
    State(server): State<Server>,
    principal: Principal,
    Search(paging): Search<Paging>,
) -> Result<Response, Problem> {
    principal.must(&Cap::OrgRead)?;
    let (after, limit) = (paging.after()?, paging.limit()? + 1);
    let mut unit = server.store.read(&principal.scope()).await?;
    let rows = unit.secrets(&principal.environment, &after, limit).await?;
    let views = views(&server, &principal, &mut unit, rows).await?;
    Ok(Reply::ok(&paging.page(views, |it| it.name.to_string())?).into_response())
}

/// One secret, without its value.
#[utoipa::path(get, path = "/v1/secrets/{name}", tag = "secrets", params(("name" = String, Path)),
    responses((status = 200, description = "the secret", body = SecretView)), security(("token" = [])))]
pub(super) async fn show(
    State(server): State<Server>,
    principal: Principal,
    At(name): At<SecretName>,
) -> Result<Response, Problem> {
    principal.must(&Cap::OrgRead)?;
    let view = view(&server, &principal, &name).await?;
    Ok(Reply::ok(&view).version(view.version).into_response())
}

/// Removes a secret with all of its values, here and on the hosts.
#[utoipa::path(delete, path = "/v1/secrets/{name}", tag = "secrets",
    params(("name" = String, Path), ("If-Match" = Option<String>, Header, description = "the ETag that was read, if it matters")),
    responses((status = 204, description = "done")), security(("token" = [])))]
pub(super) async fn remove(
    State(server): State<Server>,
    principal: Principal,
    At(name): At<SecretName>,
    Seen(seen): Seen,
) -> Result<Response, Problem> {
    principal.must(&Cap::Install)?;
    secrets::remove(&server, &principal, &name, seen.map(IfMatch::version)).await?;
    Ok(Reply::nothing().into_response())
}

/// Values for a host, sealed to its key: those that an installation of its feed may use.
#[utoipa::path(post, path = "/v1/feed/secrets", tag = "feed", request_body = Vec<Ask>,
    responses((status = 200, description = "a signed document of the kind `host-secrets`", body = Object)), security(("host" = [])))]
pub(super) async fn send(
    State(server): State<Server>,
    Proven { host, value: asks }: Proven<Vec<SecretAsk>>,
) -> Result<Response, Problem> {
    host.must_be(&[HostRole::Host])?;
    host.must_be_sound()?;
    if asks.len() > ASKS_MAX {
        return Err(Problem::new(Code::FieldBad, format!("a request asks for at most {ASKS_MAX}")));
    }
    let secrets = secrets::send(&server, &host, asks).await?;
    let signed = server.signed(kind::SECRETS, &secrets)?;
    Ok(([(CONTENT_TYPE, "application/json")], signed).into_response())
}

async fn view(
    server: &Server,
    principal: &Principal,
    name: &SecretName,
) -> Result<SecretView, Problem> {
    let mut unit = server.store.read(&principal.scope()).await?;
    let row = secrets::find(&mut unit, &principal.environment, name).await?;
    let mut views = views(server, principal, &mut unit, vec![row]).await?;
    views.pop().ok_or_else(|| Problem::not_found("secret"))
}

/// Rows with who takes them, and how far their hosts are.
async fn views(
    server: &Server,
    principal: &Principal,
    unit: &mut TenantUnit,
    rows: Vec<SecretRow>,
) -> Result<Vec<SecretView>, Problem> {
    let (org, environment) = (&principal.org, &principal.environment);
    let mut platform = server.store.survey(PlatformScope::of("users of secrets")).await?;
    let mut installations = Installations::default();
    let installed = installations.of(&mut platform, org, environment).await?;
    let mut views = Vec::with_capacity(rows.len());
    for row in rows {
        let spread = unit.secret_spread(environment, &row).await?;
        let used_by = secrets::users(installed, &row.name);
        let SecretRow { name, version, created, changed, .. } = row;
        let (hosts_current, hosts_behind) = (spread.current, spread.behind);
        views.push(SecretView {
            name,
            version,
            created,
            changed,
            used_by,
            hosts_current,
            hosts_behind,
        });
    }
    Ok(views)
}
