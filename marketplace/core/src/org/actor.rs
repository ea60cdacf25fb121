//! Who acts, in whose name, with which roles. Made from an organisation's members only.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use soma_policy::{Code, OrgId, ServiceId, UserId};

use super::{Org, OrgHead, OrgKind, OrgStatus, Permission, Role};
use crate::refusal::Refusal;

/// A user or a service account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Principal {
    /// A natural person.
    User(UserId),
    /// A service account.
    Service(ServiceId),
}

/// A principal in the name of one organisation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    head: OrgHead,
    person: UserId,
    principal: Principal,
    roles: BTreeSet<Role>,
}

impl Actor {
    /// From one membership, for callers that do not hold the whole organisation. `person` is the user, or who is
    /// responsible for the service account.
    #[must_use]
    pub const fn of_member(
        head: OrgHead,
        principal: Principal,
        person: UserId,
        roles: BTreeSet<Role>,
    ) -> Self {
        Self { head, person, principal, roles }
    }

    /// In whose name.
    #[must_use]
    pub const fn org(&self) -> &OrgId {
        &self.head.id
    }

    /// The natural person who acts, or who answers for the service account.
    #[must_use]
    pub const fn person(&self) -> UserId {
        self.person
    }

    /// Who acts.
    #[must_use]
    pub const fn principal(&self) -> Principal {
        self.principal
    }

    /// Whether the organisation keeps the marketplace.
    #[must_use]
    pub fn is_platform(&self) -> bool {
        self.head.kinds.contains(&OrgKind::Platform)
    }

    pub(super) fn has(&self, role: Role) -> bool {
        self.roles.contains(&role)
    }

    /// Whether the roles allow it.
    ///
    /// # Errors
    /// When they do not; the refusal names the roles that would.
    pub fn may(&self, permission: Permission) -> Result<(), Refusal> {
        let line = permission.line();
        let refuse = |code, reason: String| Err(Refusal::new(code, permission.as_str(), reason));
        let status = self.head.status;
        let awake = status == OrgStatus::Active
            || (status == OrgStatus::Suspended && line.suspended)
            || (status == OrgStatus::Closed && permission.as_str().ends_with(":read"));
        if !awake {
            let reason = format!("organisation `{}` is {status}", self.head.id);
            return refuse(Code::OrgInactive, reason);
        }
        let kind = line.kinds.iter().any(|kind| self.head.kinds.contains(kind));
        if !kind || !line.roles.iter().any(|role| self.roles.contains(role)) {
            let roles: Vec<&str> = line.roles.iter().map(|role| role.as_str()).collect();
            let kinds: Vec<&str> = line.kinds.iter().map(|kind| kind.as_str()).collect();
            let (roles, kinds) = (roles.join(", "), kinds.join(" or "));
            let reason = format!("`{permission}` takes one of {roles} in a {kinds} organisation");
            return refuse(Code::RoleLacks, reason);
        }
        if line.person && matches!(self.principal, Principal::Service(_)) {
            let reason = format!("`{permission}` is not for service accounts");
            return refuse(Code::PersonNeeded, reason);
        }
        Ok(())
    }

    /// Whether the roles allow it and `owner` is the actor's organisation.
    ///
    /// # Errors
    /// As [`Self::may`], and when it belongs to another organisation.
    pub fn may_in(&self, permission: Permission, owner: &OrgId) -> Result<(), Refusal> {
        if *owner != self.head.id {
            let reason = format!("it belongs to `{owner}`, not to `{}`", self.head.id);
            return Err(Refusal::new(Code::NamespaceForeign, permission.as_str(), reason));
        }
        self.may(permission)
    }
}

pub(super) fn of(org: &Org, principal: Principal) -> Result<Actor, Refusal> {
    let unknown = || {
        let reason = format!("organisation `{}` has no such member or account", org.head.id);
        Refusal::new(Code::MemberUnknown, "act", reason)
    };
    let (person, roles) = match principal {
        Principal::User(user) => (user, org.members.get(&user).ok_or_else(unknown)?.clone()),
        Principal::Service(service) => {
            let account =
                org.services.get(&service).filter(|account| account.enabled).ok_or_else(unknown)?;
            let person = org.members.get(&account.responsible).ok_or_else(unknown)?;
            (account.responsible, lent(person, &account.roles))
        }
    };
    Ok(Actor::of_member(org.head.clone(), principal, person, roles))
}

/// What is left of an account's roles when the person who answers for it has lost some.
fn lent(person: &BTreeSet<Role>, account: &BTreeSet<Role>) -> BTreeSet<Role> {
    if person.contains(&Role::Owner) || person.contains(&Role::Admin) {
        return account.clone();
    }
    account.intersection(person).copied().collect()
}
