//! Orgs: made and governed by operators, named and placed by their own people.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::json;
use soma_policy::{OrgId, RegionId};
use utoipa::ToSchema;

use super::body::{At, Body, Search};
use super::bootstrap::found_org;
use super::etag::{IfMatch, stale};
use super::invitations::{Offered, offer};
use super::once::Once;
use super::page::{Listed, Paging};
use super::problem::Problem;
use super::reply::Reply;
use super::users::short_text;
use crate::audit::Act;
use crate::identity::{Cap, Principal, Role};
use crate::login::{revocation, tell};
use crate::server::Server;
use crate::store::{Org, OrgRoles, OrgState, RevocationKind};

/// A new org.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewOrg {
    /// Its id: a-z, 0-9 and inner hyphens.
    #[schema(value_type = String)]
    pub(super) org: OrgId,
    /// As people call it.
    pub(super) name: String,
    /// What it will be here.
    pub(super) roles: OrgRoles,
}

/// A new org, and the offer to its first owner (or operator, of a platform org).
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct FoundedOrg {
    /// The org.
    org: Org,
    /// For whoever will be its head; the code is shown once.
    head: Offered,
}

/// What the org's own people may change.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct OrgChange {
    /// As people call it.
    name: String,
    /// Where its capsules run: hosts of other regions get neither money nor secrets of it, and refuse. It stays while
    /// something is installed in an environment without a region of its own.
    #[schema(value_type = Option<String>)]
    region: Option<RegionId>,
}

/// What operators may change.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct OrgGovernance {
    /// What it is here.
    roles: OrgRoles,
    /// Whether it takes part; closing it revokes every token of it.
    state: OrgState,
}

/// Every org for operators, the own one for all others.
#[utoipa::path(get, path = "/v1/orgs", tag = "orgs", params(Paging),
    responses((status = 200, description = "a page", body = Listed<Org>)), security(("token" = [])))]
pub(super) async fn list(
    State(server): State<Server>,
    principal: Principal,
    Search(paging): Search<Paging>,
) -> Result<Response, Problem> {
    let (after, limit) = (paging.after()?, paging.limit()?);
    let orgs = if principal.may(&Cap::Operate) {
        let mut unit = server.store.survey(principal.operating()?).await?;
        unit.orgs(&after, limit + 1).await?
    } else {
        principal.must(&Cap::OrgRead)?;
        let mut unit = server.store.read(&principal.scope()).await?;
        unit.own_org().await?.into_iter().filter(|org| org.org.as_str() > after.as_str()).collect()
    };
    Ok(Reply::ok(&paging.page(orgs, |org| org.org.to_string())?).into_response())
}

/// Makes an org with its environment `production`. For operators.
#[utoipa::path(post, path = "/v1/orgs", tag = "orgs", request_body = NewOrg,
    params(("Idempotency-Key" = Option<String>, Header, description = "one effect, however often it is sent")),
    responses((status = 201, description = "the org, and the offer to its head", body = FoundedOrg)), security(("token" = [])))]
pub(super) async fn create(
    State(server): State<Server>,
    principal: Principal,
    once: Once,
    Body { value, digest }: Body<NewOrg>,
) -> Result<Response, Problem> {
    let scope = principal.operating()?;
    let name = short_text("name", &value.name)?;
    if value.roles.platform {
        principal.must_be_fresh(&server)?;
    }
    let who = (principal.org.clone(), principal.subject.to_string());
    let mut work = once.platform(&server, who, scope, &digest).await?;
    found_org(&server, &mut work, &value.org, name, value.roles).await?;
    let made = work.org(&value.org).await?.ok_or_else(|| Problem::not_found("org"))?;
    let role = if value.roles.platform { Role::Operator } else { Role::Owner };
    let (invitation, code) = offer(&server, &principal, &value.org, role)?;
    work.found_invitation(&invitation, &code.hash(), server.now()).await?;
    let actor = principal.subject.to_string();
    let detail = json!({ "roles": value.roles });
    work.audit(&server.note(&value.org, &actor, Act::OrgMade, &value.org, &detail)).await?;
    let (location, version) = (format!("/v1/orgs/{}", made.org), made.version);
    let head = Offered { invitation, code: code.expose().to_owned() };
    let founded = FoundedOrg { org: made, head };
    work.done(Reply::created(location, &founded).version(version).secret()).await
}

/// One org.
#[utoipa::path(get, path = "/v1/orgs/{org}", tag = "orgs", params(("org" = String, Path)),
    responses((status = 200, description = "the org", body = Org)), security(("token" = [])))]
pub(super) async fn show(
    State(server): State<Server>,
    principal: Principal,
    At(org): At<OrgId>,
) -> Result<Response, Problem> {
    let found = if principal.may(&Cap::Operate) {
        server.store.survey(principal.operating()?).await?.org(&org).await?
    } else {
        principal.must(&Cap::OrgRead)?;
        server.store.read(&principal.within(&org)?).await?.own_org().await?
    };
    let org = found.ok_or_else(|| Problem::not_found("org"))?;
    Ok(Reply::ok(&org).version(org.version).into_response())
}

/// Changes name and region.
#[utoipa::path(patch, path = "/v1/orgs/{org}", tag = "orgs", request_body = OrgChange,
    params(("org" = String, Path), ("If-Match" = String, Header, description = "the ETag that was read")),
    responses((status = 200, description = "the org", body = Org)), security(("token" = [])))]
pub(super) async fn update(
    State(server): State<Server>,
    principal: Principal,
    At(org): At<OrgId>,
    if_match: IfMatch,
    Body { value, .. }: Body<OrgChange>,
) -> Result<Response, Problem> {
    principal.must(&Cap::OrgWrite)?;
    let name = short_text("name", &value.name)?;
    let mut unit = server.store.tenant(&principal.within(&org)?).await?;
    let found = unit.own_org().await?.ok_or_else(|| Problem::not_found("org"))?;
    let version = if_match.judge(found.version)?;
    if !unit.update_own_org(version, name, value.region.as_ref()).await? {
        return Err(stale());
    }
    // What runs is not moved by a word: hosts elsewhere hold its data and its money.
    if value.region != found.region && unit.placed_by_org().await? > 0 {
        let rule = "it stays while something is installed in an environment without a region of its own: \
                    remove that first, or make an environment in the other region";
        return Err(Problem::field("region", rule));
    }
    let actor = principal.subject.to_string();
    let detail = json!({ "region": value.region });
    unit.audit(&server.note(&org, &actor, Act::OrgChanged, &org, &detail)).await?;
    let changed = unit.own_org().await?.ok_or_else(|| Problem::not_found("org"))?;
    unit.commit().await?;
    server.bell.notify_one();
    Ok(Reply::ok(&changed).version(changed.version).into_response())
}

/// Changes what an org is, or closes it. For operators with two fresh factors.
#[utoipa::path(put, path = "/v1/orgs/{org}/governance", tag = "orgs", request_body = OrgGovernance,
    params(("org" = String, Path), ("If-Match" = String, Header, description = "the ETag that was read")),
    responses((status = 200, description = "the org", body = Org)), security(("token" = [])))]
pub(super) async fn govern(
    State(server): State<Server>,
    principal: Principal,
    At(org): At<OrgId>,
    if_match: IfMatch,
    Body { value, .. }: Body<OrgGovernance>,
) -> Result<Response, Problem> {
    let scope = principal.operating()?;
    principal.must_be_fresh(&server)?;
    let mut unit = server.store.platform(scope).await?;
    let found = unit.org(&org).await?.ok_or_else(|| Problem::not_found("org"))?;
    let version = if_match.judge(found.version)?;
    if org == principal.org && (value.state == OrgState::Closed || !value.roles.platform) {
        return Err(Problem::field("state", "operators cannot close the org that they act for"));
    }
    if !unit.update_org(&org, version, value.roles, value.state).await? {
        return Err(stale());
    }
    // What tokens say was made from what the org was: they end with it.
    let revoked = revocation(&org, RevocationKind::Org, org.as_str(), server.now());
    unit.revoke_anywhere(&revoked).await?;
    tell(&server, &mut unit, &revoked).await?;
    let actor = principal.subject.to_string();
    let detail = json!({ "roles": value.roles, "state": value.state.as_str() });
    unit.audit(&server.note(&org, &actor, Act::OrgChanged, &org, &detail)).await?;
    let changed = unit.org(&org).await?.ok_or_else(|| Problem::not_found("org"))?;
    unit.commit().await?;
    server.bell.notify_one();
    Ok(Reply::ok(&changed).version(changed.version).into_response())
}
