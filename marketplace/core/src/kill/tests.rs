//! The marketplace under kill orders: counted before, the same afterwards in whatever order they came.

use std::collections::BTreeSet;

use proptest::prelude::*;
use soma_policy::{
    CapabilityKind, CapsuleName, Digest, Fingerprint, KillOrder, KillScope, KillState, KillSubject,
    Lift, LiftReason, Money, Operator, Operators, OrderId, Reason, Severity, Standing, Timestamp,
    Uptime,
};

use super::*;

fn subject(org: &str, capsule: &str, version: &str) -> KillSubject {
    let capsule: CapsuleName = capsule.parse().unwrap();
    KillSubject {
        capabilities: vec![CapabilityKind::Http],
        digest: Digest::of(format!("{capsule}{version}").as_bytes()),
        installation: format!("{org}/production/{}", capsule.name).parse().unwrap(),
        region: Some("eu".parse().unwrap()),
        signer: Fingerprint::of_spki(capsule.publisher.as_str().as_bytes()),
        tools: Vec::new(),
        version: version.parse().unwrap(),
        capsule,
    }
}

fn releasing(capsule: &str, version: &str) -> Releasing {
    let KillSubject { capsule: name, digest, signer, version, .. } = subject("x", capsule, version);
    Releasing { digest, name, signer, version }
}

fn eur(text: &str) -> Option<Money> {
    Some(text.parse().unwrap())
}

#[test]
fn a_dry_run_counts_tenants_installations_calls_jobs_and_money() {
    let subjects = [
        subject("a", "acme/csv", "1.0.0"),
        subject("b", "acme/csv", "1.1.0"),
        subject("b", "zeta/x", "1.0.0"),
    ];
    let calls = [
        Running { reserved: eur("1.00 EUR"), subject: &subjects[0] },
        Running { reserved: eur("2.00 USD"), subject: &subjects[1] },
        Running { reserved: eur("9.00 EUR"), subject: &subjects[2] },
    ];
    let jobs = [Running { reserved: eur("0.50 EUR"), subject: &subjects[1] }];
    let count = |scope: &str| {
        let scope: KillScope = scope.parse().unwrap();
        blast_radius(&scope, 2, &subjects, calls, jobs)
    };
    let radius = count("capsule:acme/csv");
    assert_eq!((radius.calls, radius.jobs, radius.wide), (2, 1, false));
    assert_eq!(radius.tenants.len(), 2);
    assert_eq!(
        radius.installations,
        BTreeSet::from(["a/production/csv".into(), "b/production/csv".into()])
    );
    assert_eq!(radius.capsules["acme/csv"].len(), 2);
    let sums: Vec<String> = radius.reserved.iter().map(ToString::to_string).collect();
    assert_eq!(sums, ["1.5 EUR", "2 USD"].map(|text| text.parse::<Money>().unwrap().to_string()));
    let ranged = count("capsule:acme/csv@^1.1");
    assert_eq!((ranged.calls, ranged.installations.len()), (1, 1));
    let tenant = count("tenant:b");
    assert_eq!((tenant.calls, tenant.needed, tenant.wide), (2, 2, true));
    assert_eq!(count("tenant:nobody").installations.len(), 0);
    let json = serde_json::to_value(count("everything")).unwrap();
    assert_eq!((&json["scope"], &json["calls"]), (&"everything".into(), &3.into()));
}

#[test]
fn a_killed_digest_freezes_its_name_and_its_publisher() {
    let releases = [
        releasing("acme/csv", "1.0.0"),
        releasing("acme/csv", "2.0.0"),
        releasing("zeta/x", "1.0.0"),
    ];
    let of = |scope: &str| {
        let scope: KillScope = scope.parse().unwrap();
        consequences([(&scope, OrderId::from_u128(1))], &releases, &[])
    };
    let digest = releases[0].digest;
    let order = OrderId::from_u128(1);
    assert_eq!(
        of(&format!("digest:{digest}")),
        [
            Consequence::FreezeName { digest, name: releases[0].name.clone(), order },
            Consequence::FreezePublisher { order, publisher: "acme".parse().unwrap() },
        ]
    );
    assert_eq!(of("capsule:acme/csv@^2").len(), 2);
    assert_eq!(of("tool:acme/csv").len(), 3);
    assert_eq!(of("publisher:zeta").len(), 2);
    assert_eq!(of(&format!("signer:{}", releases[2].signer)).len(), 2);
    // Where it runs is not what it is: a tenant's or a region's kill says nothing about the release.
    for scope in
        ["tenant:a", "region:eu", "capability:http", "installation:a/production/csv", "everything"]
    {
        assert!(of(scope).is_empty(), "{scope}");
    }
}

#[test]
fn what_is_at_its_gate_is_given_up_and_what_is_active_stays() {
    let gated = [Installing { revision: 2, subject: subject("a", "acme/csv", "2.0.0") }];
    let order = OrderId::from_u128(1);
    let scope: KillScope = "tenant:a".parse().unwrap();
    let key = gated[0].subject.installation.clone();
    let expected = Consequence::BackOut { key, order, revision: 2 };
    assert_eq!(consequences([(&scope, order)], &[], &gated), [expected]);
    let other: KillScope = "tenant:b".parse().unwrap();
    assert!(consequences([(&other, order)], &[], &gated).is_empty());
}

const HOUR: u64 = soma_policy::SUSPENSION.0;

fn operators() -> Operators {
    let operator = |person: &str| Operator {
        name: person.into(),
        person: person.into(),
        key: Fingerprint::of_spki(person.as_bytes()),
    };
    Operators::new(2, ["ada", "bob", "cyd"].map(operator)).unwrap()
}

/// One document with signatures, as it travels.
#[derive(Debug, Clone)]
struct Sent {
    id: u128,
    lift: bool,
    signers: Vec<&'static str>,
    version: u32,
}

fn order(sent: &Sent) -> KillOrder {
    let scopes = ["publisher:acme", "capsule:acme/csv", "capsule:zeta/x@^1", "tenant:a"];
    KillOrder {
        evidence: None,
        id: OrderId::from_u128(sent.id),
        issued_at: Timestamp(0),
        reason: Reason::Drill,
        scope: scopes[sent.id as usize % scopes.len()].parse().unwrap(),
        severity: Severity::High,
        version: sent.version.max(1),
    }
}

fn take(state: &mut KillState, sent: &Sent) {
    let (operators, order) = (operators(), order(sent));
    let keys = sent.signers.iter().map(|person| Fingerprint::of_spki(person.as_bytes()));
    if sent.lift {
        let reason = LiftReason::try_from("over".to_owned()).unwrap();
        let lift = Lift::of(&order, reason, Timestamp(1));
        state.accept_lift(operators.recognise(lift, keys).unwrap(), Uptime(0)).unwrap();
    } else {
        state.accept_order(operators.recognise(order, keys).unwrap(), Uptime(0)).unwrap();
    }
}

/// What the marketplace does, given what was accepted.
fn outcome(state: &KillState, at: u64) -> Vec<Consequence> {
    let releases = [
        releasing("acme/csv", "1.0.0"),
        releasing("zeta/x", "1.0.0"),
        releasing("zeta/x", "2.0.0"),
    ];
    let gated = [Installing { revision: 2, subject: subject("a", "acme/csv", "2.0.0") }];
    let operators = operators();
    let statuses = state.statuses(&operators, Uptime(at));
    let stands = |standing| matches!(standing, Standing::Complete | Standing::Suspended { .. });
    let standing = statuses.iter().filter(|status| stands(status.standing));
    consequences(standing.map(|status| (&status.order.scope, status.order.id)), &releases, &gated)
}

fn sent() -> impl Strategy<Value = Sent> {
    let signers = prop::sample::subsequence(vec!["ada", "bob", "cyd"], 1..=3);
    (0u128..4, any::<bool>(), signers, 1u32..4).prop_map(|(id, lift, signers, version)| Sent {
        id,
        lift,
        signers,
        version,
    })
}

proptest! {
    #[test]
    fn what_follows_is_the_same_whatever_the_order_of_arrival(
        documents in prop::collection::vec(sent(), 1..12),
        shuffled in prop::collection::vec(any::<prop::sample::Index>(), 0..24),
    ) {
        let mut straight = KillState::default();
        documents.iter().for_each(|sent| take(&mut straight, sent));
        // Backwards, and some of them again at random.
        let mut other = KillState::default();
        documents.iter().rev().for_each(|sent| take(&mut other, sent));
        shuffled.iter().for_each(|index| take(&mut other, index.get(&documents)));
        for at in [0, HOUR - 1, HOUR, 10 * HOUR] {
            prop_assert_eq!(outcome(&straight, at), outcome(&other, at), "at {}", at);
        }
    }

    #[test]
    fn more_orders_never_mean_less(documents in prop::collection::vec(sent(), 1..8), more in sent()) {
        let mut state = KillState::default();
        documents.iter().for_each(|sent| take(&mut state, sent));
        let before: BTreeSet<Consequence> = outcome(&state, 0).into_iter().collect();
        take(&mut state, &Sent { lift: false, ..more });
        let after: BTreeSet<Consequence> = outcome(&state, 0).into_iter().collect();
        prop_assert!(before.is_subset(&after));
    }
}
