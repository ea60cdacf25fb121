//! No sequence of moves binds two digests to one version, or approves what nobody reviewed.

use proptest::prelude::*;
use soma_policy::UserId;

use super::super::*;
use super::reason;
use crate::finding::Finding;
use crate::fixture::*;
use crate::org::OrgKind;
use crate::review::{Candidate, Wish, decide};

/// A command of a hostile sequence.
#[derive(Debug, Clone)]
struct Try {
    attempt: u32,
    digest: u8,
    kind: u8,
    who: usize,
}

fn tries() -> impl Strategy<Value = Vec<Try>> {
    let one = (0u32..5, 0u8..4, 0u8..12, 0usize..5).prop_map(|(attempt, digest, kind, who)| Try {
        attempt,
        digest,
        kind,
        who,
    });
    prop::collection::vec(one, 1..80)
}

proptest! {
    #[test]
    fn no_sequence_binds_two_digests_or_approves_what_was_not_reviewed(tries in tries()) {
        let (acme, platform) = (acme(), platform());
        let zeta = org("zeta-inc", OrgKind::Publisher, 9);
        let actors = [acting(&acme, 1), acting(&acme, 2), acting(&platform, 50), acting(&platform, 51), acting(&zeta, 9)];
        let (namespace, entry) = (namespace(), entry());
        let of = |digest: u8| {
            let mut facts = facts("1.0.0", DECLARED, None);
            facts.digest = Digest::of(&[digest]);
            facts
        };
        let mut release = Release::draft("acme/issues".parse().unwrap(), version("1.0.0"), acme.head.id.clone(), []).unwrap();
        let mut revoked = false;
        for Try { attempt, digest, kind, who } in tries {
            let (by, facts) = (&actors[who], of(digest));
            let candidate = Candidate::unverified(facts.clone());
            let judged = |wish| decide(&release, &acme, &entry, by, wish, NOW);
            let command = match kind {
                0 => {
                    let package = Package { digest: facts.digest, id: SubmissionId::from_u128(1), proof: proof(&facts) };
                    Ok(ReleaseCommand::Submit { by, namespace: &namespace, entry: &entry, package })
                }
                1 => Ok(ReleaseCommand::Verify { attempt }),
                2 => Ok(ReleaseCommand::Report { attempt, report: report(Vec::new()) }),
                3 => Ok(ReleaseCommand::Report { attempt, report: report(vec![Finding::usual(Code::SecretPattern, "key")]) }),
                4 => judged(Wish::Approve { candidate: &candidate, overrides: None }).map(ReleaseCommand::Decide),
                5 => judged(Wish::Approve { candidate: &candidate, overrides: Some(reason()) }).map(ReleaseCommand::Decide),
                6 => judged(Wish::Revise(reason())).map(ReleaseCommand::Decide),
                7 => Ok(ReleaseCommand::Publish { entry: &entry }),
                8 => Ok(ReleaseCommand::Deprecate { by, instead: None, reason: reason() }),
                9 => Ok(ReleaseCommand::Yank { by, reason: reason() }),
                10 => Ok(ReleaseCommand::Unyank { by, reason: reason() }),
                _ => Ok(ReleaseCommand::Revoke { by, reason: reason() }),
            };
            let before = release.clone();
            let step = match command.and_then(|command| release.apply(command, NOW)) {
                Err(refusal) => {
                    if refusal.code == Code::MoveIllegal {
                        prop_assert!(refusal.legal.iter().all(|legal| before.state().moves().iter().any(|m| m.as_str() == *legal)));
                    }
                    continue;
                }
                Ok(step) => step,
            };
            let next = step.next;
            prop_assert_eq!(next.record().sequence, before.record().sequence + 1);
            // Once bound, for ever bound, to what a person other than the publisher approved.
            if before.digest().is_some() {
                prop_assert_eq!(next.digest(), before.digest());
            }
            if let Some(Approval { judge, digest, .. }) = &next.record().approval {
                let ours: UserId = user(51);
                let chief: UserId = user(50);
                let ruled = matches!(judge, Judge::Person { reviewer, .. } if [ours, chief].contains(reviewer));
                prop_assert!(ruled);
                prop_assert_eq!(*digest, next.attempt().unwrap().digest);
                let grave = next.attempt().unwrap().report.as_ref().unwrap().findings.len();
                let passed = matches!(judge, Judge::Person { overrode: Some(_), .. });
                prop_assert!(grave == 0 || passed);
            }
            prop_assert!(next.record().attempts.len() >= before.record().attempts.len());
            prop_assert!(!revoked, "something followed a revocation");
            revoked = next.state() == ReleaseState::Revoked;
            // Every state that commands lead to is one that a store may hold.
            prop_assert_eq!(Release::from_record(next.record().clone()), Ok(next.clone()));
            release = next;
        }
    }
}
