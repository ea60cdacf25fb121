//! A publisher name under hostile sequences: it never changes hands without both sides and the whole pause.

use proptest::prelude::*;

use super::*;
use crate::org::{Org, OrgKind, Principal};

const NOW: Timestamp = Timestamp(1_000_000_000_000);

fn org(name: &str, kind: OrgKind, owner: u128) -> Actor {
    let owner = UserId::from_u128(owner);
    let org = Org::found(name.parse().unwrap(), [kind], owner).unwrap();
    org.actor(Principal::User(owner)).unwrap()
}

fn acme() -> Actor {
    org("acme-inc", OrgKind::Publisher, 1)
}

fn zeta() -> Actor {
    org("zeta-inc", OrgKind::Publisher, 2)
}

fn platform() -> Actor {
    org("soma", OrgKind::Platform, 3)
}

fn claimed() -> Namespace {
    Namespace::claim("acme".parse().unwrap(), None, acme().org().clone(), &acme(), NOW).unwrap()
}

fn step(name: &Namespace, command: NamespaceCommand<'_>, now: Timestamp) -> Namespace {
    name.apply(command, now).unwrap().next
}

#[test]
fn a_name_is_given_out_once_and_reserved_ones_by_the_platform() {
    let name = claimed();
    let again =
        Namespace::claim(name.name.clone(), Some(&name), zeta().org().clone(), &zeta(), NOW);
    assert_eq!(again.unwrap_err().code, Code::NamespaceTaken);
    let soma = || "soma".parse().unwrap();
    let own = Namespace::claim(soma(), None, acme().org().clone(), &acme(), NOW);
    assert_eq!(own.unwrap_err().code, Code::NamespaceReserved);
    let given = Namespace::claim(soma(), None, acme().org().clone(), &platform(), NOW).unwrap();
    assert_eq!(given.owner, *acme().org());
    let foreign = Namespace::claim("x".parse().unwrap(), None, zeta().org().clone(), &acme(), NOW);
    assert_eq!(foreign.unwrap_err().code, Code::NamespaceForeign);
    assert!(RESERVED.windows(2).all(|pair| pair[0] < pair[1]));
}

#[test]
fn a_transfer_takes_both_sides_and_the_pause_and_asks_the_tenants() {
    let (from, to) = (acme(), zeta());
    let offered =
        step(&claimed(), NamespaceCommand::Offer { by: &from, to: to.org().clone() }, NOW);
    let early = offered.apply(NamespaceCommand::Complete, NOW).unwrap_err();
    assert_eq!((early.state, &*early.legal), (Some("offered"), &["accept", "cancel"][..]));
    let own = offered.apply(NamespaceCommand::Accept { by: &from }, NOW).unwrap_err();
    assert_eq!(own.code, Code::NamespaceForeign);
    let accepted = step(&offered, NamespaceCommand::Accept { by: &to }, NOW);
    let ready = NOW.plus(TRANSFER_PAUSE);
    let soon = accepted.apply(NamespaceCommand::Complete, Timestamp(ready.0 - 1)).unwrap_err();
    assert_eq!(soon.code, Code::CoolOff);
    assert!(soon.reason.contains(&ready.to_string()), "{soon}");
    let done = accepted.apply(NamespaceCommand::Complete, ready).unwrap();
    let asked = NamespaceEffect::AskTenants { from: from.org().clone(), to: to.org().clone() };
    assert_eq!((&done.next.owner, done.effects), (to.org(), vec![asked]));
    assert_eq!(done.next.owner_at(NOW), Some(from.org()));
    assert_eq!(done.next.owner_at(ready), Some(to.org()));
    assert_eq!(done.next.owner_at(Timestamp(0)), None);
    assert_eq!(done.next.history.len(), 2);
}

#[test]
fn either_side_and_the_platform_can_stop_a_transfer_and_nobody_else() {
    let (from, to, third) = (acme(), zeta(), org("third", OrgKind::Publisher, 4));
    let offered =
        step(&claimed(), NamespaceCommand::Offer { by: &from, to: to.org().clone() }, NOW);
    let accepted = step(&offered, NamespaceCommand::Accept { by: &to }, NOW);
    for by in [&from, &to, &platform()] {
        let stopped = step(&accepted, NamespaceCommand::Cancel { by }, NOW);
        assert_eq!((stopped.transfer, stopped.owner), (None, from.org().clone()));
    }
    let refused = accepted.apply(NamespaceCommand::Cancel { by: &third }, NOW).unwrap_err();
    assert_eq!(refused.code, Code::NamespaceForeign);
    let none = claimed().apply(NamespaceCommand::Cancel { by: &from }, NOW).unwrap_err();
    assert_eq!(&*none.legal, ["offer"]);
}

#[test]
fn an_offer_that_nobody_takes_lapses() {
    let (from, to) = (acme(), zeta());
    let offer = || NamespaceCommand::Offer { by: &from, to: to.org().clone() };
    let offered = step(&claimed(), offer(), NOW);
    assert!(offered.apply(offer(), NOW).is_err());
    let late = NOW.plus(TRANSFER_OFFER);
    assert_eq!(
        &*offered.apply(NamespaceCommand::Accept { by: &to }, late).unwrap_err().legal,
        ["offer"]
    );
    assert!(offered.apply(offer(), late).is_ok());
    let own = NamespaceCommand::Offer { by: &from, to: from.org().clone() };
    assert!(claimed().apply(own, NOW).is_err());
}

#[test]
fn a_freeze_stays_until_the_platform_ends_it() {
    let frozen = step(&claimed(), NamespaceCommand::Freeze(OrderId::from_u128(7)), NOW);
    let again = step(&frozen, NamespaceCommand::Freeze(OrderId::from_u128(8)), NOW);
    assert_eq!(again.frozen.unwrap().order, OrderId::from_u128(7));
    let reason: Words = "the hole is closed".parse().unwrap();
    let own = NamespaceCommand::Unfreeze { by: &acme(), reason: reason.clone() };
    assert_eq!(frozen.apply(own, NOW).unwrap_err().code, Code::RoleLacks);
    let ruler = platform();
    let end = || NamespaceCommand::Unfreeze { by: &ruler, reason: reason.clone() };
    assert_eq!(step(&frozen, end(), NOW).frozen, None);
    assert_eq!(claimed().apply(end(), NOW).unwrap_err().code, Code::MoveIllegal);
    let state = frozen.apply(NamespaceCommand::Complete, NOW).unwrap_err();
    assert!(state.legal.contains(&"unfreeze"));
}

use crate::words::Words;

proptest! {
    #[test]
    fn no_sequence_moves_a_name_without_both_sides_and_the_pause(
        moves in prop::collection::vec((0u8..5, 0usize..3, 0u64..20), 1..80),
    ) {
        let actors = [acme(), zeta(), platform()];
        let (mut name, mut now) = (claimed(), NOW);
        // What an observer saw since the last settled state: the offer's two sides.
        let (mut offered, mut accepted): (Option<OrgId>, Option<Timestamp>) = (None, None);
        for (kind, who, days) in moves {
            now = now.plus(Millis(days * 86_400_000));
            let (by, to) = (&actors[who], actors[1 - who.min(1)].org().clone());
            let command = match kind {
                0 => NamespaceCommand::Offer { by, to: to.clone() },
                1 => NamespaceCommand::Accept { by },
                2 => NamespaceCommand::Cancel { by },
                3 => NamespaceCommand::Complete,
                _ => NamespaceCommand::Freeze(OrderId::from_u128(1)),
            };
            let Ok(Step { next, effects }) = name.apply(command, now) else { continue };
            prop_assert_eq!(next.sequence, name.sequence + 1);
            prop_assert!(next.history.starts_with(&name.history));
            if next.owner != name.owner {
                prop_assert_eq!(kind, 3);
                prop_assert_eq!(Some(&next.owner), offered.as_ref());
                prop_assert!(accepted.is_some_and(|at| now.since(at).0 >= TRANSFER_PAUSE.0));
                prop_assert_eq!(effects.len(), 1);
            } else {
                prop_assert!(effects.is_empty());
            }
            match kind {
                0 => (offered, accepted) = (Some(to), None),
                1 => accepted = Some(now),
                2 | 3 => (offered, accepted) = (None, None),
                _ => {}
            }
            prop_assert_eq!(&next.history.last().unwrap().owner, &next.owner);
            name = next;
        }
    }
}

use crate::step::Step;
