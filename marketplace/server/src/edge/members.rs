//! Members of an org. Nobody gives a role that is more than their own, and an org keeps a head.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::json;
use soma_policy::{Code, OrgId, UserId};
use utoipa::ToSchema;

use super::body::{At, Body, Search};
use super::etag::{IfMatch, stale};
use super::page::{Listed, Paging};
use super::problem::Problem;
use super::reply::Reply;
use crate::audit::Act;
use crate::identity::{Cap, Principal, Role};
use crate::login::{revocation, tell};
use crate::server::Server;
use crate::store::{Member, Org, RevocationKind, TenantUnit};

/// Another role.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct MemberChange {
    /// The role from now on.
    role: Role,
}

/// The org's members.
#[utoipa::path(get, path = "/v1/orgs/{org}/members", tag = "members", params(("org" = String, Path), Paging),
    responses((status = 200, description = "a page", body = Listed<Member>)), security(("token" = [])))]
pub(super) async fn list(
    State(server): State<Server>,
    principal: Principal,
    At(org): At<OrgId>,
    Search(paging): Search<Paging>,
) -> Result<Response, Problem> {
    principal.must(&Cap::OrgRead)?;
    let mut unit = server.store.read(&principal.within(&org)?).await?;
    let rows = unit.members(&paging.after()?, paging.limit()? + 1).await?;
    Ok(Reply::ok(&paging.page(rows, |it| it.user.to_string())?).into_response())
}

/// One member.
#[utoipa::path(get, path = "/v1/orgs/{org}/members/{user}", tag = "members", params(("org" = String, Path), ("user" = String, Path)),
    responses((status = 200, description = "the member", body = Member)), security(("token" = [])))]
pub(super) async fn show(
    State(server): State<Server>,
    principal: Principal,
    At((org, user)): At<(OrgId, UserId)>,
) -> Result<Response, Problem> {
    principal.must(&Cap::OrgRead)?;
    let mut unit = server.store.read(&principal.within(&org)?).await?;
    let member = unit.member(user).await?.ok_or_else(|| Problem::not_found("member"))?;
    Ok(Reply::ok(&member).version(member.version).into_response())
}

/// Gives a member another role. The member's tokens end.
#[utoipa::path(patch, path = "/v1/orgs/{org}/members/{user}", tag = "members", request_body = MemberChange,
    params(("org" = String, Path), ("user" = String, Path), ("If-Match" = String, Header, description = "the ETag that was read")),
    responses((status = 200, description = "the member", body = Member)), security(("token" = [])))]
pub(super) async fn update(
    State(server): State<Server>,
    principal: Principal,
    At((org, user)): At<(OrgId, UserId)>,
    if_match: IfMatch,
    Body { value, .. }: Body<MemberChange>,
) -> Result<Response, Problem> {
    principal.must(&Cap::MembersWrite)?;
    let mut unit = server.store.tenant(&principal.within(&org)?).await?;
    let own = lock(&mut unit).await?;
    let member = unit.member(user).await?.ok_or_else(|| Problem::not_found("member"))?;
    let version = if_match.judge(member.version)?;
    may_give(&server, &principal, &own, value.role)?;
    may_take(&mut unit, &principal, &own, &member, Some(value.role)).await?;
    if !unit.set_member_role(user, version, value.role).await? {
        return Err(stale());
    }
    cut(&server, &mut unit, &own, user).await?;
    let actor = principal.subject.to_string();
    let detail = json!({ "from": member.role.as_str(), "to": value.role.as_str() });
    unit.audit(&server.note(&org, &actor, Act::MemberChanged, user, &detail)).await?;
    let changed = unit.member(user).await?.ok_or_else(|| Problem::not_found("member"))?;
    unit.commit().await?;
    server.bell.notify_one();
    Ok(Reply::ok(&changed).version(changed.version).into_response())
}

/// Removes a member, or leaves. The member's tokens end.
#[utoipa::path(delete, path = "/v1/orgs/{org}/members/{user}", tag = "members", params(("org" = String, Path), ("user" = String, Path)),
    responses((status = 204, description = "done")), security(("token" = [])))]
pub(super) async fn remove(
    State(server): State<Server>,
    principal: Principal,
    At((org, user)): At<(OrgId, UserId)>,
) -> Result<Response, Problem> {
    match principal.user() == Some(user) {
        true => principal.must_be_whole()?,
        false => principal.must(&Cap::MembersWrite)?,
    }
    let mut unit = server.store.tenant(&principal.within(&org)?).await?;
    let own = lock(&mut unit).await?;
    let member = unit.member(user).await?.ok_or_else(|| Problem::not_found("member"))?;
    may_take(&mut unit, &principal, &own, &member, None).await?;
    unit.remove_member(user).await?;
    unit.note_parting(user, server.now()).await?;
    cut(&server, &mut unit, &own, user).await?;
    let actor = principal.subject.to_string();
    let detail = json!({ "role": member.role.as_str() });
    unit.audit(&server.note(&org, &actor, Act::MemberRemoved, user, &detail)).await?;
    unit.commit().await?;
    server.bell.notify_one();
    Ok(Reply::nothing().into_response())
}

/// The unit's org, held so that changes of its members happen one after the other.
pub(super) async fn lock(unit: &mut TenantUnit) -> Result<Org, Problem> {
    unit.lock_own_org().await?;
    unit.own_org().await?.ok_or_else(|| Problem::not_found("org"))
}

/// Nobody gives more than they have; what runs the marketplace is given with two fresh factors.
pub(super) fn may_give(
    server: &Server,
    principal: &Principal,
    org: &Org,
    role: Role,
) -> Result<(), Problem> {
    if !principal.caps.covers(&role.caps(org.roles)) {
        let what = format!("the role `{role}` is more than the token holds");
        return Err(Problem::new(Code::TokenRight, what));
    }
    if role.caps(org.roles).allows(&Cap::Operate) {
        principal.must_be_fresh(server)?;
    }
    Ok(())
}

/// Nobody takes from who has more; the last head stays.
async fn may_take(
    unit: &mut TenantUnit,
    principal: &Principal,
    org: &Org,
    member: &Member,
    then: Option<Role>,
) -> Result<(), Problem> {
    let own = principal.user() == Some(member.user);
    if !own && !principal.caps.covers(&member.role.caps(org.roles)) {
        return Err(Problem::new(
            Code::TokenRight,
            "the member's role is more than the token holds",
        ));
    }
    if member.role.is_head() && !then.is_some_and(Role::is_head) {
        let heads =
            unit.members_with(Role::Owner).await? + unit.members_with(Role::Operator).await?;
        if heads <= 1 {
            return Err(Problem::new(Code::LastHead, "it is the org's last owner or operator"));
        }
    }
    Ok(())
}

/// What the member's tokens say is no longer so.
async fn cut(
    server: &Server,
    unit: &mut TenantUnit,
    org: &Org,
    user: UserId,
) -> Result<(), Problem> {
    let subject = format!("user:{user}");
    let revoked = revocation(&org.org, RevocationKind::Subject, &subject, server.now());
    unit.revoke(&revoked).await?;
    Ok(tell(server, unit, &revoked).await?)
}
