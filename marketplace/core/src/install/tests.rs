//! Installations: what must be agreed to, what comes by itself, what goes back, and that no sequence slips past.

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;
use soma_policy::{CapsuleFacts, Declarations, Fingerprint, Grants, Millis, OnUpdate, OrderId};

use super::*;
use crate::diff::{Class, Diff};
use crate::fixture::*;
use crate::org::{Actor, Org, OrgKind};
use crate::release::{ReleaseCommand, Weakness};
use crate::review::Approved;

mod gate;
mod sequence;
mod update;

const DAY: Millis = Millis(86_400_000);

/// Writes too.
const WIDER: &str = r#"
    [http.api]
    origin = "https://api.github.com"
    methods = ["GET", "POST"]
    paths = ["/repos/acme/*/issues"]
"#;

fn owner() -> Actor {
    acting(&tenant(), 70)
}

fn none() -> KillSet {
    KillSet::default()
}

fn first(facts: &CapsuleFacts, grants: &str) -> Installed {
    let killed = none();
    let plan = Plan::first(&key(), &approved(facts), spec(facts, grants), ground(&killed)).unwrap();
    Installed::install(key(), plan, &owner(), hosts(&[]), NOW).unwrap().next
}

fn plan(installed: &Installed, facts: &CapsuleFacts, grants: &str) -> Result<Plan, Refusal> {
    Plan::change(installed, &approved(facts), spec(facts, grants), ground(&none()), NOW)
}

fn change<'a>(plan: Plan, by: &'a Actor, gate: Gate) -> InstallCommand<'a> {
    let (accepted, plan) = (Some(plan.hash()), Box::new(plan));
    InstallCommand::Change { accepted, by, gate, hosts: hosts(&[]), plan, within: DAY }
}

fn upgraded(installed: &Installed, facts: &CapsuleFacts, grants: &str) -> Installed {
    let plan = plan(installed, facts, grants).unwrap();
    installed.apply(change(plan, &owner(), Gate::Open), NOW).unwrap().next
}

fn v1() -> CapsuleFacts {
    facts("1.0.0", DECLARED, None)
}

fn v2() -> CapsuleFacts {
    facts("2.0.0", DECLARED, None)
}

#[test]
fn a_first_installation_is_pending_until_every_live_host_runs_it() {
    let killed = none();
    let plan =
        Plan::first(&key(), &approved(&v1()), spec(&v1(), GRANTED), ground(&killed)).unwrap();
    assert!(plan.asks().is_empty() && plan.diff().is_empty());
    let step = Installed::install(key(), plan, &owner(), hosts(&[1, 2]), NOW).unwrap();
    assert!(matches!(&step.effects[..], [InstallEffect::Record(_), InstallEffect::Activate(1)]));
    let pending = step.next;
    assert_eq!(pending.state(), InstallState::Pending);
    let heard = |installed: &Installed, host: u128, revision| {
        let host = HostId::from_u128(host);
        installed.apply(InstallCommand::Acknowledge { host, revision }, NOW).unwrap()
    };
    // An acknowledgement of another revision, or of a host that nobody waits for, settles nothing.
    assert_eq!(heard(&pending, 1, 7).next, pending);
    assert_eq!(heard(&pending, 9, 1).next.state(), InstallState::Pending);
    let one = heard(&pending, 1, 1);
    assert_eq!((one.next.state(), one.effects.len()), (InstallState::Pending, 0));
    // The other one goes stale, and is not waited for.
    let gone = one.next.apply(InstallCommand::HostGone(HostId::from_u128(2)), NOW).unwrap();
    assert_eq!(gone.next.state(), InstallState::Active);
    assert_eq!(gone.effects, [InstallEffect::Settled(1)]);
    assert_eq!(first(&v1(), GRANTED).state(), InstallState::Active);
}

#[test]
fn granted_is_within_declared_and_within_the_operators_ceiling() {
    let killed = none();
    let refuse = |spec: InstallationSpec, code| {
        let plan = Plan::first(&key(), &approved(&v1()), spec, ground(&killed));
        refused(plan, code)
    };
    let beyond = GRANTED.replace("/repos/acme/*/issues", "/**");
    let refusal = refuse(spec(&v1(), &beyond), Code::GrantTooWide);
    assert!(!refusal.denials.is_empty() && refusal.remedy.contains("narrow"), "{refusal:?}");
    refuse(spec(&v1(), ""), Code::GrantMissing);
    let mut greedy = spec(&v1(), GRANTED);
    greedy.limits.memory = Some(soma_policy::Bytes::mib(1 << 20));
    refuse(greedy, Code::LimitAboveCeiling);
    let mut other = spec(&v1(), GRANTED);
    other.environment = "staging".parse().unwrap();
    refuse(other, Code::TenantMismatch);
    let scope = "capsule:acme/issues".parse().unwrap();
    let killed = KillSet::of([(&scope, OrderId::from_u128(1))]);
    let plan = Plan::first(&key(), &approved(&v1()), spec(&v1(), GRANTED), ground(&killed));
    assert!(refused(plan, Code::Killed).reason.contains(&OrderId::from_u128(1).to_string()));
}

#[test]
fn only_the_tenants_own_people_install_for_it() {
    let killed = none();
    let plan =
        || Plan::first(&key(), &approved(&v1()), spec(&v1(), GRANTED), ground(&killed)).unwrap();
    let stranger = acting(&org("other", OrgKind::Tenant, 80), 80);
    refused(Installed::install(key(), plan(), &stranger, hosts(&[]), NOW), Code::NamespaceForeign);
    refused(
        Installed::install(key(), plan(), &acting(&tenant(), 71), hosts(&[]), NOW),
        Code::RoleLacks,
    );
    let elsewhere = "local/staging/issues".parse().unwrap();
    refused(Installed::install(elsewhere, plan(), &owner(), hosts(&[]), NOW), Code::MoveStale);
}

#[test]
fn a_yanked_or_revoked_release_is_not_installed_and_what_runs_goes_on_under_a_yank() {
    let release = published(&v1(), proof(&v1()), NOW);
    let (by, reason) = (acting(&acme(), 1), || "a hole".parse().unwrap());
    let yanked =
        release.apply(ReleaseCommand::Yank { by: &by, reason: reason() }, NOW).unwrap().next;
    let revoked =
        release.apply(ReleaseCommand::Revoke { by: &by, reason: reason() }, NOW).unwrap().next;
    let of = |release| Approved::of(release, Arc::new(v1())).unwrap();
    let killed = none();
    let install =
        |approved: &Approved| Plan::first(&key(), approved, spec(&v1(), GRANTED), ground(&killed));
    refused(install(&of(&yanked)), Code::ReleaseYanked);
    refused(install(&of(&revoked)), Code::ReleaseRevoked);
    // Fewer rights for what runs already are not a new installation.
    let running = first(&v1(), GRANTED);
    let regrant =
        |approved| Plan::change(&running, approved, spec(&v1(), GRANTED), ground(&killed), NOW);
    let (yanked, revoked) = (of(&yanked), of(&revoked));
    assert!(regrant(&yanked).is_ok());
    refused(regrant(&revoked), Code::ReleaseRevoked);
    let second = upgraded(&running, &v2(), GRANTED);
    let back = |approved: &Approved| {
        let rollback = InstallCommand::Rollback {
            approved,
            by: Some(&owner()),
            ground: ground(&killed),
            hosts: hosts(&[]),
        };
        second.apply(rollback, NOW)
    };
    assert!(back(&yanked).is_ok());
    refused(back(&revoked), Code::ReleaseRevoked);
    let pending = in_review(&v2(), proof(&v2()), Vec::new());
    refused(Approved::of(&pending, Arc::new(v2())), Code::ApprovalMissing);
}

#[test]
fn wider_rights_ask_with_the_difference_in_words_and_take_exactly_that_consent() {
    let running = first(&v1(), GRANTED);
    let wider = plan(&running, &v2(), WIDER).unwrap();
    let [Ask::WiderRights { diff }] = wider.asks() else { panic!("{:?}", wider.asks()) };
    assert_eq!(
        diff.to_string(),
        "+ http.api: may now also POST to https://api.github.com:443/repos/acme/*/issues\n"
    );
    let by = owner();
    let make = |accepted, plan: &Plan| {
        let (plan, gate) = (Box::new(plan.clone()), Gate::Open);
        running.apply(
            InstallCommand::Change {
                accepted,
                by: &by,
                gate,
                hosts: hosts(&[]),
                plan,
                within: DAY,
            },
            NOW,
        )
    };
    let refusal = refused(make(None, &wider), Code::ConsentNeeded);
    assert!(refusal.reason.contains("POST"), "{refusal}");
    // Consent to another change, even to one that asks for less, is not consent to this one.
    let other = plan(&running, &v2(), GRANTED).unwrap();
    refused(make(Some(other.hash()), &wider), Code::ConsentStale);
    let done = make(Some(wider.hash()), &wider).unwrap().next;
    assert_eq!(done.record().active.consent, Consent { at: NOW, by: user(70), plan: wider.hash() });
    assert_eq!((done.record().active.number, done.record().latest), (2, 2));
    // Narrower again needs no consent.
    let less = plan(&done, &v2(), GRANTED).unwrap();
    assert_eq!((less.asks().len(), less.diff().class()), (0, Class::Narrower));
}

#[test]
fn a_higher_price_another_owner_and_weaker_proof_ask_too() {
    let running = first(&facts("1.0.0", DECLARED, Some("0.01 EUR")), GRANTED);
    let asks = |facts: &CapsuleFacts| plan(&running, facts, GRANTED).unwrap().asks().to_vec();
    let words =
        |asks: Vec<Ask>| asks.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
    let price = |text| words(asks(&facts("2.0.0", DECLARED, text)));
    assert!(
        price(Some("0.02 EUR")).starts_with("a call costs 0.02"),
        "{}",
        price(Some("0.02 EUR"))
    );
    assert_eq!(price(Some("0.01 EUR")), "");
    assert_eq!(price(Some("0.005 EUR")), "");
    assert_eq!(price(None), "");
    let free = first(&v1(), GRANTED);
    assert_eq!(
        plan(&free, &facts("2.0.0", DECLARED, Some("0.01 EUR")), GRANTED).unwrap().asks().len(),
        1
    );
    // Another owner of the publisher's name.
    let mut moved = namespace();
    moved.owner = "zeta-inc".parse().unwrap();
    let release = published(&v2(), proof(&v2()), NOW).handed_over(&moved);
    let other = Approved::of(&release, Arc::new(v2())).unwrap();
    let killed = none();
    let plan = Plan::change(&free, &other, spec(&v2(), GRANTED), ground(&killed), NOW).unwrap();
    assert_eq!(
        words(plan.asks().to_vec()),
        "it is published by `zeta-inc`, no longer by `acme-inc`"
    );
    let done = free.apply(change(plan, &owner(), Gate::Open), NOW).unwrap().next;
    assert_eq!(done.record().owner.as_str(), "zeta-inc");
}

#[test]
fn weaker_proof_of_origin_waits_and_then_asks() {
    let running = first(&v1(), GRANTED);
    let mut weak = proof(&v2());
    weak.provenance = false;
    let release = published(&v2(), weak, NOW);
    let approved = Approved::of(&release, Arc::new(v2())).unwrap();
    let killed = none();
    let plan = |now| Plan::change(&running, &approved, spec(&v2(), GRANTED), ground(&killed), now);
    let ready = NOW.plus(PROOF_PAUSE);
    let refusal = refused(plan(soma_policy::Timestamp(ready.0 - 1)), Code::CoolOff);
    assert!(
        refusal.reason.contains(&ready.to_string()) && refusal.reason.contains("sources"),
        "{refusal}"
    );
    let plan = plan(ready).unwrap();
    assert_eq!(plan.asks(), [Ask::WeakerProof { what: vec![Weakness::Provenance] }]);
    // Another key is weaker proof as well.
    let mut other = v2();
    other.signer = Fingerprint::of_spki(b"other");
    let release = published(&other, proof(&other), NOW);
    let approved = Approved::of(&release, Arc::new(other.clone())).unwrap();
    let plan =
        Plan::change(&running, &approved, spec(&other, GRANTED), ground(&killed), ready).unwrap();
    assert_eq!(plan.asks(), [Ask::WeakerProof { what: vec![Weakness::Signer] }]);
}
