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

#[test]
fn a_failed_gate_leaves_the_active_revision_where_it_was() {
    let running = first(&v1(), GRANTED);
    let by = owner();
    let canary = Gate::Canary(Canary { calls: 20, share: 100, tolerance: 0 });
    let step =
        running.apply(change(plan(&running, &v2(), WIDER).unwrap(), &by, canary), NOW).unwrap();
    assert!(matches!(&step.effects[..], [InstallEffect::Record(_), InstallEffect::Try(2)]));
    let gating = step.next;
    assert_eq!((gating.state(), gating.record().active.number), (InstallState::Gating, 1));
    assert!(gating.is_gated(2) && !gating.is_gated(1));
    let refusal = refused(plan(&gating, &v2(), GRANTED), Code::ActivationPending);
    assert!(refusal.legal.contains(&"judge"), "{refusal:?}");
    let judged = |result, revision, now| {
        gating.apply(InstallCommand::Judge { hosts: hosts(&[1]), result, revision }, now)
    };
    refused(judged(GateResult::Passed, 7, NOW), Code::MoveStale);
    assert_eq!(judged(GateResult::Waiting, 2, NOW).unwrap().next.state(), InstallState::Gating);
    let failed = judged(GateResult::Failed("3 of 20 calls failed".into()), 2, NOW).unwrap();
    assert_eq!(failed.effects, [InstallEffect::BackedOut(2)]);
    let after = failed.next;
    assert_eq!(
        (after.state(), &after.record().active),
        (InstallState::Active, &running.record().active)
    );
    assert_eq!((after.record().previous.as_ref(), after.record().latest), (None, 2));
    let (number, why) = after.record().refused.clone().unwrap();
    assert_eq!((number, why.as_str()), (2, "3 of 20 calls failed"));
    // Undecided until its time is up is failed.
    let late = judged(GateResult::Waiting, 2, NOW.plus(DAY)).unwrap().next;
    assert!(late.record().refused.as_ref().unwrap().1.as_str().contains("nothing was decided"));
    // A number is never given a second time.
    let again = upgraded(&after, &v2(), GRANTED);
    assert_eq!((again.record().active.number, again.record().refused.clone()), (3, None));
    let passed = judged(GateResult::Passed, 2, NOW).unwrap().next;
    assert_eq!((passed.state(), passed.record().active.number), (InstallState::Pending, 2));
    assert_eq!(passed.record().previous.as_ref().unwrap().number, 1);
    let reason = "killed".parse().unwrap();
    let out = gating.apply(InstallCommand::BackOut { reason }, NOW).unwrap();
    assert_eq!(
        (out.effects, out.next.state()),
        (vec![InstallEffect::BackedOut(2)], InstallState::Active)
    );
}

#[test]
fn a_gate_must_be_able_to_decide() {
    let running = first(&v1(), GRANTED);
    let by = owner();
    let unsound = Gate::Canary(Canary { calls: 0, share: 100, tolerance: 0 });
    let plan = || plan(&running, &v2(), GRANTED).unwrap();
    refused(running.apply(change(plan(), &by, unsound), NOW), Code::FieldBad);
    let InstallCommand::Change { accepted, gate, hosts, plan, .. } =
        change(plan(), &by, Gate::Check)
    else {
        panic!("not a change")
    };
    let within = Millis(Gate::TIME_MAX.0 + 1);
    let endless = InstallCommand::Change { accepted, by: &by, gate, hosts, plan, within };
    refused(running.apply(endless, NOW), Code::FieldBad);
}

fn rolled_back(installed: &Installed, approved: &Approved) -> Result<Installed, Refusal> {
    let killed = none();
    let rollback = InstallCommand::Rollback {
        approved,
        by: Some(&owner()),
        ground: ground(&killed),
        hosts: hosts(&[1]),
    };
    installed.apply(rollback, NOW).map(|step| step.next)
}

#[test]
fn a_rollback_swaps_the_pointers_and_without_a_previous_revision_it_is_refused() {
    let running = first(&v1(), GRANTED);
    let refusal = refused(rolled_back(&running, &approved(&v1())), Code::NoPrevious);
    assert_eq!(refusal.code.entry().http, 409);
    let second = upgraded(&running, &v2(), WIDER);
    refused(rolled_back(&second, &approved(&v2())), Code::MoveStale);
    let back = rolled_back(&second, &approved(&v1())).unwrap();
    assert_eq!(back.state(), InstallState::Pending);
    assert_eq!(
        (&back.record().active, back.record().previous.as_ref()),
        (&running.record().active, Some(&second.record().active))
    );
    // Also while the swap is still under way, and forth again.
    let forth = rolled_back(&back, &approved(&v2())).unwrap();
    assert_eq!(forth.record().active, second.record().active);
    assert_eq!(forth.record().latest, 2);
}

#[test]
fn a_rollback_passes_policy_kill_and_consent_again() {
    let second = upgraded(&first(&v1(), GRANTED), &v2(), GRANTED);
    let scope = format!("digest:{}", v1().digest).parse().unwrap();
    let killed = KillSet::of([(&scope, OrderId::from_u128(1))]);
    let approved_v1 = approved(&v1());
    let rollback = InstallCommand::Rollback {
        approved: &approved_v1,
        by: None,
        ground: ground(&killed),
        hosts: hosts(&[]),
    };
    refused(second.apply(rollback, NOW), Code::Killed);
    // The operator lowered the ceiling in the meantime.
    let mut sources = soma_policy::PolicySources::starter();
    sources.limits = Some("memory = \"1 MiB\"".to_owned());
    let strict = soma_policy::OperatorPolicy::load(&sources).unwrap();
    let unharmed = none();
    let strict = Ground { killed: &unharmed, policy: &strict };
    let rollback = InstallCommand::Rollback {
        approved: &approved_v1,
        by: None,
        ground: strict,
        hosts: hosts(&[]),
    };
    refused(second.apply(rollback, NOW), Code::LimitAboveCeiling);
    // The tenant withdrew it.
    let forgotten = second.apply(InstallCommand::Forget { by: &owner() }, NOW).unwrap().next;
    refused(rolled_back(&forgotten, &approved_v1), Code::NoPrevious);
    refused(forgotten.apply(InstallCommand::Forget { by: &owner() }, NOW), Code::NoPrevious);
    // The name has another owner, whom the tenant has not agreed to.
    let mut moved = namespace();
    moved.owner = "zeta-inc".parse().unwrap();
    let release = published(&v1(), proof(&v1()), NOW).handed_over(&moved);
    let theirs = Approved::of(&release, Arc::new(v1())).unwrap();
    refused(rolled_back(&second, &theirs), Code::ConsentNeeded);
    let asked = second.apply(InstallCommand::OwnerChanged(moved.owner.clone()), NOW).unwrap().next;
    let by = owner();
    let accept =
        |owner: &str| InstallCommand::AcceptOwner { by: &by, owner: owner.parse().unwrap() };
    refused(asked.apply(accept("somebody"), NOW), Code::ConsentStale);
    let agreed = asked.apply(accept("zeta-inc"), NOW).unwrap().next;
    assert_eq!(agreed.record().owner_asked, None);
    assert!(rolled_back(&agreed, &theirs).is_ok());
    let stranger = acting(&tenant(), 71);
    let rollback = InstallCommand::Rollback {
        approved: &theirs,
        by: Some(&stranger),
        ground: ground(&unharmed),
        hosts: hosts(&[]),
    };
    refused(agreed.apply(rollback, NOW), Code::RoleLacks);
}

fn with(installed: &Installed, change: impl FnOnce(&mut InstallationSpec)) -> Installed {
    let mut record = installed.record().clone();
    change(&mut record.active.spec);
    Installed::from_record(record).unwrap()
}

fn considered(installed: &Installed, running: &CapsuleFacts, new: &CapsuleFacts) -> Update {
    consider(installed, running, &approved(new), ground(&none()), NOW)
}

#[test]
fn only_what_asks_for_no_more_comes_by_itself_and_only_where_the_tenant_says_so() {
    let asking = first(&v1(), GRANTED);
    let rolling = with(&asking, |spec| spec.on_update = OnUpdate::NarrowerOrEqual);
    assert!(matches!(considered(&asking, &v1(), &v2()), Update::Ask { plan: Ok(_), .. }));
    let Update::Roll(plan) = considered(&rolling, &v1(), &v2()) else { panic!("not rolled") };
    assert_eq!((plan.spec().digest, plan.diff().is_empty()), (v2().digest, true));
    // An author who asks for more is seen by the tenant, even if the present grants would do.
    let more =
        facts("2.0.0", &format!("{DECLARED}[config]\nkeys = [\"k\"]\noptional = true\n"), None);
    let Update::Ask { declared, plan } = considered(&rolling, &v1(), &more) else {
        panic!("not asked")
    };
    assert_eq!(declared.class(), Class::Wider);
    assert!(plan.unwrap().asks().is_empty());
    // What is required and not granted cannot be planned without the tenant.
    let required = facts("2.0.0", &format!("{DECLARED}[config]\nkeys = [\"k\"]\n"), None);
    let Update::Ask { plan: Err(refusal), .. } = considered(&rolling, &v1(), &required) else {
        panic!("planned")
    };
    assert_eq!(refusal.code, Code::GrantMissing);
    // A price rise asks.
    let dearer = facts("2.0.0", DECLARED, Some("0.01 EUR"));
    let Update::Ask { plan: Ok(plan), .. } = considered(&rolling, &v1(), &dearer) else {
        panic!("not asked")
    };
    assert!(matches!(plan.asks(), [Ask::HigherPrice { .. }]));
    // So does a change of owner that is still open.
    let asked =
        rolling.apply(InstallCommand::OwnerChanged("zeta-inc".parse().unwrap()), NOW).unwrap().next;
    assert!(matches!(considered(&asked, &v1(), &v2()), Update::Ask { .. }));
}

#[test]
fn a_narrower_version_narrows_the_grants_by_itself() {
    let declared = GRANTED.replace("/repos/acme/*/issues", "/repos/acme/web/issues");
    let narrower = facts("2.0.0", &declared, None);
    let wide = first(
        &v1(),
        &format!("{WIDER}[kv.cache]\nprefix = \"etag/\"\naccess = \"read\"\nquota = \"1 MiB\"\n"),
    );
    let rolling = with(&wide, |spec| spec.on_update = OnUpdate::NarrowerOrEqual);
    let Update::Roll(plan) = considered(&rolling, &v1(), &narrower) else { panic!("not rolled") };
    assert_eq!(plan.spec().grants, Grants::as_declared(&narrower.declarations));
    assert_eq!(plan.diff().class(), Class::Narrower);
}

#[test]
fn what_is_none_of_an_installations_business_is_ignored() {
    let running = first(&v1(), GRANTED);
    let ignored = |installed: &Installed, running: &CapsuleFacts, new: &CapsuleFacts, why: &str| {
        match considered(installed, running, new) {
            Update::Ignore(said) => assert!(said.contains(why), "{said}"),
            other => panic!("{other:?}"),
        }
    };
    ignored(&running, &v1(), &v1(), "not newer");
    ignored(&running, &v2(), &v2(), "another capsule");
    let pinned = with(&running, |spec| spec.version = "^1".parse().unwrap());
    ignored(&pinned, &v1(), &v2(), "outside");
    let by = owner();
    let gating = running
        .apply(change(plan(&running, &v2(), GRANTED).unwrap(), &by, Gate::Check), NOW)
        .unwrap()
        .next;
    ignored(&gating, &v1(), &v2(), "under way");
    let release = published(&v2(), proof(&v2()), NOW);
    let owner = acting(&acme(), 1);
    let yank = ReleaseCommand::Yank { by: &owner, reason: "a hole".parse().unwrap() };
    let yanked = Approved::of(&release.apply(yank, NOW).unwrap().next, Arc::new(v2())).unwrap();
    assert!(matches!(
        consider(&running, &v1(), &yanked, ground(&none()), NOW),
        Update::Ignore("it cannot be installed")
    ));
}

#[test]
fn every_illegal_move_is_refused_with_the_legal_ones() {
    let running = first(&v1(), GRANTED);
    let by = owner();
    let planned = plan(&running, &v2(), GRANTED).unwrap();
    let gating = running.apply(change(planned.clone(), &by, Gate::Check), NOW).unwrap().next;
    let pending = gating
        .apply(
            InstallCommand::Judge { hosts: hosts(&[1]), result: GateResult::Passed, revision: 2 },
            NOW,
        )
        .unwrap()
        .next;
    let gone = running.apply(InstallCommand::Remove { by: &by }, NOW).unwrap();
    assert_eq!(gone.effects, [InstallEffect::Gone]);
    let (approved, killed) = (approved(&v1()), none());
    for installed in [running, gating, pending, gone.next] {
        let state = installed.state();
        let commands = [
            change(planned.clone(), &by, Gate::Open),
            InstallCommand::Judge { hosts: hosts(&[]), result: GateResult::Passed, revision: 2 },
            InstallCommand::BackOut { reason: "x".parse().unwrap() },
            InstallCommand::Acknowledge { host: HostId::from_u128(1), revision: 2 },
            InstallCommand::HostGone(HostId::from_u128(1)),
            InstallCommand::Rollback {
                approved: &approved,
                by: Some(&by),
                ground: ground(&killed),
                hosts: hosts(&[]),
            },
            InstallCommand::Forget { by: &by },
            InstallCommand::OwnerChanged("zeta-inc".parse().unwrap()),
            InstallCommand::AcceptOwner { by: &by, owner: "zeta-inc".parse().unwrap() },
            InstallCommand::Remove { by: &by },
        ];
        for command in commands {
            let wanted = command.wanted();
            let result = installed.apply(command, NOW);
            let illegal = result.as_ref().is_err_and(|refusal| {
                matches!(refusal.code, Code::MoveIllegal | Code::ActivationPending)
            });
            assert_eq!(
                illegal,
                !state.moves().contains(&wanted),
                "{wanted} in {state}: {result:?}"
            );
            if let (true, Err(refusal)) = (illegal, &result) {
                let legal: Vec<&str> = state.moves().iter().map(|legal| legal.as_str()).collect();
                assert_eq!(&*refusal.legal, &*legal);
            }
        }
    }
}

#[test]
fn a_plan_is_for_the_revision_that_it_was_made_on() {
    let running = first(&v1(), GRANTED);
    let old = plan(&running, &v2(), GRANTED).unwrap();
    let second = upgraded(&running, &v2(), GRANTED);
    refused(second.apply(change(old, &owner(), Gate::Open), NOW), Code::MoveStale);
    let other: Org = org("other", OrgKind::Tenant, 80);
    let plan = plan(&running, &v2(), GRANTED).unwrap();
    refused(
        running.apply(change(plan, &acting(&other, 80), Gate::Open), NOW),
        Code::NamespaceForeign,
    );
    let mut foreign = spec(&v2(), GRANTED);
    foreign.capsule = "acme/other".parse().unwrap();
    let killed = none();
    let plan = Plan::change(&running, &approved(&v2()), foreign, ground(&killed), NOW);
    refused(plan, Code::InstallationCapsule);
}

#[test]
fn a_forged_record_is_not_read_back() {
    let installed = upgraded(&first(&v1(), GRANTED), &v2(), GRANTED);
    let record = installed.record();
    let json = serde_json::to_string(&installed).unwrap();
    let read: InstalledRecord = serde_json::from_str(&json).unwrap();
    assert_eq!(Installed::from_record(read).unwrap(), installed);
    let same = InstalledRecord { previous: Some(record.active.clone()), ..record.clone() };
    let foreign = InstalledRecord { capsule: "acme/other".parse().unwrap(), ..record.clone() };
    let early = InstalledRecord { latest: 1, ..record.clone() };
    for forged in [same, foreign, early] {
        refused(Installed::from_record(forged), Code::RecordCorrupt);
    }
}

proptest! {
    #[test]
    fn carried_grants_are_within_both_sides(
        old in crate::diff::tests::declarations(), new in crate::diff::tests::declarations(),
    ) {
        let grants = Grants::as_declared(&old);
        let carried = meet(&grants, &new);
        prop_assert_ne!(Diff::granted(&grants, &carried).class(), Class::Wider);
        // What policy says of them is at most that something required is missing.
        let mut of = facts("2.0.0", "", None);
        of.declarations = new;
        let mut file = spec(&of, "");
        file.grants = carried;
        let compiled = soma_policy::Installation::compile("issues".parse().unwrap(), file, &of, policy(), 1);
        if let Err(denials) = compiled {
            prop_assert!(denials.iter().all(|denial| denial.code == Code::GrantMissing), "{:?}", denials);
        }
    }

    #[test]
    fn carrying_over_to_the_same_declaration_changes_nothing(side in crate::diff::tests::declarations()) {
        let grants = Grants::as_declared(&side);
        prop_assert!(Diff::granted(&grants, &meet(&grants, &side)).is_empty());
        prop_assert_eq!(meet(&grants, &Declarations::default()), Grants::default());
    }
}

/// One of a few releases that differ in rights, price, owner and proof.
fn releases() -> &'static [(CapsuleFacts, Approved)] {
    static ALL: std::sync::OnceLock<Vec<(CapsuleFacts, Approved)>> = std::sync::OnceLock::new();
    ALL.get_or_init(|| {
        let mut moved = namespace();
        moved.owner = "zeta-inc".parse().unwrap();
        (0u8..6)
            .map(|n| {
                let price = (n % 3 == 1).then_some("0.02 EUR");
                let facts = facts(&format!("1.{n}.0"), DECLARED, price);
                let mut proof = proof(&facts);
                proof.sbom = n != 3;
                let mut release = published(&facts, proof, Timestamp(NOW.0 - 10 * DAY.0));
                if n == 4 {
                    release = release.handed_over(&moved);
                }
                let approved = Approved::of(&release, Arc::new(facts.clone())).unwrap();
                (facts, approved)
            })
            .collect()
    })
}

#[derive(Debug, Clone)]
struct Try {
    accept: bool,
    gate: u8,
    grants: bool,
    host: u128,
    kind: u8,
    release: usize,
    who: bool,
}

fn tries() -> impl Strategy<Value = Vec<Try>> {
    let one = (
        any::<bool>(),
        0u8..2,
        any::<bool>(),
        1u128..4,
        0u8..10,
        0usize..6,
        prop::bool::weighted(0.9),
    )
        .prop_map(|(accept, gate, grants, host, kind, release, who)| Try {
            accept,
            gate,
            grants,
            host,
            kind,
            release,
            who,
        });
    prop::collection::vec(one, 1..60)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn no_sequence_runs_what_was_not_agreed_to(tries in tries()) {
        let (killed, owner, guest) = (none(), owner(), acting(&tenant(), 71));
        let (facts, approved) = &releases()[0];
        let plan = Plan::first(&key(), approved, spec(facts, GRANTED), ground(&killed)).unwrap();
        let mut installed = Installed::install(key(), plan, &owner, hosts(&[1, 2]), NOW).unwrap().next;
        // Every revision that was ever recorded, as a store would keep them.
        let mut kept = BTreeMap::from([(1, installed.record().active.clone())]);
        for Try { accept, gate, grants, host, kind, release, who } in tries {
            let by = if who { &owner } else { &guest };
            let (facts, approved) = &releases()[release];
            let host = HostId::from_u128(host);
            let revision = installed.record().latest;
            let mut agreed = true;
            let command = match kind {
                0..=2 => {
                    let file = spec(facts, if grants { WIDER } else { GRANTED });
                    let Ok(plan) = Plan::change(&installed, approved, file, ground(&killed), NOW) else { continue };
                    agreed = accept || plan.asks().is_empty();
                    let accepted = accept.then_some(plan.hash());
                    let gate = if gate == 0 { Gate::Open } else { Gate::Check };
                    let plan = Box::new(plan);
                    InstallCommand::Change { accepted, by, gate, hosts: hosts(&[1, 2]), plan, within: DAY }
                }
                3 => {
                    let result = if grants { GateResult::Passed } else { GateResult::Failed("it broke".into()) };
                    InstallCommand::Judge { hosts: hosts(&[1, 3]), result, revision }
                }
                4 => InstallCommand::Acknowledge { host, revision: if grants { revision } else { installed.record().active.number } },
                5 => InstallCommand::HostGone(host),
                6 => InstallCommand::Rollback { approved, by: Some(by), ground: ground(&killed), hosts: hosts(&[2]) },
                7 => InstallCommand::Forget { by },
                8 => InstallCommand::OwnerChanged("zeta-inc".parse().unwrap()),
                _ => InstallCommand::AcceptOwner { by, owner: "zeta-inc".parse().unwrap() },
            };
            let wanted = command.wanted();
            let Ok(Step { next, effects }) = installed.apply(command, NOW) else { continue };
            for effect in &effects {
                if let InstallEffect::Record(made) = effect {
                    prop_assert!(agreed && who, "made without consent");
                    prop_assert_eq!(made.number, installed.record().latest + 1);
                    prop_assert!(kept.insert(made.number, (**made).clone()).is_none(), "a number twice");
                }
            }
            let (was, is) = (installed.record(), next.record());
            // Pointers lead only to revisions that were recorded, and those never change.
            for revision in std::iter::once(&is.active).chain(&is.previous).chain(is.candidate.as_ref().map(|c| &c.revision)) {
                prop_assert_eq!(Some(revision), kept.get(&revision.number));
            }
            // The active pointer moves by three moves only, and the old active revision is the previous one then.
            if is.active != was.active {
                prop_assert!(matches!(wanted, InstallMove::Change | InstallMove::Judge | InstallMove::Rollback));
                prop_assert_eq!(is.previous.as_ref(), Some(&was.active));
                prop_assert!(effects.contains(&InstallEffect::Activate(is.active.number)));
            }
            // What runs is published by somebody whom the tenant agreed to.
            let published_by = |revision: &Revision| releases().iter().find(|(f, _)| f.digest == revision.spec.digest).map(|(_, a)| a.owner().clone());
            if is.active != was.active {
                prop_assert_eq!(published_by(&is.active), Some(is.owner.clone()));
            }
            prop_assert!(is.latest >= was.latest);
            prop_assert_eq!(Installed::from_record(is.clone()), Ok(next.clone()));
            installed = next;
        }
    }
}

use crate::step::Step;
