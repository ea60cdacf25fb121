//! Who acts, as the rules of the marketplace see it: a membership or a service account becomes an `Actor`.
//!
//! What a member is here and what a token holds must both allow it: the token's rights are checked at the edge,
//! the role's here. The head of a platform org, its operator, acts as its owner; a developer of a tenant also
//! keeps its installations, as the right `install` says.

use std::collections::BTreeSet;

use soma_market::Refusal;
use soma_market::org::{
    Actor, Org, OrgHead, OrgKind, OrgStatus, Principal as Acting, Role as MarketRole,
    ServiceAccount,
};
use soma_policy::{AccountId, Code, Digest, OrgId, ServiceId, Timestamp};

use super::MarketError;
use crate::identity::{Cap, CapSet, Principal, Role, Subject};
use crate::store::{OrgRoles, OrgState, PlatformUnit, Standing, Unit};

/// The holder of a token, in the name of its org.
pub(crate) async fn actor(unit: &mut Unit, principal: &Principal) -> Result<Actor, MarketError> {
    actor_of(unit, &principal.org, &principal.subject).await
}

/// Somebody in the name of an org, as they stand there now.
pub(crate) async fn actor_of(
    unit: &mut Unit,
    org: &OrgId,
    subject: &Subject,
) -> Result<Actor, MarketError> {
    let unknown = || {
        let reason = format!("organisation `{org}` has no such member or account");
        Refusal::new(Code::MemberUnknown, "act", reason)
    };
    let standing = unit.standing(org, subject).await?.ok_or_else(unknown)?;
    let head = head(org, &standing);
    let (who, roles) = match (subject, &standing.account) {
        (Subject::User(user), _) => (Acting::User(*user), of_role(standing.role, standing.roles)),
        (Subject::Account(account), caps) => {
            let who = Acting::Service(service(org, account));
            (who, lent(&standing, caps.as_ref()))
        }
    };
    Ok(Actor::of_member(head, who, standing.person, roles))
}

/// An org with its natural persons, for reviews and ratings.
pub(crate) async fn org_of(
    unit: &mut PlatformUnit,
    org: &OrgId,
    now: Timestamp,
) -> Result<Org, MarketError> {
    let unknown = || MarketError::unknown(Code::NotFound, "there is no such org");
    let found = unit.org(org).await?.ok_or_else(unknown)?;
    let persons = unit.persons(org, now).await?;
    let keeper = |(account, responsible)| {
        let kept = ServiceAccount { enabled: true, responsible, roles: BTreeSet::new() };
        (service(org, &account), kept)
    };
    Ok(Org {
        former: persons.former,
        head: OrgHead { id: org.clone(), kinds: kinds(found.roles), status: status(found.state) },
        members: persons.members.into_iter().map(|user| (user, BTreeSet::new())).collect(),
        sequence: found.version,
        services: persons.keepers.into_iter().map(keeper).collect(),
    })
}

fn head(org: &OrgId, standing: &Standing) -> OrgHead {
    let (kinds, status) = (kinds(standing.roles), status(standing.state));
    OrgHead { id: org.clone(), kinds, status }
}

fn kinds(roles: OrgRoles) -> BTreeSet<OrgKind> {
    let all = [
        (roles.tenant, OrgKind::Tenant),
        (roles.publisher, OrgKind::Publisher),
        (roles.platform, OrgKind::Platform),
    ];
    all.into_iter().filter(|(is, _)| *is).map(|(_, kind)| kind).collect()
}

const fn status(state: OrgState) -> OrgStatus {
    match state {
        OrgState::Active => OrgStatus::Active,
        OrgState::Closed => OrgStatus::Closed,
    }
}

/// What a member's role is under the rules.
fn of_role(role: Role, org: OrgRoles) -> BTreeSet<MarketRole> {
    use MarketRole::{Admin, Auditor, Billing, Developer, Operator, Owner, Reviewer};
    let roles: &[MarketRole] = match role {
        Role::Owner => &[Owner],
        Role::Admin => &[Admin],
        Role::Developer => &[Developer, Operator],
        Role::Viewer => &[],
        Role::Auditor => &[Auditor],
        Role::Billing => &[Billing],
        Role::Reviewer => &[Reviewer],
        Role::Operator if org.platform => &[Owner, Operator],
        Role::Operator => &[],
    };
    roles.iter().copied().collect()
}

/// What a service account may do: what it holds, and no more than who answers for it.
fn lent(standing: &Standing, caps: Option<&CapSet>) -> BTreeSet<MarketRole> {
    let holds = |cap: Cap| caps.is_some_and(|caps| caps.allows(&cap));
    let all = [
        (Cap::Publish, MarketRole::Developer),
        (Cap::Install, MarketRole::Operator),
        (Cap::AuditRead, MarketRole::Auditor),
        (Cap::BillingRead, MarketRole::Billing),
    ];
    let own = all.into_iter().filter(|(cap, _)| holds(cap.clone())).map(|(_, role)| role);
    let person = of_role(standing.role, standing.roles);
    let heads = person.contains(&MarketRole::Owner) || person.contains(&MarketRole::Admin);
    own.filter(|role| heads || person.contains(role)).collect()
}

/// The id of a service account under the rules: made from its name, which is unique in its org.
fn service(org: &OrgId, account: &AccountId) -> ServiceId {
    let digest = Digest::of(format!("{org}/{account}").as_bytes()).to_string();
    let hex = digest.trim_start_matches("sha256:").get(..32).unwrap_or_default();
    ServiceId::from_u128(u128::from_str_radix(hex, 16).unwrap_or_default())
}
