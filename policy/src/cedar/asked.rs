//! Which host calls a bundle has to be asked about.
//!
//! An action is free of questions only if that is provable from the policies' scopes: some permit applies to
//! it whatever principal, resource and context are, and no forbid applies to it at all. Everything else is
//! asked, so a mistake here can cost time but never allows what a policy would refuse.

use cedar_policy::{
    ActionConstraint, Effect, EntityTypeName, EntityUid, Policy, PrincipalConstraint,
    ResourceConstraint,
};

use crate::request::HostAction;

/// The group that holds every host action.
const GROUP: &str = "host.call";

/// A set of host actions.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked(u16);

impl Asked {
    pub(super) const fn has(self, action: HostAction) -> bool {
        self.0 & (1 << action as u16) != 0
    }

    /// The actions that these policies have to be asked about.
    pub(super) fn by(policies: &[Policy]) -> Self {
        let bits = HostAction::ALL
            .into_iter()
            .filter(|action| !is_settled(policies, *action))
            .fold(0, |bits, action| bits | 1 << action as u16);
        Self(bits)
    }
}

fn is_settled(policies: &[Policy], action: HostAction) -> bool {
    let about: Vec<&Policy> =
        policies.iter().filter(|policy| concerns(policy, action.as_str())).collect();
    let forbidden =
        about.iter().any(|policy| policy.effect() == Effect::Forbid && may_concern_hosts(policy));
    !forbidden
        && about.iter().any(|policy| policy.effect() == Effect::Permit && is_unconditional(policy))
}

/// Whether the policy's action scope includes the action of this id.
pub(super) fn concerns(policy: &Policy, action: &str) -> bool {
    let is = |uid: &EntityUid| {
        let id = uid.id().unescaped();
        id == action || id == GROUP && action != "call"
    };
    match policy.action_constraint() {
        ActionConstraint::Any => true,
        ActionConstraint::Eq(uid) => uid.id().unescaped() == action,
        ActionConstraint::In(uids) => uids.iter().any(is),
    }
}

fn is_type(name: &EntityTypeName, expected: &str) -> bool {
    name.to_string() == expected
}

/// Whether a forbid can apply to an installation: one about callers alone cannot.
fn may_concern_hosts(policy: &Policy) -> bool {
    match policy.principal_constraint() {
        PrincipalConstraint::Is(name) | PrincipalConstraint::IsIn(name, _) => {
            is_type(&name, "Installation")
        }
        PrincipalConstraint::Eq(uid) => is_type(uid.type_name(), "Installation"),
        PrincipalConstraint::Any | PrincipalConstraint::In(_) => true,
    }
}

fn is_unconditional(policy: &Policy) -> bool {
    let principal = match policy.principal_constraint() {
        PrincipalConstraint::Any => true,
        PrincipalConstraint::Is(name) => is_type(&name, "Installation"),
        _ => false,
    };
    let resource = match policy.resource_constraint() {
        ResourceConstraint::Any => true,
        ResourceConstraint::Is(name) => is_type(&name, "Capability"),
        _ => false,
    };
    principal && resource && !policy.has_non_scope_constraint()
}
