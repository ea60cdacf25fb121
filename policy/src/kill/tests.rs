//! The kill switch under any order of arrival: documents shuffled, doubled and split between hosts.

use proptest::prelude::*;

use super::*;
use crate::amount::Millis;
use crate::fixture::{DECLARED, GRANTED, installation};
use crate::id::{Digest, Fingerprint, OrderId, Timestamp, Uptime};

const PERSONS: [&str; 3] = ["ada", "bob", "cyd"];

fn key(of: u8) -> Fingerprint {
    Fingerprint::of_spki(&[of])
}

/// Three persons; Ada has two keys.
fn operators(quorum: usize) -> Operators {
    let operator = |key_of: u8, person: &str| Operator {
        name: format!("k{key_of}"),
        person: person.into(),
        key: key(key_of),
    };
    Operators::new(
        quorum,
        [operator(0, "ada"), operator(1, "bob"), operator(2, "cyd"), operator(3, "ada")],
    )
    .unwrap()
}

fn order(id: u128, version: u32, scope: &str) -> KillOrder {
    KillOrder {
        evidence: None,
        id: OrderId::from_u128(id),
        issued_at: Timestamp(0),
        reason: Reason::Drill,
        scope: scope.parse().unwrap(),
        severity: Severity::High,
        version,
    }
}

fn lift(order: &KillOrder, version: u32) -> Lift {
    let reason = LiftReason::try_from("over".to_owned()).unwrap();
    Lift { version, ..Lift::of(order, reason, Timestamp(1)) }
}

fn signed<T>(document: T, keys: &[u8]) -> Signed<T> {
    operators(2).recognise(document, keys.iter().map(|of| key(*of))).unwrap()
}

fn stands(state: &KillState, at: u64) -> Option<OrderId> {
    state.set(Uptime(at)).judge(installation(DECLARED, GRANTED).kill_subject())
}

const HOUR: u64 = SUSPENSION.0;

#[test]
fn one_signature_completes_a_narrow_order() {
    let mut state = KillState::default();
    let narrow = order(1, 1, "capsule:acme/github-issues");
    assert!(!narrow.scope.is_wide());
    assert_eq!(state.accept_order(signed(narrow.clone(), &[0]), Uptime(5)), Ok(true));
    assert_eq!(stands(&state, 100 * HOUR), Some(narrow.id));
    assert_eq!(state.accept_order(signed(narrow.clone(), &[0]), Uptime(9)), Ok(false));
    assert_eq!(state.order(narrow.id), Ok(&narrow));
    assert_eq!(state.order(OrderId::from_u128(2)), Err(KillError::Unknown(OrderId::from_u128(2))));
}

#[test]
fn an_incomplete_wide_order_lapses_after_an_hour_of_uptime() {
    let mut state = KillState::default();
    let wide = order(1, 1, "tenant:local");
    state.accept_order(signed(wide.clone(), &[0]), Uptime(1000)).unwrap();
    assert_eq!(stands(&state, 1000 + HOUR - 1), Some(wide.id));
    assert_eq!(state.next_lapse(Uptime(1000)), Some(Uptime(1000 + HOUR)));
    assert_eq!(stands(&state, 1000 + HOUR), None);
    assert_eq!(state.next_lapse(Uptime(1000 + HOUR)), None);
    // Sending it again does not begin the hour anew.
    state.accept_order(signed(wide.clone(), &[0]), Uptime(1000 + HOUR)).unwrap();
    assert_eq!(stands(&state, 1000 + HOUR), None);
    // A second person makes it last, even after it lapsed.
    state.accept_order(signed(wide.clone(), &[1]), Uptime(1000 + HOUR)).unwrap();
    assert_eq!(stands(&state, 99 * HOUR), Some(wide.id));
    let [status] = &state.statuses(&operators(2), Uptime(0))[..] else { panic!("one order") };
    assert_eq!((status.standing, status.needed, status.persons.len()), (Standing::Complete, 2, 2));
}

#[test]
fn a_quorum_counts_persons_and_not_keys() {
    let mut state = KillState::default();
    let wide = order(1, 1, "everything");
    let ada_twice = signed(wide, &[0, 3]);
    assert_eq!((ada_twice.persons().len(), ada_twice.document().version), (1, 1));
    state.accept_order(ada_twice, Uptime(0)).unwrap();
    assert_eq!(stands(&state, HOUR), None);
    assert_eq!(operators(2).recognise((), [key(9)]), Err(OperatorsError::Nobody));
}

#[test]
fn a_lift_needs_the_same_quorum_and_the_right_hash() {
    let wide = order(1, 3, "publisher:acme");
    let mut state = KillState::default();
    state.accept_order(signed(wide.clone(), &[0, 1]), Uptime(0)).unwrap();
    let other = KillOrder { evidence: Some("https://e.example".into()), ..wide.clone() };
    for wrong in [lift(&other, 4), lift(&wide, 3), lift(&wide, 1)] {
        assert!(state.check_lift(&wrong).is_err());
        state.accept_lift(signed(wrong, &[0, 1]), Uptime(0)).unwrap();
        assert_eq!(stands(&state, 0), Some(wide.id));
    }
    let right = lift(&wide, 4);
    assert_eq!(state.check_lift(&right), Ok(()));
    state.accept_lift(signed(right.clone(), &[2]), Uptime(0)).unwrap();
    assert_eq!(stands(&state, 0), Some(wide.id), "one of two must not lift");
    state.accept_lift(signed(right, &[1]), Uptime(0)).unwrap();
    assert_eq!(stands(&state, 0), None);
    // The same order again changes nothing; a higher version of it kills again.
    state.accept_order(signed(wide.clone(), &[0, 1, 2]), Uptime(0)).unwrap();
    assert_eq!(stands(&state, 0), None);
    let again = KillOrder { version: 5, ..wide };
    state.accept_order(signed(again.clone(), &[0, 1]), Uptime(0)).unwrap();
    assert_eq!((stands(&state, 0), state.order(again.id).unwrap().version), (Some(again.id), 5));
}

#[test]
fn a_single_signature_cannot_weaken_what_two_have_signed() {
    let wide = order(1, 1, "tenant:local");
    let mut state = KillState::default();
    state.accept_order(signed(wide.clone(), &[0, 1]), Uptime(0)).unwrap();
    // The same id at a higher version with another scope does not replace the complete order.
    state.accept_order(signed(order(1, 2, "capsule:other/thing"), &[2]), Uptime(0)).unwrap();
    assert_eq!(stands(&state, 5 * HOUR), Some(wide.id));
}

/// Signed under another quorum than two.
fn signed_under<T>(quorum: usize, document: T, keys: &[u8]) -> Signed<T> {
    operators(quorum).recognise(document, keys.iter().map(|of| key(*of))).unwrap()
}

#[test]
fn what_is_complete_stays_so_under_a_higher_quorum() {
    let mut state = KillState::default();
    let (stands_on, lifted) = (order(1, 1, "publisher:acme"), order(2, 1, "tenant:local"));
    for order in [&stands_on, &lifted] {
        state.accept_order(signed_under(1, order.clone(), &[0]), Uptime(0)).unwrap();
    }
    state.accept_lift(signed_under(1, lift(&lifted, 2), &[0]), Uptime(0)).unwrap();
    state.judge_by(&operators(3), Uptime(0));
    // Another copy of them, judged by the new quorum, takes nothing back.
    state.accept_order(signed_under(3, stands_on.clone(), &[1]), Uptime(9)).unwrap();
    state.accept_lift(signed_under(3, lift(&lifted, 2), &[0]), Uptime(9)).unwrap();
    assert_eq!(stands(&state, 100 * HOUR), Some(stands_on.id));
    let standing: Vec<_> =
        state.statuses(&operators(3), Uptime(100 * HOUR)).iter().map(|s| s.standing).collect();
    assert_eq!(standing, [Standing::Complete, Standing::Lifted]);
}

#[test]
fn a_lower_quorum_completes_what_is_suspended_and_revives_nothing_that_lapsed() {
    let mut state = KillState::default();
    let wide = order(1, 1, "tenant:local");
    state.accept_order(signed(wide.clone(), &[0]), Uptime(0)).unwrap();
    let mut lapsed = state.clone();
    lapsed.judge_by(&operators(1), Uptime(HOUR));
    assert_eq!(stands(&lapsed, HOUR), None);
    // Signed once more, though by the same person, it is what one person may order now.
    assert_eq!(lapsed.accept_order(signed_under(1, wide.clone(), &[0]), Uptime(HOUR)), Ok(true));
    assert_eq!(stands(&lapsed, 9 * HOUR), Some(wide.id));
    state.judge_by(&operators(1), Uptime(HOUR - 1));
    assert_eq!(state.take_completed().len(), 1);
    assert!(state.take_completed().is_empty());
    assert_eq!(stands(&state, 9 * HOUR), Some(wide.id));
}

#[test]
fn what_is_restored_is_what_was_recorded_though_nobody_s_signature_is_proven() {
    let (wide, half) = (order(1, 1, "tenant:local"), order(2, 1, "everything"));
    let nobody = || std::collections::BTreeSet::new();
    let mut state = KillState::default();
    assert_eq!(state.restore_order(wide.clone(), nobody(), Uptime(3), true), Ok(true));
    assert_eq!(state.restore_order(wide.clone(), nobody(), Uptime(3), true), Ok(false));
    assert_eq!(state.restore_order(half.clone(), nobody(), Uptime(3), false), Ok(true));
    assert_eq!(stands(&state, 3 + HOUR - 1), Some(half.id));
    assert_eq!(stands(&state, 3 + HOUR), Some(wide.id));
    state.restore_lift(lift(&wide, 2), nobody(), Uptime(4), false).unwrap();
    assert_eq!(stands(&state, 3 + HOUR), Some(wide.id));
    state.restore_lift(lift(&wide, 2), nobody(), Uptime(4), true).unwrap();
    assert_eq!(stands(&state, 3 + HOUR), None);
}

#[test]
fn a_lift_that_comes_before_its_order_is_complete_once_the_order_is_here() {
    let wide = order(1, 1, "tenant:local");
    let mut state = KillState::default();
    state.accept_lift(signed(lift(&wide, 2), &[0, 1]), Uptime(0)).unwrap();
    assert!(state.take_completed().is_empty());
    state.accept_order(signed(wide.clone(), &[0, 1]), Uptime(0)).unwrap();
    let completed = state.take_completed();
    assert_eq!(completed.len(), 2);
    assert!(completed.iter().all(|key| state.was_complete(key)));
    assert_eq!(stands(&state, 0), None);
}

#[test]
fn operators_are_a_list_that_makes_sense() {
    let one = || Operator { name: "a".into(), person: "ada".into(), key: key(0) };
    assert!(matches!(Operators::new(0, [one()]), Err(OperatorsError::Quorum { .. })));
    assert!(matches!(
        Operators::new(2, [one()]),
        Err(OperatorsError::Quorum { quorum: 2, persons: 1 })
    ));
    assert!(matches!(Operators::new(1, [one(), one()]), Err(OperatorsError::Twice(_))));
    let single = Operators::new(1, [one()]).unwrap();
    assert_eq!(single.needed(&"everything".parse().unwrap()), 1);
}

#[test]
fn scopes_read_as_they_print_and_say_what_was_meant() {
    let digest = format!("digest:{}", Digest::of(b"x"));
    let signer = format!("signer:{}", key(1));
    let all = [
        digest.as_str(),
        "capsule:acme/csv",
        "capsule:acme/csv@^1",
        "publisher:acme",
        &signer,
        "capability:http",
        "tool:acme/csv",
        "tenant:local",
        "installation:local/production/csv",
        "region:eu",
        "everything",
    ];
    for text in all {
        let scope: KillScope = text.parse().unwrap();
        assert_eq!(scope.to_string(), text);
        let wide =
            !["digest", "capsule", "installation"].contains(&text.split(':').next().unwrap());
        assert_eq!(scope.is_wide(), wide, "{text}");
    }
    let bare = Digest::of(b"x").to_string();
    assert_eq!(bare.parse::<KillScope>().unwrap().to_string(), digest);
    for (bad, hint) in [
        ("publsher:acme", "\"publisher\""),
        ("everthing", "\"everything\""),
        ("capability:htp", "\"http\""),
        ("capsule:acme", "publisher/name"),
        ("", "KIND:VALUE"),
    ] {
        let said = bad.parse::<KillScope>().unwrap_err().to_string();
        assert!(said.contains(hint), "{said}");
    }
    assert_eq!("drill".parse(), Ok(Reason::Drill));
    assert!("dril".parse::<Reason>().unwrap_err().contains("\"drill\""));
    assert!(
        LiftReason::try_from(" ".to_owned()).is_err()
            && LiftReason::try_from("x".repeat(2000)).is_err()
    );
}

#[test]
fn every_scope_stops_what_it_names_and_nothing_else() {
    let mut subject = installation(DECLARED, GRANTED).kill_subject().clone();
    subject.region = Some("eu".parse().unwrap());
    subject.tools = vec!["acme/csv".parse().unwrap()];
    let digest = format!("digest:{}", subject.digest);
    let signer = format!("signer:{}", subject.signer);
    let judge = |scope: &str| {
        KillSet::of([(&scope.parse().unwrap(), OrderId::from_u128(1))]).judge(&subject).is_some()
    };
    for hit in [
        &digest,
        &signer,
        "capsule:acme/github-issues",
        "capsule:acme/github-issues@1",
        "publisher:acme",
        "capability:secret",
        "tool:acme/csv",
        "tool:acme/github-issues",
        "tenant:local",
        "installation:local/production/issues",
        "region:eu",
        "everything",
    ] {
        assert!(judge(hit), "{hit}");
    }
    let (digest, signer) = (format!("digest:{}", Digest::of(b"x")), format!("signer:{}", key(7)));
    for miss in [
        &digest,
        &signer,
        "capsule:acme/csv",
        "capsule:acme/github-issues@2",
        "publisher:other",
        "capability:kv",
        "tool:acme/tsv",
        "tenant:other",
        "installation:local/staging/issues",
        "region:us",
    ] {
        assert!(!judge(miss), "{miss}");
    }
    assert!(KillSet::default().is_empty());
}

#[test]
fn the_canonical_order_is_frozen() {
    let bytes = crate::canonical::to_vec(&order(17, 1, "capsule:acme/csv@^1")).unwrap();
    assert_eq!(
        String::from_utf8(bytes).unwrap(),
        r#"{"id":"0000000000000000000000000H","issued_at":"0","reason":"drill","scope":"capsule:acme/csv@^1","severity":"high","version":1}"#
    );
    let lift = lift(&order(17, 1, "everything"), 2);
    let json = serde_json::to_string(&lift).unwrap();
    assert_eq!(serde_json::from_str::<Lift>(&json).unwrap().hash(), lift.hash());
    assert!(serde_json::from_str::<KillOrder>(&json).is_err());
}

/// One arrival: an order or a lift, by some of the three persons.
#[derive(Debug, Clone)]
enum Arrival {
    Order(KillOrder, Vec<u8>),
    Lift(Lift, Vec<u8>),
}

fn arrival() -> impl Strategy<Value = Arrival> {
    let scope = prop::sample::select(vec![
        "tenant:local",
        "capsule:acme/github-issues",
        "everything",
        "publisher:other",
    ]);
    let keys = prop::sample::subsequence(vec![0u8, 1, 2, 3], 1..=3);
    (1u128..3, 1u32..4, scope, keys, any::<bool>(), 0u32..3).prop_map(
        |(id, version, scope, keys, is_lift, above)| {
            let order = order(id, version, scope);
            if is_lift {
                Arrival::Lift(lift(&order, version + above), keys)
            } else {
                Arrival::Order(order, keys)
            }
        },
    )
}

fn accept(state: &mut KillState, arrival: &Arrival) {
    let changed = match arrival {
        Arrival::Order(order, keys) => state.accept_order(signed(order.clone(), keys), Uptime(0)),
        Arrival::Lift(lift, keys) => state.accept_lift(signed(lift.clone(), keys), Uptime(0)),
    };
    assert!(changed.is_ok(), "{arrival:?}");
}

proptest! {
    #[test]
    fn the_order_of_arrival_does_not_matter(arrivals in prop::collection::vec(arrival(), 0..10), seed in prop::collection::vec(any::<prop::sample::Index>(), 10)) {
        let mut forward = KillState::default();
        arrivals.iter().for_each(|arrival| accept(&mut forward, arrival));
        let mut shuffled = arrivals.clone();
        for (at, with) in seed.iter().enumerate().take(shuffled.len()) {
            let with = with.index(shuffled.len());
            shuffled.swap(at, with);
        }
        let mut other = KillState::default();
        for arrival in shuffled.iter().chain(&arrivals) {
            accept(&mut other, arrival);
        }
        prop_assert_eq!(&forward, &other);
    }

    #[test]
    fn what_arrives_never_frees_without_a_complete_lift(arrivals in prop::collection::vec(arrival(), 0..8), version in 1u32..4) {
        let wide = order(1, version, "tenant:local");
        let mut state = KillState::default();
        state.accept_order(signed(wide.clone(), &[0, 1]), Uptime(0)).unwrap();
        // Persons who signed a lift of exactly this document, per lift document.
        let mut signers: std::collections::BTreeMap<Digest, std::collections::BTreeSet<&str>> = Default::default();
        for arrival in &arrivals {
            accept(&mut state, arrival);
            if let Arrival::Lift(lift, keys) = arrival && lift.lifts == wide.hash() && lift.version > version {
                signers.entry(lift.hash()).or_default().extend(keys.iter().map(|of| PERSONS[usize::from(*of) % 3]));
            }
        }
        let lifted = signers.values().any(|persons| persons.len() >= 2);
        let standing = state.statuses(&operators(2), Uptime(9 * HOUR)).into_iter().find(|status| *status.order == wide).unwrap().standing;
        prop_assert_eq!(standing, if lifted { Standing::Lifted } else { Standing::Complete });
    }

    #[test]
    fn a_suspension_holds_exactly_one_hour(since in 0u64..1_000_000_000, later in 0u64..(2 * HOUR)) {
        let mut state = KillState::default();
        state.accept_order(signed(order(1, 1, "everything"), &[0]), Uptime(since)).unwrap();
        let now = Uptime(since).0 + later;
        prop_assert_eq!(stands(&state, now).is_some(), Uptime(now).since(Uptime(since)) < Millis(HOUR));
    }
}
