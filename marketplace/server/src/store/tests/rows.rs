//! Rows that the tests of the store stand on.

use soma_policy::{InvitationId, KeyId, OrgId, SessionId, Timestamp, UserId};

use crate::fixture::START;
use crate::identity::{Assurance, Role};
use crate::store::{
    AccountState, ApiKey, Environment, EnvironmentKind, Invitation, Membership, Org, OrgRoles,
    OrgState, PlatformScope, ServiceAccount, Session, Store, TenantScope,
};

pub(super) const WORKER: PlatformScope = PlatformScope::of("tests");

pub(super) fn org(id: &str) -> OrgId {
    id.parse().unwrap()
}

pub(super) fn scope(id: &str) -> TenantScope {
    TenantScope::of(org(id))
}

pub(super) fn user(n: u128) -> UserId {
    UserId::from_u128(n)
}

pub(super) fn an_org(id: &str) -> Org {
    Org {
        org: org(id),
        name: id.to_uppercase(),
        roles: OrgRoles { tenant: true, ..OrgRoles::default() },
        region: Some("eu".parse().unwrap()),
        state: OrgState::Active,
        version: 1,
        created: START,
    }
}

pub(super) fn production() -> Environment {
    Environment {
        environment: "production".parse().unwrap(),
        kind: EnvironmentKind::Production,
        region: None,
        version: 1,
        created: START,
    }
}

pub(super) fn an_account(id: &str) -> ServiceAccount {
    ServiceAccount {
        account: id.parse().unwrap(),
        name: "builds".to_owned(),
        caps: "org:read call:*".parse().unwrap(),
        state: AccountState::Active,
        version: 1,
        created: START,
    }
}

pub(super) fn a_key(n: u128, account: &str) -> ApiKey {
    ApiKey {
        key: KeyId::from_u128(n),
        account: account.parse().unwrap(),
        environment: "production".parse().unwrap(),
        caps: "org:read".parse().unwrap(),
        created: START,
        expires: Timestamp(START.0 + 1000),
        revoked: None,
    }
}

pub(super) fn an_invitation(n: u128, org_id: &str) -> Invitation {
    Invitation {
        invitation: InvitationId::from_u128(n),
        org: org(org_id),
        role: Role::Viewer,
        invited_by: "user:x".to_owned(),
        expires: Timestamp(START.0 + 1000),
        used: None,
    }
}

pub(super) fn a_session(n: u128, who: UserId, org_id: &str) -> Session {
    Session {
        session: SessionId::from_u128(n),
        user: who,
        org: org(org_id),
        environment: "production".parse().unwrap(),
        acr: Assurance::Aal1,
        authenticated: START,
        expires: Timestamp(START.0 + 1000),
    }
}

/// An org with an environment, a member, an account, a key and an offer: one of everything.
pub(super) async fn populate(store: &Store, id: &str, n: u128) {
    let mut unit = store.platform(WORKER).await.unwrap();
    unit.insert_org(&an_org(id)).await.unwrap();
    unit.found_environment(&org(id), &production()).await.unwrap();
    let login = format!("{id}-person");
    unit.insert_user(user(n), (&login, "A Person", Some("a@example.org")), START).await.unwrap();
    let membership =
        Membership { org: org(id), user: user(n), role: Role::Owner, version: 1, created: START };
    unit.insert_membership(&membership).await.unwrap();
    unit.set_password(user(n), "hash", START).await.unwrap();
    unit.insert_session(&a_session(n, user(n), id), &format!("refresh-{n}"), START).await.unwrap();
    unit.commit().await.unwrap();
    let mut unit = store.tenant(&scope(id)).await.unwrap();
    unit.insert_service_account(&an_account("builder")).await.unwrap();
    unit.insert_api_key(&a_key(n, "builder"), &format!("hash-{n}")).await.unwrap();
    unit.insert_invitation(&an_invitation(n, id), &format!("code-{n}"), START).await.unwrap();
    unit.commit().await.unwrap();
}
