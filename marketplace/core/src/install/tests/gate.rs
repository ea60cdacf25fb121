//! The health gate and the way back: what is given up, and what becomes active again.

use super::*;

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
