//! The first operator: made once, with the code that the server showed at its first start.

use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use serde_json::json;
use soma_policy::{Code, OrgId, UserId};
use utoipa::ToSchema;

use super::body::Body;
use super::once::Once;
use super::orgs::NewOrg;
use super::problem::Problem;
use super::reply::Reply;
use super::users::{NewPerson, person, short_text};
use crate::audit::Act;
use crate::identity::{Assurance, Role, secret_hash};
use crate::login::Entered;
use crate::server::{PLATFORM, Server};
use crate::store::{
    Environment, EnvironmentKind, Membership, Org, OrgRoles, OrgState, PlatformScope, PlatformUnit,
};

/// The first operator.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Bootstrap {
    /// The code that the server showed at its start.
    code: String,
    /// Who it will be.
    person: NewPerson,
    /// An org to make along, owned by the same person: what one machine for one person needs.
    org: Option<NewOrg>,
}

/// Makes the org `platform` with its first operator, once.
#[utoipa::path(post, path = "/v1/bootstrap", tag = "identity", request_body = Bootstrap,
    responses((status = 201, description = "the operator's first token", body = Entered)))]
pub(super) async fn bootstrap(
    State(server): State<Server>,
    once: Once,
    Body { value, digest }: Body<Bootstrap>,
) -> Result<Response, Problem> {
    let hash = secret_hash(value.code.trim());
    let person = person(&server, value.person).await?;
    let scope = PlatformScope::of("bootstrap");
    let who = (server.platform.clone(), "anonymous".to_owned());
    let mut work = once.platform(&server, who, scope, &digest).await?;
    let now = server.now();
    if !work.bootstrap(&hash, now).await? {
        return Err(Problem::new(Code::BootstrapBad, "the code is wrong, or was used"));
    }
    let user = UserId::from_u128(server.clock.fresh_id());
    let org: OrgId = PLATFORM.parse().map_err(|_| Problem::not_found("org"))?;
    let roles = OrgRoles { platform: true, ..OrgRoles::default() };
    let environment = found_org(&server, &mut work, &org, "Platform", roles).await?;
    work.insert_user(user, person.fields(), now).await?;
    work.set_password(user, &person.password, now).await?;
    let membership =
        Membership { org: org.clone(), user, role: Role::Operator, version: 1, created: now };
    work.insert_membership(&membership).await?;
    let place = (org.clone(), environment.environment);
    let entered = server.begin_session(&mut work, user, place, Assurance::Aal1).await?;
    let actor = format!("user:{user}");
    work.audit(&server.note(&org, &actor, Act::Bootstrapped, user, &json!({}))).await?;
    if let Some(own) = value.org {
        found_own(&server, &mut work, own, user).await?;
    }
    work.done(Reply::created(format!("/v1/users/{user}"), &entered).secret()).await
}

/// The first operator's own org.
async fn found_own(
    server: &Server,
    unit: &mut PlatformUnit,
    own: NewOrg,
    user: UserId,
) -> Result<(), Problem> {
    if own.roles.platform {
        return Err(Problem::field("org.roles", "the platform is an org of its own"));
    }
    let (org, roles) = (own.org, own.roles);
    found_org(server, unit, &org, short_text("org.name", &own.name)?, roles).await?;
    let (role, created) = (Role::Owner, server.now());
    let membership = Membership { org: org.clone(), user, role, version: 1, created };
    unit.insert_membership(&membership).await?;
    let detail = json!({ "roles": roles });
    unit.audit(&server.note(&org, &format!("user:{user}"), Act::OrgMade, &org, &detail)).await?;
    Ok(())
}

/// A new org with its environment `production`.
pub(super) async fn found_org(
    server: &Server,
    unit: &mut PlatformUnit,
    org: &OrgId,
    name: &str,
    roles: OrgRoles,
) -> Result<Environment, Problem> {
    let created = server.now();
    unit.insert_org(&Org {
        org: org.clone(),
        name: name.to_owned(),
        roles,
        region: None,
        state: OrgState::Active,
        version: 1,
        created,
    })
    .await?;
    let production = "production".parse().map_err(|_| Problem::not_found("environment"))?;
    let environment = Environment {
        environment: production,
        kind: EnvironmentKind::Production,
        region: None,
        version: 1,
        created,
    };
    unit.found_environment(org, &environment).await?;
    Ok(environment)
}
