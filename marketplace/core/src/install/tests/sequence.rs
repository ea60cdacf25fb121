//! Every illegal move, forged records, and hostile sequences: nothing runs that was not agreed to.

use super::*;
use crate::step::Step;

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
