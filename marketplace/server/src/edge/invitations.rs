//! Invitations: how persons come to an org. An org offers, the person takes; nobody makes an account
//! whose password somebody else knows.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::json;
use soma_policy::{InvitationId, Millis, OrgId, UserId};
use utoipa::ToSchema;

use super::body::{At, Body, Search};
use super::limits::room;
use super::members::{lock, may_give};
use super::once::Once;
use super::page::{Listed, Paging};
use super::problem::Problem;
use super::reply::Reply;
use super::users::{NewPerson, person};
use crate::audit::Act;
use crate::identity::{Assurance, Cap, Principal, Role, SecretText, secret_hash};
use crate::login::Entered;
use crate::server::Server;
use crate::store::{Invitation, Limit, Membership, PlatformScope, PlatformUnit};

/// How long an offer stands.
const STANDS: Millis = Millis(7 * 24 * 3_600_000);
const SCOPE: PlatformScope = PlatformScope::of("invitations");

/// A new offer.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewInvitation {
    /// As what.
    role: Role,
}

/// An offer with its code.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Offered {
    /// The offer.
    pub(super) invitation: Invitation,
    /// For the person who is invited; shown once.
    pub(super) code: String,
}

/// An offer that is taken by somebody new.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Accept {
    /// The code of the offer.
    code: String,
    /// Who it is.
    person: NewPerson,
}

/// An offer that is taken by somebody who has an account.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Join {
    /// The code of the offer.
    code: String,
}

/// The org's offers.
#[utoipa::path(get, path = "/v1/orgs/{org}/invitations", tag = "members", params(("org" = String, Path), Paging),
    responses((status = 200, description = "a page", body = Listed<Invitation>)), security(("token" = [])))]
pub(super) async fn list(
    State(server): State<Server>,
    principal: Principal,
    At(org): At<OrgId>,
    Search(paging): Search<Paging>,
) -> Result<Response, Problem> {
    principal.must(&Cap::MembersWrite)?;
    let mut unit = server.store.read(&principal.within(&org)?).await?;
    let rows = unit.invitations(&paging.after()?, paging.limit()? + 1).await?;
    Ok(Reply::ok(&paging.page(rows, |it| it.invitation.to_string())?).into_response())
}

/// Offers a membership. The code is shown once.
#[utoipa::path(post, path = "/v1/orgs/{org}/invitations", tag = "members", request_body = NewInvitation,
    params(("org" = String, Path), ("Idempotency-Key" = Option<String>, Header, description = "one effect, however often it is sent")),
    responses((status = 201, description = "the offer", body = Offered)), security(("token" = [])))]
pub(super) async fn create(
    State(server): State<Server>,
    principal: Principal,
    At(org): At<OrgId>,
    once: Once,
    Body { value, digest }: Body<NewInvitation>,
) -> Result<Response, Problem> {
    principal.must(&Cap::MembersWrite)?;
    let scope = principal.within(&org)?;
    let mut work = once.tenant(&server, &principal, &scope, &digest).await?;
    let own = lock(&mut work).await?;
    may_give(&server, &principal, &own, value.role)?;
    room(&mut work, &org, Limit::Invitations).await?;
    let (invitation, code) = offer(&server, &principal, &org, value.role)?;
    work.insert_invitation(&invitation, &code.hash(), server.now()).await?;
    let (actor, subject) = (principal.subject.to_string(), invitation.invitation);
    let detail = json!({ "role": value.role.as_str() });
    work.audit(&server.note(&org, &actor, Act::MemberInvited, subject, &detail)).await?;
    let location = format!("/v1/orgs/{org}/invitations/{subject}");
    let offered = Offered { invitation, code: code.expose().to_owned() };
    work.done(Reply::created(location, &offered).secret()).await
}

/// An offer and the code that takes it.
pub(super) fn offer(
    server: &Server,
    principal: &Principal,
    org: &OrgId,
    role: Role,
) -> Result<(Invitation, SecretText), Problem> {
    let code = SecretText::draw().ok_or(crate::login::LoginError::Failed)?;
    let invitation = Invitation {
        invitation: InvitationId::from_u128(server.clock.fresh_id()),
        org: org.clone(),
        role,
        invited_by: principal.subject.to_string(),
        expires: server.now().plus(STANDS),
        used: None,
    };
    Ok((invitation, code))
}

/// Takes an offer back, unless it was taken.
#[utoipa::path(delete, path = "/v1/orgs/{org}/invitations/{invitation}", tag = "members",
    params(("org" = String, Path), ("invitation" = String, Path)),
    responses((status = 204, description = "done")), security(("token" = [])))]
pub(super) async fn withdraw(
    State(server): State<Server>,
    principal: Principal,
    At((org, invitation)): At<(OrgId, InvitationId)>,
) -> Result<Response, Problem> {
    principal.must(&Cap::MembersWrite)?;
    let mut unit = server.store.tenant(&principal.within(&org)?).await?;
    if !unit.remove_invitation(invitation).await? {
        return Err(Problem::not_found("open invitation"));
    }
    let actor = principal.subject.to_string();
    let entry = server.note(&org, &actor, Act::InvitationWithdrawn, invitation, &json!({}));
    unit.audit(&entry).await?;
    unit.commit().await?;
    server.bell.notify_one();
    Ok(Reply::nothing().into_response())
}

/// Takes an offer as somebody new: makes the account, the membership and a first token.
#[utoipa::path(post, path = "/v1/invitations/accept", tag = "members", request_body = Accept,
    responses((status = 201, description = "a token", body = Entered)))]
pub(super) async fn accept(
    State(server): State<Server>,
    once: Once,
    Body { value, digest }: Body<Accept>,
) -> Result<Response, Problem> {
    let hash = secret_hash(value.code.trim());
    let person = person(&server, value.person).await?;
    // The key belongs to whoever holds the code: nobody else can ask for its answer.
    let who = (server.platform.clone(), format!("invited:{hash}"));
    let mut work = once.platform(&server, who, SCOPE, &digest).await?;
    let user = UserId::from_u128(server.clock.fresh_id());
    let now = server.now();
    let taken = take(&server, &mut work, &hash).await?;
    work.insert_user(user, person.fields(), now).await?;
    work.set_password(user, &person.password, now).await?;
    join_org(&server, &mut work, &taken, user).await?;
    let production = "production".parse().map_err(|_| Problem::not_found("environment"))?;
    let place = (taken.org, production);
    let entered = server.begin_session(&mut work, user, place, Assurance::Aal1).await?;
    work.done(Reply::created(format!("/v1/users/{user}"), &entered).secret()).await
}

/// Takes an offer as the person whose token it is. The new org is named by the next login.
#[utoipa::path(post, path = "/v1/invitations/join", tag = "members", request_body = Join,
    responses((status = 200, description = "the membership", body = Membership)), security(("token" = [])))]
pub(super) async fn join(
    State(server): State<Server>,
    principal: Principal,
    once: Once,
    Body { value, digest }: Body<Join>,
) -> Result<Response, Problem> {
    let user =
        principal.user().ok_or_else(|| Problem::field("code", "only persons join an org"))?;
    principal.must_be_whole()?;
    let who = (principal.org.clone(), principal.subject.to_string());
    let mut work = once.platform(&server, who, SCOPE, &digest).await?;
    let taken = take(&server, &mut work, &secret_hash(value.code.trim())).await?;
    let membership = join_org(&server, &mut work, &taken, user).await?;
    work.done(Reply::ok(&membership)).await
}

async fn take(server: &Server, unit: &mut PlatformUnit, hash: &str) -> Result<Invitation, Problem> {
    let taken = unit.take_invitation(hash, server.now()).await?;
    taken.ok_or_else(|| Problem::not_found("open invitation"))
}

async fn join_org(
    server: &Server,
    unit: &mut PlatformUnit,
    taken: &Invitation,
    user: UserId,
) -> Result<Membership, Problem> {
    let (org, role, created) = (taken.org.clone(), taken.role, server.now());
    let membership = Membership { org, user, role, version: 1, created };
    unit.insert_membership(&membership).await?;
    let actor = format!("user:{user}");
    let detail = json!({ "invitation": taken.invitation.to_string(), "role": role.as_str() });
    let entry = server.note(&membership.org, &actor, Act::MemberJoined, user, &detail);
    unit.audit(&entry).await?;
    Ok(membership)
}
