//! Who acts for an org, and who its natural persons are: members, those who left lately, and those who
//! answer for its service accounts. What they may do is decided by the rules of the marketplace.

use std::collections::{BTreeMap, BTreeSet};

use soma_market::org::PARTING;
use soma_policy::{AccountId, OrgId, Timestamp, UserId};

use super::orgs::{OrgRoles, OrgState};
use super::sql::{Row, binds};
use super::{PlatformUnit, StoreError, TenantUnit, Unit};
use crate::identity::{CapSet, Role, Subject};

/// Somebody's place in an org, as it is now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Standing {
    pub(crate) roles: OrgRoles,
    pub(crate) state: OrgState,
    /// The person, or who answers for the account.
    pub(crate) person: UserId,
    /// The person's role.
    pub(crate) role: Role,
    /// What the account may do; none for a person.
    pub(crate) account: Option<CapSet>,
}

/// The natural persons of an org.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Persons {
    pub(crate) members: BTreeSet<UserId>,
    pub(crate) former: BTreeMap<UserId, Timestamp>,
    pub(crate) keepers: BTreeMap<AccountId, UserId>,
}

fn read(row: &Row, account: bool) -> Result<Standing, StoreError> {
    Ok(Standing {
        roles: OrgRoles {
            tenant: row.flag("is_tenant")?,
            publisher: row.flag("is_publisher")?,
            platform: row.flag("is_platform")?,
        },
        state: match row.text("state")?.as_str() {
            "active" => OrgState::Active,
            _ => OrgState::Closed,
        },
        person: row.parsed("user_id")?,
        role: row.parsed("role")?,
        account: if account { Some(row.parsed("caps")?) } else { None },
    })
}

impl Unit {
    /// Where somebody stands in an org; none if they are nobody there, or their account counts no more.
    pub(crate) async fn standing(
        &mut self,
        org: &OrgId,
        subject: &Subject,
    ) -> Result<Option<Standing>, StoreError> {
        let row = match subject {
            Subject::User(user) => {
                let sql = "SELECT o.is_tenant, o.is_publisher, o.is_platform, o.state, m.user_id, m.role FROM orgs o \
                           JOIN memberships m ON m.org = o.org WHERE o.org = $1 AND m.user_id = $2";
                self.tx.one(sql, binds![org.as_str(), &user.to_string()]).await?
            }
            Subject::Account(account) => {
                let sql = "SELECT o.is_tenant, o.is_publisher, o.is_platform, o.state, m.user_id, m.role, a.caps FROM orgs o \
                           JOIN service_accounts a ON a.org = o.org \
                           JOIN account_keepers k ON k.org = a.org AND k.account = a.account \
                           JOIN memberships m ON m.org = k.org AND m.user_id = k.user_id \
                           WHERE o.org = $1 AND a.account = $2 AND a.state = 'active'";
                self.tx.one(sql, binds![org.as_str(), account.as_str()]).await?
            }
        };
        let account = matches!(subject, Subject::Account(_));
        row.as_ref().map(|row| read(row, account)).transpose()
    }
}

impl TenantUnit {
    /// Notes who answers for a service account from now on.
    pub(crate) async fn answer_for(
        &mut self,
        account: &AccountId,
        person: UserId,
    ) -> Result<(), StoreError> {
        let org = self.org().to_owned();
        let sql = "INSERT INTO account_keepers (org, account, user_id) VALUES ($1, $2, $3) \
                   ON CONFLICT (org, account) DO UPDATE SET user_id = excluded.user_id";
        self.tx.run(sql, binds![&org, account.as_str(), &person.to_string()]).await.map(drop)
    }

    /// Whether a member of the org answers for a service account.
    pub(crate) async fn is_answered_for(
        &mut self,
        account: &AccountId,
    ) -> Result<bool, StoreError> {
        let org = self.org().to_owned();
        let sql = "SELECT k.account FROM account_keepers k \
                   JOIN memberships m ON m.org = k.org AND m.user_id = k.user_id WHERE k.org = $1 AND k.account = $2";
        Ok(self.tx.one(sql, binds![&org, account.as_str()]).await?.is_some())
    }

    /// Notes that a member left: they go on counting as one of the org in reviews for a while.
    pub(crate) async fn note_parting(
        &mut self,
        user: UserId,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let org = self.org().to_owned();
        let sql = "INSERT INTO former_members (org, user_id, left_ms) VALUES ($1, $2, $3) \
                   ON CONFLICT (org, user_id) DO UPDATE SET left_ms = excluded.left_ms";
        self.tx.run(sql, binds![&org, &user.to_string(), now]).await.map(drop)
    }
}

impl PlatformUnit {
    /// Every natural person who counts as one of an org now.
    pub(crate) async fn persons(
        &mut self,
        org: &OrgId,
        now: Timestamp,
    ) -> Result<Persons, StoreError> {
        let mut persons = Persons::default();
        let sql = "SELECT user_id FROM memberships WHERE org = $1";
        for row in self.tx.all(sql, binds![org.as_str()]).await? {
            persons.members.insert(row.parsed("user_id")?);
        }
        let since = Timestamp(now.0.saturating_sub(PARTING.0));
        let sql = "SELECT user_id, left_ms FROM former_members WHERE org = $1 AND left_ms > $2";
        for row in self.tx.all(sql, binds![org.as_str(), since]).await? {
            persons.former.insert(row.parsed("user_id")?, row.time("left_ms")?);
        }
        let sql = "SELECT k.account, k.user_id FROM account_keepers k \
                   JOIN service_accounts a ON a.org = k.org AND a.account = k.account WHERE k.org = $1";
        for row in self.tx.all(sql, binds![org.as_str()]).await? {
            persons.keepers.insert(row.parsed("account")?, row.parsed("user_id")?);
        }
        Ok(persons)
    }
}
