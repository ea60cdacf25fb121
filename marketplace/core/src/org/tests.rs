//! Members come and go under any sequence of commands: an owner is always left, and roles follow the table.

use proptest::prelude::*;
use soma_policy::Code;

use super::*;

const NOW: Timestamp = Timestamp(1_000_000_000_000);

fn user(id: u128) -> UserId {
    UserId::from_u128(id)
}

fn roles(of: &[Role]) -> BTreeSet<Role> {
    of.iter().copied().collect()
}

fn org(kinds: &[OrgKind]) -> Org {
    let mut org = Org::found("acme".parse().unwrap(), kinds.iter().copied(), user(1)).unwrap();
    org.members.insert(user(2), roles(&[Role::Admin]));
    org.members.insert(user(3), roles(&[Role::Developer]));
    org.members.insert(user(4), roles(&[Role::Auditor, Role::Member]));
    org
}

fn actor(org: &Org, id: u128) -> Actor {
    org.actor(Principal::User(user(id))).unwrap()
}

#[test]
fn the_platform_is_neither_tenant_nor_publisher() {
    let found =
        |kinds: &[OrgKind]| Org::found("x".parse().unwrap(), kinds.iter().copied(), user(1));
    assert!(found(&[OrgKind::Tenant, OrgKind::Publisher]).is_ok());
    for bad in [&[][..], &[OrgKind::Platform, OrgKind::Tenant]] {
        assert_eq!(found(bad).unwrap_err().code, Code::OrgKindConflict);
    }
    let platform = found(&[OrgKind::Platform]).unwrap();
    let add = OrgCommand::AddKind(OrgKind::Publisher);
    let refused = platform.apply(&actor(&platform, 1), add, NOW).unwrap_err();
    assert_eq!(refused.code, Code::OrgKindConflict);
}

#[test]
fn a_refusal_names_the_roles_that_would_do() {
    let org = org(&[OrgKind::Publisher]);
    assert!(actor(&org, 3).may(Permission::ReleaseSubmit).is_ok());
    let refused = actor(&org, 3).may(Permission::NamespaceManage).unwrap_err();
    assert_eq!(refused.code, Code::RoleLacks);
    assert!(refused.reason.contains("owner, admin in a publisher"), "{refused}");
    // The kind counts as well as the role.
    assert_eq!(actor(&org, 1).may(Permission::Kill).unwrap_err().code, Code::RoleLacks);
    let other = "other".parse().unwrap();
    let refused = actor(&org, 1).may_in(Permission::ReleaseSubmit, &other).unwrap_err();
    assert_eq!(refused.code, Code::NamespaceForeign);
}

#[test]
fn only_owners_touch_owners_and_the_last_one_stays() {
    let org = org(&[OrgKind::Tenant]);
    let make = |id, role| OrgCommand::SetMember { user: user(id), roles: roles(&[role]) };
    for command in
        [make(9, Role::Owner), make(1, Role::Member), OrgCommand::RemoveMember { user: user(1) }]
    {
        assert_eq!(org.apply(&actor(&org, 2), command, NOW).unwrap_err().code, Code::RoleLacks);
    }
    for command in [make(1, Role::Member), OrgCommand::RemoveMember { user: user(1) }] {
        assert_eq!(org.apply(&actor(&org, 1), command, NOW).unwrap_err().code, Code::LastOwner);
    }
    let two = org.apply(&actor(&org, 1), make(9, Role::Owner), NOW).unwrap();
    assert!(two.apply(&actor(&two, 1), OrgCommand::RemoveMember { user: user(1) }, NOW).is_ok());
    assert_eq!(two.sequence, org.sequence + 1);
    let none = OrgCommand::SetMember { user: user(9), roles: BTreeSet::new() };
    assert_eq!(org.apply(&actor(&org, 1), none, NOW).unwrap_err().code, Code::RoleLacks);
}

#[test]
fn anybody_may_leave_and_counts_as_one_of_them_for_ninety_days() {
    let org = org(&[OrgKind::Publisher]);
    let leave = OrgCommand::RemoveMember { user: user(4) };
    let left = org.apply(&actor(&org, 4), leave.clone(), NOW).unwrap();
    assert!(left.actor(Principal::User(user(4))).is_err());
    assert!(left.persons(NOW.plus(Millis(PARTING.0 - 1))).contains(&user(4)));
    assert!(!left.persons(NOW.plus(PARTING)).contains(&user(4)));
    assert_eq!(left.apply(&actor(&org, 1), leave, NOW).unwrap_err().code, Code::MemberUnknown);
    assert_eq!(
        org.apply(&actor(&org, 3), OrgCommand::RemoveMember { user: user(4) }, NOW)
            .unwrap_err()
            .code,
        Code::RoleLacks
    );
}

#[test]
fn a_service_account_can_do_no_more_than_its_person_and_goes_with_them() {
    let org = org(&[OrgKind::Publisher]);
    let id = ServiceId::from_u128(1);
    let make = |role| OrgCommand::SetService { service: id, roles: roles(&[role]) };
    assert_eq!(
        org.apply(&actor(&org, 1), make(Role::Owner), NOW).unwrap_err().code,
        Code::RoleLacks
    );
    let with = org.apply(&actor(&org, 2), make(Role::Admin), NOW).unwrap();
    let robot = with.actor(Principal::Service(id)).unwrap();
    assert_eq!((robot.person(), robot.principal()), (user(2), Principal::Service(id)));
    assert!(robot.may(Permission::ReleaseSubmit).is_ok());
    let refused = robot.may(Permission::MemberManage).unwrap_err();
    assert_eq!(refused.code, Code::PersonNeeded);
    assert!(with.persons(NOW).contains(&user(2)));
    let lower = OrgCommand::SetMember { user: user(2), roles: roles(&[Role::Member]) };
    let lower = with.apply(&actor(&with, 1), lower, NOW).unwrap();
    let robot = lower.actor(Principal::Service(id)).unwrap();
    assert_eq!(robot.may(Permission::ReleaseSubmit).unwrap_err().code, Code::RoleLacks);
    let gone = OrgCommand::RemoveMember { user: user(2) };
    let gone = with.apply(&actor(&with, 1), gone, NOW).unwrap();
    assert_eq!(gone.actor(Principal::Service(id)).unwrap_err().code, Code::MemberUnknown);
    let off = OrgCommand::DisableService { service: id };
    let off = with.apply(&actor(&with, 1), off, NOW).unwrap();
    assert!(off.actor(Principal::Service(id)).is_err());
    let none = OrgCommand::DisableService { service: ServiceId::from_u128(9) };
    assert_eq!(with.apply(&actor(&with, 1), none, NOW).unwrap_err().code, Code::MemberUnknown);
}

#[test]
fn a_suspended_organisation_reads_and_pays_and_a_closed_one_reads() {
    let platform = Org::found("soma".parse().unwrap(), [OrgKind::Platform], user(50)).unwrap();
    let ruler = actor(&platform, 50);
    let org = org(&[OrgKind::Publisher]);
    let refused = org.apply(&actor(&org, 1), OrgCommand::Suspend, NOW).unwrap_err();
    assert_eq!(refused.code, Code::RoleLacks);
    let suspended = org.apply(&ruler, OrgCommand::Suspend, NOW).unwrap();
    let owner = actor(&suspended, 1);
    assert_eq!(owner.may(Permission::ReleaseSubmit).unwrap_err().code, Code::OrgInactive);
    assert!(owner.may(Permission::BillingManage).is_ok());
    let again = suspended.apply(&ruler, OrgCommand::Suspend, NOW).unwrap_err();
    assert_eq!((again.code, &*again.legal), (Code::MoveIllegal, &["reinstate"][..]));
    let back = suspended.apply(&ruler, OrgCommand::Reinstate, NOW).unwrap();
    let closed = back.apply(&actor(&back, 1), OrgCommand::Close, NOW).unwrap();
    assert!(actor(&closed, 1).may(Permission::BillingRead).is_ok());
    assert_eq!(
        actor(&closed, 1).may(Permission::BillingManage).unwrap_err().code,
        Code::OrgInactive
    );
    assert!(closed.apply(&ruler, OrgCommand::Reinstate, NOW).unwrap_err().legal.is_empty());
    // The platform cannot lock itself out.
    assert_eq!(&*platform.apply(&ruler, OrgCommand::Suspend, NOW).unwrap_err().legal, ["close"]);
}

#[test]
fn members_are_bounded() {
    let mut org = org(&[OrgKind::Tenant]);
    for id in 10..(MEMBERS_MAX as u128 + 6) {
        org.members.insert(user(id), roles(&[Role::Member]));
    }
    assert_eq!(org.members.len(), MEMBERS_MAX);
    let one = OrgCommand::SetMember { user: user(1 << 64), roles: roles(&[Role::Member]) };
    assert_eq!(org.apply(&actor(&org, 1), one, NOW).unwrap_err().code, Code::TooMany);
    let service =
        OrgCommand::SetService { service: ServiceId::from_u128(1), roles: roles(&[Role::Member]) };
    assert_eq!(org.apply(&actor(&org, 1), service, NOW).unwrap_err().code, Code::TooMany);
}

#[test]
fn what_moves_money_or_ends_calls_takes_a_person_and_a_second_factor() {
    use Permission::{Constitution, Kill, Payout, PayoutRelease, ReleaseRevoke, ReviewOverride};
    for permission in [Constitution, Kill, Payout, PayoutRelease, ReleaseRevoke, ReviewOverride] {
        let line = permission.line();
        assert!(line.person && line.step_up && !line.suspended, "{permission}");
    }
    for permission in Permission::ALL {
        let line = permission.line();
        assert_eq!(line.permission, *permission);
        assert!(line.roles.contains(&Role::Owner), "{permission} locks the owner out");
        assert!(!permission.words().is_empty());
    }
}

#[test]
fn the_reference_page_holds_the_table() {
    let page = include_str!("../../../../docs/reference/roles.md");
    assert!(
        page.contains(&table()),
        "replace the table of docs/reference/roles.md by:\n{}",
        table()
    );
}

fn command() -> impl Strategy<Value = OrgCommand> {
    let some = prop::collection::btree_set(prop::sample::select(Role::ALL.to_vec()), 0..3);
    let who = (1u128..7).prop_map(user);
    let which = (1u128..3).prop_map(ServiceId::from_u128);
    prop_oneof![
        (who.clone(), some.clone()).prop_map(|(user, roles)| OrgCommand::SetMember { user, roles }),
        who.prop_map(|user| OrgCommand::RemoveMember { user }),
        (which.clone(), some)
            .prop_map(|(service, roles)| OrgCommand::SetService { service, roles }),
        which.prop_map(|service| OrgCommand::DisableService { service }),
        prop::sample::select(OrgKind::ALL.to_vec()).prop_map(OrgCommand::AddKind),
        Just(OrgCommand::Suspend),
        Just(OrgCommand::Reinstate),
    ]
}

proptest! {
    #[test]
    fn no_sequence_leaves_an_organisation_without_owner_or_gives_more_than_one_has(
        commands in prop::collection::vec((1u128..7, command()), 1..60),
    ) {
        let mut org = org(&[OrgKind::Publisher]);
        for (who, command) in commands {
            let Ok(actor) = org.actor(Principal::User(user(who))) else { continue };
            let owners = |org: &Org| -> BTreeSet<UserId> {
                org.members.iter().filter(|(_, r)| r.contains(&Role::Owner)).map(|(u, _)| *u).collect()
            };
            let Ok(next) = org.apply(&actor, command, NOW) else { continue };
            prop_assert!(!owners(&next).is_empty());
            prop_assert_eq!(next.sequence, org.sequence + 1);
            if owners(&next) != owners(&org) {
                prop_assert!(actor.has(Role::Owner));
            }
            prop_assert!(next.services.values().all(|account| !account.roles.contains(&Role::Owner)));
            for account in next.services.values().filter(|account| account.enabled) {
                prop_assert!(next.members.contains_key(&account.responsible));
            }
            prop_assert!(next.head.status == OrgStatus::Active, "only the platform suspends");
            org = next;
        }
    }
}
