//! Roles of members: names for lists of rights. What the org is limits what its members may do.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::cap::{Cap, CapSet};
use crate::store::OrgRoles;

/// What a member is in an org.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Role {
    /// Everything that belongs to the org.
    Owner,
    /// Everything but money.
    Admin,
    /// Publishes, installs and calls.
    Developer,
    /// Looks.
    Viewer,
    /// Looks, and reads the audit.
    Auditor,
    /// Money.
    Billing,
    /// Reviews submissions (platform orgs).
    Reviewer,
    /// Runs the marketplace (platform orgs).
    Operator,
}

impl Role {
    pub(crate) const ALL: [Self; 8] = [
        Self::Owner,
        Self::Admin,
        Self::Developer,
        Self::Viewer,
        Self::Auditor,
        Self::Billing,
        Self::Reviewer,
        Self::Operator,
    ];

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Admin => "admin",
            Self::Developer => "developer",
            Self::Viewer => "viewer",
            Self::Auditor => "auditor",
            Self::Billing => "billing",
            Self::Reviewer => "reviewer",
            Self::Operator => "operator",
        }
    }

    /// Whether an org must not be left without one like this.
    pub(crate) fn is_head(self) -> bool {
        matches!(self, Self::Owner | Self::Operator)
    }

    /// The rights of this role in an org of that kind.
    pub(crate) fn caps(self, org: OrgRoles) -> CapSet {
        let fits = |cap: &Cap| match cap {
            Cap::Install | Cap::CallAny => org.tenant,
            Cap::Publish => org.publisher,
            Cap::Review | Cap::Operate => org.platform,
            _ => true,
        };
        CapSet::new(self.listed().iter().filter(|cap| fits(cap)).cloned())
    }

    fn listed(self) -> &'static [Cap] {
        use Cap::{
            AuditRead, BillingRead, BillingWrite, CallAny, Install, KeysWrite, MembersWrite,
            Operate, OrgRead, OrgWrite, Publish, ReadCalls, Review,
        };
        match self {
            Self::Owner => &[
                OrgRead,
                OrgWrite,
                MembersWrite,
                KeysWrite,
                AuditRead,
                Install,
                Publish,
                BillingRead,
                BillingWrite,
                CallAny,
                ReadCalls,
            ],
            Self::Admin => &[
                OrgRead,
                OrgWrite,
                MembersWrite,
                KeysWrite,
                AuditRead,
                Install,
                Publish,
                BillingRead,
                CallAny,
                ReadCalls,
            ],
            Self::Developer => &[OrgRead, Install, Publish, CallAny, ReadCalls],
            Self::Viewer => &[OrgRead, ReadCalls],
            Self::Auditor => &[OrgRead, AuditRead, ReadCalls],
            Self::Billing => &[OrgRead, BillingRead, BillingWrite],
            Self::Reviewer => &[OrgRead, Review],
            Self::Operator => &[
                OrgRead,
                OrgWrite,
                MembersWrite,
                KeysWrite,
                AuditRead,
                BillingRead,
                BillingWrite,
                ReadCalls,
                Review,
                Operate,
            ],
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Not a role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a role is one of owner, admin, developer, viewer, auditor, billing, reviewer, operator")]
pub(crate) struct UnknownRole;

impl FromStr for Role {
    type Err = UnknownRole;
    fn from_str(text: &str) -> Result<Self, UnknownRole> {
        Self::ALL.into_iter().find(|role| role.as_str() == text).ok_or(UnknownRole)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVERYTHING: OrgRoles = OrgRoles { tenant: true, publisher: true, platform: true };

    #[test]
    fn the_platforms_rights_exist_only_in_platform_orgs() {
        let tenant = OrgRoles { tenant: true, ..OrgRoles::default() };
        for role in Role::ALL {
            let caps = role.caps(tenant);
            assert!(!caps.allows(&Cap::Operate) && !caps.allows(&Cap::Review), "{role}");
            assert!(!caps.allows(&Cap::Publish), "{role}");
        }
        assert!(Role::Operator.caps(EVERYTHING).allows(&Cap::Operate));
        assert!(!Role::Owner.caps(EVERYTHING).allows(&Cap::Operate));
    }

    #[test]
    fn only_heads_and_admins_manage_members() {
        let manages = |role: &Role| role.caps(EVERYTHING).allows(&Cap::MembersWrite);
        let managing: Vec<Role> = Role::ALL.into_iter().filter(manages).collect();
        assert_eq!(managing, [Role::Owner, Role::Admin, Role::Operator]);
        assert!(!Role::Admin.caps(EVERYTHING).covers(&Role::Owner.caps(EVERYTHING)));
    }

    #[test]
    fn roles_read_as_they_are_written() {
        for role in Role::ALL {
            assert_eq!(role.as_str().parse(), Ok(role));
        }
        assert!("root".parse::<Role>().is_err());
    }
}
