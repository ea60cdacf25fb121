//! Organisations: the only owners. Their kinds, members and service accounts, and who may act in their name.
//!
//! A user is one natural person; personal data is not here, only ids. Passwords, sessions and tokens are the
//! server's. What a role may do is one table in `org/permission.rs`.

mod actor;
mod change;
mod permission;
mod role;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use soma_policy::{Millis, OrgId, ServiceId, Timestamp, UserId};

pub use actor::{Actor, Principal};
pub use change::OrgCommand;
pub use permission::{Line, Permission, table};
pub use role::{OrgKind, OrgStatus, Role};

/// Members and service accounts that an organisation has at most.
pub const MEMBERS_MAX: usize = 10_000;
/// How long a person who left still counts as one of the organisation in reviews.
pub const PARTING: Millis = Millis(90 * 86_400_000);

/// What an organisation is, without its members.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrgHead {
    /// Its id.
    pub id: OrgId,
    /// What it does: publish, run, or keep the marketplace.
    pub kinds: BTreeSet<OrgKind>,
    /// Whether it may act.
    pub status: OrgStatus,
}

/// A service account. The person who is responsible for it counts as its natural person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceAccount {
    /// Whether it may act.
    pub enabled: bool,
    /// Who answers for it.
    pub responsible: UserId,
    /// What it may do.
    pub roles: BTreeSet<Role>,
}

/// An organisation with its people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Org {
    /// When each former member left, as far back as it matters.
    pub former: BTreeMap<UserId, Timestamp>,
    /// Itself.
    pub head: OrgHead,
    /// Members and their roles.
    pub members: BTreeMap<UserId, BTreeSet<Role>>,
    /// Rises with each change: what a conditional update compares.
    pub sequence: u64,
    /// Service accounts.
    pub services: BTreeMap<ServiceId, ServiceAccount>,
}

impl Org {
    /// A new organisation with one owner.
    ///
    /// # Errors
    /// When the kinds do not go together.
    pub fn found(
        id: OrgId,
        kinds: impl IntoIterator<Item = OrgKind>,
        owner: UserId,
    ) -> Result<Self, crate::Refusal> {
        let kinds = role::together(kinds.into_iter().collect())?;
        Ok(Self {
            former: BTreeMap::new(),
            head: OrgHead { id, kinds, status: OrgStatus::Active },
            members: BTreeMap::from([(owner, BTreeSet::from([Role::Owner]))]),
            sequence: 1,
            services: BTreeMap::new(),
        })
    }

    /// Every natural person who counts as one of this organisation at `now`: members, those responsible for a
    /// service account, and those who left less than [`PARTING`] ago.
    #[must_use]
    pub fn persons(&self, now: Timestamp) -> BTreeSet<UserId> {
        let lately = self.former.iter().filter(|(_, left)| now.since(**left).0 < PARTING.0);
        let responsible = self.services.values().map(|service| service.responsible);
        self.members
            .keys()
            .copied()
            .chain(responsible)
            .chain(lately.map(|(user, _)| *user))
            .collect()
    }

    /// Who acts, if they belong here and may act at all.
    ///
    /// # Errors
    /// When nobody of that id is a member, or the account is switched off.
    pub fn actor(&self, principal: Principal) -> Result<Actor, crate::Refusal> {
        actor::of(self, principal)
    }

    fn owners(&self) -> usize {
        self.members.values().filter(|roles| roles.contains(&Role::Owner)).count()
    }
}

#[cfg(test)]
mod tests;
