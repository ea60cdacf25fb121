//! The states of a release: each illegal move is refused with the legal ones, and no sequence binds two digests.

mod sequence;

use std::collections::BTreeMap;

use soma_policy::{Fingerprint, OrderId};

use super::*;
use crate::fixture::*;
use crate::org::{Actor, OrgKind};
use crate::review::{Candidate, Wish, decide};

fn reason() -> Words {
    "because".parse().unwrap()
}

/// One release in each state.
fn in_each_state() -> BTreeMap<ReleaseState, Release> {
    let facts = facts("1.0.0", DECLARED, None);
    let (acme, proof) = (acme(), proof(&facts));
    let owner = acting(&acme, 1);
    let step = |release: &Release, command| release.apply(command, NOW).unwrap().next;
    let draft = Release::draft(facts.name.clone(), facts.version.clone(), acme.head.id.clone(), [])
        .unwrap();
    let sent = submitted(&facts, proof);
    let verifying = step(&sent, ReleaseCommand::Verify { attempt: 1 });
    let review = in_review(&facts, proof, Vec::new());
    let reviewer = acting(&platform(), 51);
    let judged = |wish| {
        let decision = decide(&review, &acme, &entry(), &reviewer, wish, NOW).unwrap();
        review.apply(ReleaseCommand::Decide(decision), NOW).unwrap().next
    };
    let candidate = Candidate::unverified(facts.clone());
    let approved = judged(Wish::Approve { candidate: &candidate, overrides: None });
    let entry = entry();
    let published = step(&approved, ReleaseCommand::Publish { entry: &entry });
    let instead = Some(version("2.0.0"));
    let deprecated =
        step(&published, ReleaseCommand::Deprecate { by: &owner, instead, reason: reason() });
    let yanked = step(&deprecated, ReleaseCommand::Yank { by: &owner, reason: reason() });
    let revoked = step(&yanked, ReleaseCommand::Revoke { by: &owner, reason: reason() });
    let all = [
        draft,
        sent,
        verifying,
        review.clone(),
        judged(Wish::Revise(reason())),
        judged(Wish::Reject(reason())),
        approved,
        published,
        deprecated,
        yanked,
        revoked,
    ];
    all.into_iter().map(|release| (release.state(), release)).collect()
}

#[test]
fn every_illegal_move_of_every_state_is_refused_with_the_legal_ones() {
    let states = in_each_state();
    assert_eq!(states.len(), ReleaseState::ALL.len());
    let (acme, namespace, entry) = (acme(), namespace(), entry());
    let by = acting(&acme, 1);
    for (state, release) in &states {
        let package = |digest| Package {
            digest,
            id: SubmissionId::from_u128(9),
            proof: proof(&facts("1.0.0", DECLARED, None)),
        };
        let commands = [
            ReleaseCommand::Submit {
                by: &by,
                namespace: &namespace,
                entry: &entry,
                // A bound version refuses another digest by name, before the move is looked at.
                package: package(release.digest().unwrap_or(Digest::of(b"other"))),
            },
            ReleaseCommand::Verify { attempt: 1 },
            ReleaseCommand::Report { attempt: 1, report: report(Vec::new()) },
            ReleaseCommand::Publish { entry: &entry },
            ReleaseCommand::Deprecate { by: &by, instead: None, reason: reason() },
            ReleaseCommand::Yank { by: &by, reason: reason() },
            ReleaseCommand::Unyank { by: &by, reason: reason() },
            ReleaseCommand::Revoke { by: &by, reason: reason() },
        ];
        for command in commands {
            let wanted = command.wanted();
            let result = release.apply(command, NOW);
            if state.moves().contains(&wanted) {
                assert!(result.is_ok(), "{wanted} in {state}");
                continue;
            }
            let refusal = refused(result, Code::MoveIllegal);
            let legal: Vec<&str> = state.moves().iter().map(|legal| legal.as_str()).collect();
            assert_eq!((refusal.state, &*refusal.legal), (Some(state.as_str()), &*legal));
            for name in legal {
                assert!(refusal.reason.contains(name), "{refusal}");
            }
        }
    }
}

#[test]
fn a_bound_version_refuses_another_digest_for_ever() {
    let (acme, namespace, entry) = (acme(), namespace(), entry());
    let by = acting(&acme, 1);
    for (state, release) in in_each_state().into_iter().filter(|(state, _)| state.is_bound()) {
        let package = Package {
            digest: Digest::of(b"another"),
            id: SubmissionId::from_u128(9),
            proof: proof(&facts("1.0.0", DECLARED, None)),
        };
        let submit =
            ReleaseCommand::Submit { by: &by, namespace: &namespace, entry: &entry, package };
        let refusal = refused(release.apply(submit, NOW), Code::VersionTaken);
        assert_eq!(refusal.code.entry().http, 409, "{state}");
    }
}

#[test]
fn a_version_is_used_once_whatever_became_of_it_and_build_metadata_makes_no_other() {
    let name = || "acme/issues".parse().unwrap();
    let owner = || "acme-inc".parse().unwrap();
    let known = [version("1.0.0"), version("1.1.0-rc.1+two")];
    for taken in ["1.0.0", "1.0.0+build", "1.1.0-rc.1"] {
        refused(Release::draft(name(), version(taken), owner(), &known), Code::VersionTaken);
    }
    assert!(Release::draft(name(), version("1.1.0"), owner(), &known).is_ok());
}

#[test]
fn before_approval_a_new_attempt_replaces_the_old_one() {
    let facts = facts("1.0.0", DECLARED, None);
    let (acme, namespace, entry) = (acme(), namespace(), entry());
    let by = acting(&acme, 2);
    let release = in_review(&facts, proof(&facts), Vec::new());
    let again = |digest| {
        let package = Package { digest, id: SubmissionId::from_u128(2), proof: proof(&facts) };
        release.apply(
            ReleaseCommand::Submit { by: &by, namespace: &namespace, entry: &entry, package },
            NOW,
        )
    };
    refused(again(facts.digest), Code::DigestRepeated);
    let step = again(Digest::of(b"two")).unwrap();
    assert_eq!(step.effects, [ReleaseEffect::Examine(Digest::of(b"two"))]);
    let next = step.next;
    assert_eq!((next.state(), next.attempt().unwrap().number), (ReleaseState::Submitted, 2));
    assert_eq!(next.submission(SubmissionId::from_u128(1)).unwrap().number, 1);
    // What was found about the first attempt says nothing about the second.
    refused(next.apply(ReleaseCommand::Verify { attempt: 1 }, NOW), Code::MoveStale);
    let candidate = Candidate::unverified(facts.clone());
    let wish = Wish::Approve { candidate: &candidate, overrides: None };
    let decision = decide(&release, &acme, &entry, &acting(&platform(), 51), wish, NOW).unwrap();
    let verifying = next.apply(ReleaseCommand::Verify { attempt: 2 }, NOW).unwrap().next;
    let reported = ReleaseCommand::Report { attempt: 2, report: report(Vec::new()) };
    let second = verifying.apply(reported, NOW).unwrap().next;
    refused(second.apply(ReleaseCommand::Decide(decision), NOW), Code::MoveStale);
}

#[test]
fn only_the_owner_of_the_name_submits_and_only_under_it() {
    let facts = facts("1.0.0", DECLARED, None);
    let acme = acme();
    let draft = Release::draft(facts.name.clone(), facts.version.clone(), acme.head.id.clone(), [])
        .unwrap();
    let submit = |by: &Actor, entry: &CapsuleEntry| {
        let package =
            Package { digest: facts.digest, id: SubmissionId::from_u128(1), proof: proof(&facts) };
        draft.apply(ReleaseCommand::Submit { by, namespace: &namespace(), entry, package }, NOW)
    };
    let stranger = acting(&org("zeta-inc", OrgKind::Publisher, 9), 9);
    refused(submit(&stranger, &entry()), Code::NamespaceForeign);
    let other = CapsuleEntry::new("acme/other".parse().unwrap());
    refused(submit(&acting(&acme, 2), &other), Code::NamespaceForeign);
    assert!(submit(&acting(&acme, 2), &entry()).is_ok());
}

#[test]
fn an_unyanked_release_is_what_it_was_and_the_platforms_yank_is_the_platforms_to_undo() {
    let states = in_each_state();
    let (owner, ruler) = (acting(&acme(), 1), acting(&platform(), 50));
    let deprecated = &states[&ReleaseState::Deprecated];
    let yank =
        |by| deprecated.apply(ReleaseCommand::Yank { by, reason: reason() }, NOW).unwrap().next;
    let unyank =
        |release: &Release, by| release.apply(ReleaseCommand::Unyank { by, reason: reason() }, NOW);
    assert_eq!(unyank(&yank(&owner), &owner).unwrap().next.state(), ReleaseState::Deprecated);
    refused(unyank(&yank(&ruler), &owner), Code::RoleLacks);
    assert_eq!(unyank(&yank(&ruler), &ruler).unwrap().next.state(), ReleaseState::Deprecated);
    let stranger = acting(&org("zeta-inc", OrgKind::Publisher, 9), 9);
    refused(unyank(&yank(&owner), &stranger), Code::NamespaceForeign);
    // A developer takes back for now, not for good.
    let published = &states[&ReleaseState::Published];
    let developer = acting(&acme(), 2);
    assert!(
        published.apply(ReleaseCommand::Yank { by: &developer, reason: reason() }, NOW).is_ok()
    );
    refused(
        published.apply(ReleaseCommand::Revoke { by: &developer, reason: reason() }, NOW),
        Code::RoleLacks,
    );
}

#[test]
fn a_revocation_issues_a_kill_and_nothing_leads_out_of_it() {
    let published = &in_each_state()[&ReleaseState::Published];
    let ruler = acting(&platform(), 50);
    let step =
        published.apply(ReleaseCommand::Revoke { by: &ruler, reason: reason() }, NOW).unwrap();
    assert_eq!(step.effects, [ReleaseEffect::Kill(published.digest().unwrap())]);
    assert!(step.next.state().moves().is_empty());
    assert!(!step.next.state().may_run() && !step.next.state().is_installable());
}

#[test]
fn a_frozen_name_takes_no_new_release_until_an_operator_says_so() {
    let facts = facts("1.0.0", DECLARED, None);
    let states = in_each_state();
    let freeze = EntryCommand::Freeze { digest: facts.digest, order: OrderId::from_u128(4) };
    let frozen = entry().apply(freeze, NOW).unwrap();
    let again = EntryCommand::Freeze { digest: Digest::of(b"x"), order: OrderId::from_u128(5) };
    assert_eq!(frozen.apply(again, NOW).unwrap().frozen, frozen.frozen);
    let by = acting(&acme(), 1);
    let package =
        Package { digest: facts.digest, id: SubmissionId::from_u128(1), proof: proof(&facts) };
    let submit =
        ReleaseCommand::Submit { by: &by, namespace: &namespace(), entry: &frozen, package };
    refused(states[&ReleaseState::Draft].apply(submit, NOW), Code::NameFrozen);
    let publish = ReleaseCommand::Publish { entry: &frozen };
    let refusal = refused(states[&ReleaseState::Approved].apply(publish, NOW), Code::NameFrozen);
    assert!(refusal.reason.contains(&OrderId::from_u128(4).to_string()), "{refusal}");
    let (ruler, owner) = (acting(&platform(), 50), acting(&acme(), 1));
    refused(
        frozen.apply(EntryCommand::Unfreeze { by: &owner, reason: reason() }, NOW),
        Code::RoleLacks,
    );
    let free = frozen.apply(EntryCommand::Unfreeze { by: &ruler, reason: reason() }, NOW).unwrap();
    assert_eq!((free.frozen, free.sequence), (None, 3));
    refused(
        free.apply(EntryCommand::Unfreeze { by: &ruler, reason: reason() }, NOW),
        Code::MoveIllegal,
    );
}

#[test]
fn a_transfer_takes_the_releases_along() {
    let published = &in_each_state()[&ReleaseState::Published];
    let mut moved = namespace();
    assert_eq!(&published.handed_over(&moved), published);
    moved.owner = "zeta-inc".parse().unwrap();
    let next = published.handed_over(&moved);
    assert_eq!(
        (next.record().owner.as_str(), next.record().sequence),
        ("zeta-inc", published.record().sequence + 1)
    );
}

#[test]
fn attempts_are_bounded() {
    let facts = facts("1.0.0", DECLARED, None);
    let (by, namespace, entry) = (acting(&acme(), 1), namespace(), entry());
    let mut release = submitted(&facts, proof(&facts));
    let submit = |release: &Release, n: usize| {
        let digest = Digest::of(&n.to_le_bytes());
        let package =
            Package { digest, id: SubmissionId::from_u128(n as u128), proof: proof(&facts) };
        release.apply(
            ReleaseCommand::Submit { by: &by, namespace: &namespace, entry: &entry, package },
            NOW,
        )
    };
    for n in 1..ATTEMPTS_MAX {
        release = submit(&release, n).unwrap().next;
    }
    refused(submit(&release, 999), Code::TooMany);
}

#[test]
fn every_state_survives_the_store_and_a_forged_record_does_not() {
    for (state, release) in in_each_state() {
        let json = serde_json::to_string(&release).unwrap();
        let record: ReleaseRecord = serde_json::from_str(&json).unwrap();
        assert_eq!(Release::from_record(record.clone()).unwrap(), release);
        // Any other state than the one it is in contradicts the rest, unless it differs in nothing else.
        for other in ReleaseState::ALL.iter().filter(|other| **other != state) {
            let forged = Release::from_record(ReleaseRecord { state: *other, ..record.clone() });
            if let Ok(forged) = forged {
                assert_eq!(forged.digest(), release.digest(), "{state} as {other}");
            }
        }
        if let Some(approval) = &record.approval {
            let approval = Some(Approval { digest: Digest::of(b"forged"), ..approval.clone() });
            refused(
                Release::from_record(ReleaseRecord { approval, ..record.clone() }),
                Code::RecordCorrupt,
            );
        }
        if !record.attempts.is_empty() {
            let mut attempts = record.attempts.clone();
            attempts[0].number = 7;
            refused(
                Release::from_record(ReleaseRecord { attempts, ..record }),
                Code::RecordCorrupt,
            );
        }
    }
}

#[test]
fn weaker_proof_is_said_in_words() {
    let strong = Proof { provenance: true, sbom: true, signer: Fingerprint::of_spki(b"one") };
    let weak = Proof { provenance: false, sbom: false, signer: Fingerprint::of_spki(b"two") };
    assert_eq!(weak.weaker_than(&strong), [Weakness::Signer, Weakness::Provenance, Weakness::Sbom]);
    assert_eq!(strong.weaker_than(&weak), [Weakness::Signer]);
    assert!(strong.weaker_than(&strong).is_empty());
}
