//! Changes of an organisation: members, roles, service accounts, kinds and status.

use std::collections::BTreeSet;

use soma_policy::{Code, ServiceId, Timestamp, UserId};

use super::role::together;
use super::{
    Actor, MEMBERS_MAX, Org, OrgKind, OrgStatus, PARTING, Permission, Role, ServiceAccount,
};
use crate::refusal::Refusal;

/// A change of an organisation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OrgCommand {
    /// Adds a member, or gives a member other roles.
    SetMember {
        /// Who.
        user: UserId,
        /// At least one.
        roles: BTreeSet<Role>,
    },
    /// Removes a member.
    RemoveMember {
        /// Who.
        user: UserId,
    },
    /// Makes a service account, or gives it other roles; the actor answers for it.
    SetService {
        /// Which.
        service: ServiceId,
        /// At least one, never owner.
        roles: BTreeSet<Role>,
    },
    /// Switches a service account off, for good.
    DisableService {
        /// Which.
        service: ServiceId,
    },
    /// Adds a kind.
    AddKind(OrgKind),
    /// Stops the organisation from acting; the platform does that.
    Suspend,
    /// Ends a suspension; the platform does that.
    Reinstate,
    /// Closes it for good.
    Close,
}

impl OrgCommand {
    const fn name(&self) -> &'static str {
        match self {
            Self::SetMember { .. } => "set_member",
            Self::RemoveMember { .. } => "remove_member",
            Self::SetService { .. } => "set_service",
            Self::DisableService { .. } => "disable_service",
            Self::AddKind(_) => "add_kind",
            Self::Suspend => "suspend",
            Self::Reinstate => "reinstate",
            Self::Close => "close",
        }
    }
}

impl Org {
    /// The organisation after a change.
    ///
    /// # Errors
    /// When the actor may not, or the organisation would be left without an owner or break a bound.
    pub fn apply(
        &self,
        actor: &Actor,
        command: OrgCommand,
        now: Timestamp,
    ) -> Result<Self, Refusal> {
        let mut next = self.clone();
        let name = command.name();
        match command {
            OrgCommand::SetMember { user, roles } => next.set_member(actor, user, roles)?,
            OrgCommand::RemoveMember { user } => next.remove_member(actor, user, now)?,
            OrgCommand::SetService { service, roles } => next.set_service(actor, service, roles)?,
            OrgCommand::DisableService { service } => next.disable_service(actor, service)?,
            OrgCommand::AddKind(kind) => next.add_kind(actor, kind)?,
            OrgCommand::Suspend => {
                next.rule(actor, name, OrgStatus::Active, OrgStatus::Suspended)?
            }
            OrgCommand::Reinstate => {
                next.rule(actor, name, OrgStatus::Suspended, OrgStatus::Active)?;
            }
            OrgCommand::Close => {
                actor.may_in(Permission::OrgManage, &self.head.id)?;
                next.head.status = OrgStatus::Closed;
            }
        }
        if next.owners() == 0 {
            let reason = format!("`{}` would have no owner", self.head.id);
            return Err(Refusal::new(Code::LastOwner, name, reason));
        }
        next.former.retain(|_, left| now.since(*left).0 < PARTING.0);
        next.sequence = self.sequence.saturating_add(1);
        Ok(next)
    }

    fn set_member(
        &mut self,
        actor: &Actor,
        user: UserId,
        roles: BTreeSet<Role>,
    ) -> Result<(), Refusal> {
        actor.may_in(Permission::MemberManage, &self.head.id)?;
        let before = self.members.get(&user);
        let owner =
            roles.contains(&Role::Owner) || before.is_some_and(|r| r.contains(&Role::Owner));
        only_owners_touch_owners(actor, owner, "set_member")?;
        some_role(&roles, "set_member")?;
        if before.is_none() {
            self.room("set_member")?;
        }
        self.former.remove(&user);
        self.members.insert(user, roles);
        Ok(())
    }

    fn remove_member(
        &mut self,
        actor: &Actor,
        user: UserId,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        let leaving =
            actor.principal() == super::Principal::User(user) && *actor.org() == self.head.id;
        if !leaving {
            actor.may_in(Permission::MemberManage, &self.head.id)?;
        }
        let roles = self.members.get(&user).ok_or_else(|| unknown("remove_member"))?;
        if !leaving {
            only_owners_touch_owners(actor, roles.contains(&Role::Owner), "remove_member")?;
        }
        self.members.remove(&user);
        self.former.insert(user, now);
        // Nobody is left to answer for these.
        for account in self.services.values_mut().filter(|account| account.responsible == user) {
            account.enabled = false;
        }
        Ok(())
    }

    fn set_service(
        &mut self,
        actor: &Actor,
        service: ServiceId,
        roles: BTreeSet<Role>,
    ) -> Result<(), Refusal> {
        actor.may_in(Permission::ServiceManage, &self.head.id)?;
        some_role(&roles, "set_service")?;
        // An account can do no more than the person who answers for it.
        if let Some(beyond) =
            roles.iter().find(|role| **role == Role::Owner || !gives(actor, **role))
        {
            let reason = format!("a service account made by you cannot be `{beyond}`");
            return Err(Refusal::new(Code::RoleLacks, "set_service", reason));
        }
        if !self.services.contains_key(&service) {
            self.room("set_service")?;
        }
        let account = ServiceAccount { enabled: true, responsible: actor.person(), roles };
        self.services.insert(service, account);
        Ok(())
    }

    fn disable_service(&mut self, actor: &Actor, service: ServiceId) -> Result<(), Refusal> {
        actor.may_in(Permission::ServiceManage, &self.head.id)?;
        let account = self.services.get_mut(&service).ok_or_else(|| unknown("disable_service"))?;
        account.enabled = false;
        Ok(())
    }

    fn add_kind(&mut self, actor: &Actor, kind: OrgKind) -> Result<(), Refusal> {
        actor.may_in(Permission::OrgManage, &self.head.id)?;
        let mut kinds = self.head.kinds.clone();
        kinds.insert(kind);
        self.head.kinds = together(kinds)?;
        Ok(())
    }

    fn rule(
        &mut self,
        actor: &Actor,
        attempted: &'static str,
        from: OrgStatus,
        to: OrgStatus,
    ) -> Result<(), Refusal> {
        actor.may(Permission::OrgRule)?;
        let platform = self.head.kinds.contains(&OrgKind::Platform);
        if self.head.status != from || platform {
            let legal: &[&'static str] = match self.head.status {
                OrgStatus::Active if !platform => &["suspend", "close"],
                OrgStatus::Active => &["close"],
                OrgStatus::Suspended => &["reinstate"],
                OrgStatus::Closed => &[],
            };
            let state = self.head.status.as_str();
            return Err(Refusal::illegal("an organisation", attempted, state, legal));
        }
        self.head.status = to;
        Ok(())
    }

    fn room(&self, attempted: &'static str) -> Result<(), Refusal> {
        if self.members.len() + self.services.len() < MEMBERS_MAX {
            return Ok(());
        }
        let reason = format!("an organisation has at most {MEMBERS_MAX} members and accounts");
        Err(Refusal::new(Code::TooMany, attempted, reason))
    }
}

/// Whether an actor may hand a role to an account of theirs.
fn gives(actor: &Actor, role: Role) -> bool {
    actor.has(Role::Owner) || actor.has(Role::Admin) || actor.has(role)
}

fn only_owners_touch_owners(
    actor: &Actor,
    owner: bool,
    attempted: &'static str,
) -> Result<(), Refusal> {
    if !owner || actor.has(Role::Owner) {
        return Ok(());
    }
    let reason = "only an owner makes, changes or removes owners";
    Err(Refusal::new(Code::RoleLacks, attempted, reason))
}

fn some_role(roles: &BTreeSet<Role>, attempted: &'static str) -> Result<(), Refusal> {
    if roles.is_empty() {
        let reason = "at least one role is needed; to take all, remove the member";
        return Err(Refusal::new(Code::RoleLacks, attempted, reason));
    }
    Ok(())
}

fn unknown(attempted: &'static str) -> Refusal {
    Refusal::new(Code::MemberUnknown, attempted, "there is no such member or account")
}
