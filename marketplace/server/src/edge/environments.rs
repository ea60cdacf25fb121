//! Environments of an org.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::json;
use soma_policy::{EnvironmentId, OrgId, RegionId};
use utoipa::ToSchema;

use super::body::{At, Body, Search};
use super::limits::room;
use super::once::Once;
use super::page::{Listed, Paging};
use super::problem::Problem;
use super::reply::Reply;
use crate::audit::Act;
use crate::identity::{Cap, Principal};
use crate::server::Server;
use crate::store::{Environment, EnvironmentKind, Limit};

/// A new environment.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewEnvironment {
    /// Its id: a-z, 0-9 and inner hyphens.
    #[schema(value_type = String)]
    environment: EnvironmentId,
    /// What it is for.
    kind: EnvironmentKind,
    /// The only region in which its capsules run; the org's region if left out, any if that has none.
    #[schema(value_type = Option<String>)]
    region: Option<RegionId>,
}

/// The org's environments.
#[utoipa::path(get, path = "/v1/orgs/{org}/environments", tag = "orgs", params(("org" = String, Path), Paging),
    responses((status = 200, description = "a page", body = Listed<Environment>)), security(("token" = [])))]
pub(super) async fn list(
    State(server): State<Server>,
    principal: Principal,
    At(org): At<OrgId>,
    Search(paging): Search<Paging>,
) -> Result<Response, Problem> {
    principal.must(&Cap::OrgRead)?;
    let mut unit = server.store.read(&principal.within(&org)?).await?;
    let rows = unit.environments(&paging.after()?, paging.limit()? + 1).await?;
    Ok(Reply::ok(&paging.page(rows, |it| it.environment.to_string())?).into_response())
}

/// Makes an environment.
#[utoipa::path(post, path = "/v1/orgs/{org}/environments", tag = "orgs", request_body = NewEnvironment,
    params(("org" = String, Path), ("Idempotency-Key" = Option<String>, Header, description = "one effect, however often it is sent")),
    responses((status = 201, description = "the environment", body = Environment)), security(("token" = [])))]
pub(super) async fn create(
    State(server): State<Server>,
    principal: Principal,
    At(org): At<OrgId>,
    once: Once,
    Body { value, digest }: Body<NewEnvironment>,
) -> Result<Response, Problem> {
    principal.must(&Cap::OrgWrite)?;
    let scope = principal.within(&org)?;
    let mut work = once.tenant(&server, &principal, &scope, &digest).await?;
    let NewEnvironment { environment, kind, region } = value;
    let made = Environment { environment, kind, region, version: 1, created: server.now() };
    room(&mut work, &org, Limit::Environments).await?;
    work.insert_environment(&made).await?;
    let (actor, subject) = (principal.subject.to_string(), &made.environment);
    let detail = json!({ "kind": made.kind.as_str() });
    work.audit(&server.note(&org, &actor, Act::EnvironmentMade, subject, &detail)).await?;
    let location = format!("/v1/orgs/{org}/environments/{}", made.environment);
    work.done(Reply::created(location, &made).version(1)).await
}

/// One environment.
#[utoipa::path(get, path = "/v1/orgs/{org}/environments/{environment}", tag = "orgs",
    params(("org" = String, Path), ("environment" = String, Path)),
    responses((status = 200, description = "the environment", body = Environment)), security(("token" = [])))]
pub(super) async fn show(
    State(server): State<Server>,
    principal: Principal,
    At((org, environment)): At<(OrgId, EnvironmentId)>,
) -> Result<Response, Problem> {
    principal.must(&Cap::OrgRead)?;
    let mut unit = server.store.read(&principal.within(&org)?).await?;
    let found = unit.environment(&environment).await?;
    let found = found.ok_or_else(|| Problem::not_found("environment"))?;
    Ok(Reply::ok(&found).version(found.version).into_response())
}
