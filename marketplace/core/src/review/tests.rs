//! Who may judge what, and what comes without a person.

use std::collections::BTreeSet;
use std::sync::Arc;

use soma_policy::{CapsuleFacts, ServiceId, SubmissionId};

use super::*;
use crate::finding::Finding;
use crate::fixture::*;
use crate::org::{OrgCommand, OrgKind, PARTING, Principal, Role};
use crate::release::{EntryCommand, Package, ReleaseCommand, ReleaseState};
use crate::risk::Score;
use soma_policy::OrderId;

fn reason() -> Words {
    "seen and understood".parse().unwrap()
}

fn capsule() -> CapsuleFacts {
    facts("1.0.0", DECLARED, None)
}

fn reviewed(findings: Vec<Finding>) -> Release {
    in_review(&capsule(), proof(&capsule()), findings)
}

fn approve(
    release: &Release,
    publisher: &Org,
    reviewer: &Actor,
    overrides: Option<Words>,
) -> Result<Decision, Refusal> {
    let candidate = Candidate::unverified(capsule());
    let wish = Wish::Approve { candidate: &candidate, overrides };
    decide(release, publisher, &entry(), reviewer, wish, NOW)
}

#[test]
fn nobody_reviews_what_is_their_own_judged_on_natural_persons() {
    let release = reviewed(Vec::new());
    let platform = platform();
    // The reviewer is also a member of the publisher.
    let insider = member(&acme(), 51, Role::Billing);
    refused(approve(&release, &insider, &acting(&platform, 51), None), Code::ReviewSelf);
    // The reviewer left it lately.
    let leave = OrgCommand::RemoveMember { user: user(51) };
    let left = insider.apply(&acting(&insider, 51), leave, NOW).unwrap();
    refused(approve(&release, &left, &acting(&platform, 51), None), Code::ReviewSelf);
    let later = NOW.plus(PARTING);
    let candidate = Candidate::unverified(capsule());
    let wish = Wish::Approve { candidate: &candidate, overrides: None };
    assert!(decide(&release, &left, &entry(), &acting(&platform, 51), wish, later).is_ok());
    // The reviewer answers for one of its service accounts.
    let robot = OrgCommand::SetService {
        service: ServiceId::from_u128(1),
        roles: BTreeSet::from([Role::Developer]),
    };
    let mut with = member(&acme(), 51, Role::Admin);
    with = with.apply(&acting(&with, 51), robot, NOW).unwrap();
    with.members.remove(&user(51));
    refused(approve(&release, &with, &acting(&platform, 51), None), Code::ReviewSelf);
    // The reviewer submitted an earlier attempt for it.
    let (by, namespace, entry) =
        (acting(&member(&acme(), 51, Role::Developer), 51), namespace(), entry());
    let package = Package {
        digest: Digest::of(b"two"),
        id: SubmissionId::from_u128(2),
        proof: proof(&capsule()),
    };
    let again = ReleaseCommand::Submit { by: &by, namespace: &namespace, entry: &entry, package };
    let release = release.apply(again, NOW).unwrap().next;
    let release = release.apply(ReleaseCommand::Verify { attempt: 2 }, NOW).unwrap().next;
    let reported = ReleaseCommand::Report { attempt: 2, report: report(Vec::new()) };
    let release = release.apply(reported, NOW).unwrap().next;
    let wish = Wish::Reject(reason());
    refused(decide(&release, &acme(), &entry, &acting(&platform, 51), wish, NOW), Code::ReviewSelf);
    // And whoever is shown another publisher than the release has is not believed.
    let zeta = org("zeta-inc", OrgKind::Publisher, 9);
    refused(approve(&reviewed(Vec::new()), &zeta, &acting(&platform, 51), None), Code::MoveStale);
}

#[test]
fn only_reviewers_of_the_platform_decide_and_only_in_review() {
    let release = reviewed(Vec::new());
    refused(approve(&release, &acme(), &acting(&tenant(), 70), None), Code::RoleLacks);
    let auditor = member(&platform(), 60, Role::Auditor);
    refused(approve(&release, &acme(), &acting(&auditor, 60), None), Code::RoleLacks);
    let mut robots = platform();
    let account = crate::org::ServiceAccount {
        enabled: true,
        responsible: user(50),
        roles: BTreeSet::from([Role::Reviewer]),
    };
    robots.services.insert(ServiceId::from_u128(1), account);
    let robot = robots.actor(Principal::Service(ServiceId::from_u128(1))).unwrap();
    refused(approve(&release, &acme(), &robot, None), Code::PersonNeeded);
    let early = submitted(&capsule(), proof(&capsule()));
    let refusal =
        refused(approve(&early, &acme(), &acting(&platform(), 51), None), Code::MoveIllegal);
    assert_eq!(&*refusal.legal, ["submit", "verify"]);
}

#[test]
fn a_grave_finding_is_passed_only_with_right_and_reason_and_a_critical_one_never() {
    let high = reviewed(vec![Finding::usual(Code::SecretPattern, "AKIA…")]);
    let (reviewer, chief) = (acting(&platform(), 51), acting(&platform(), 50));
    refused(approve(&high, &acme(), &reviewer, Some(reason())), Code::ReviewOverride);
    refused(approve(&high, &acme(), &chief, None), Code::ReviewReason);
    let decision = approve(&high, &acme(), &chief, Some(reason())).unwrap();
    assert_eq!(decision.judge(), &Judge::Person { reviewer: user(50), overrode: Some(reason()) });
    let critical = reviewed(vec![Finding::usual(Code::NamespaceNotOwned, "acme")]);
    refused(approve(&critical, &acme(), &chief, Some(reason())), Code::ReviewBlocked);
    // A reason where none is needed is not kept as an override.
    let calm = reviewed(vec![Finding::usual(Code::LicenceUnknown, "beer")]);
    let decision = approve(&calm, &acme(), &reviewer, Some(reason())).unwrap();
    assert_eq!(decision.judge(), &Judge::Person { reviewer: user(51), overrode: None });
    assert_eq!((decision.attempt(), decision.digest()), (1, capsule().digest));
}

#[test]
fn what_is_approved_is_exactly_what_was_verified() {
    let release = reviewed(Vec::new());
    let reviewer = acting(&platform(), 51);
    let others = [
        CapsuleFacts { digest: Digest::of(b"other"), ..capsule() },
        CapsuleFacts { version: version("9.0.0"), ..capsule() },
        CapsuleFacts { signer: soma_policy::Fingerprint::of_spki(b"other"), ..capsule() },
        CapsuleFacts { name: "acme/other".parse().unwrap(), ..capsule() },
    ];
    for other in others {
        let candidate = Candidate::unverified(other);
        let wish = Wish::Approve { candidate: &candidate, overrides: None };
        refused(decide(&release, &acme(), &entry(), &reviewer, wish, NOW), Code::MoveStale);
    }
    // After approval nothing of it can be exchanged either.
    let published = published(&capsule(), proof(&capsule()), NOW);
    assert!(Approved::of(&published, Arc::new(capsule())).is_ok());
    let wider = DECLARED.replace("github.com", "evil.example");
    let dearer = facts("1.0.0", DECLARED, Some("1.00 EUR"));
    for forged in [facts("1.0.0", &wider, None), dearer] {
        refused(Approved::of(&published, Arc::new(forged)), Code::ApprovalMissing);
    }
    refused(Approved::of(&release, Arc::new(capsule())), Code::ApprovalMissing);
}

#[test]
fn a_frozen_name_is_not_approved() {
    let freeze = EntryCommand::Freeze { digest: capsule().digest, order: OrderId::from_u128(1) };
    let frozen = entry().apply(freeze, NOW).unwrap();
    let candidate = Candidate::unverified(capsule());
    let wish = Wish::Approve { candidate: &candidate, overrides: None };
    let reviewer = acting(&platform(), 51);
    refused(
        decide(&reviewed(Vec::new()), &acme(), &frozen, &reviewer, wish, NOW),
        Code::NameFrozen,
    );
    let wish = Wish::Revise(reason());
    assert!(decide(&reviewed(Vec::new()), &acme(), &frozen, &reviewer, wish, NOW).is_ok());
}

const ALLOWED: ReviewRules =
    ReviewRules { auto_approve: true, below: Score::QUEUE, passport: true };

fn automatically(release: &Release, rules: &ReviewRules) -> Automatic {
    let candidate = Candidate::unverified(capsule());
    automatic(release, &namespace(), &entry(), Some(&candidate), rules).unwrap()
}

fn queued(automatic: Automatic) -> String {
    match automatic {
        Automatic::Queue(why) => why.join("; "),
        Automatic::Decided(decision) => panic!("decided {:?}", decision.ruling()),
    }
}

#[test]
fn little_risk_comes_by_itself_if_the_operator_allows() {
    let release = reviewed(Vec::new());
    let Automatic::Decided(decision) = automatically(&release, &ALLOWED) else { panic!("queued") };
    assert_eq!(decision.judge(), &Judge::Automatic);
    let approved = release.apply(ReleaseCommand::Decide(decision), NOW).unwrap().next;
    assert_eq!(approved.state(), ReleaseState::Approved);
    let strict = ReviewRules::default();
    assert!(queued(automatically(&release, &strict)).contains("every release looked at"));
    let low = ReviewRules { below: Score::thousandths(10), ..ALLOWED };
    assert!(queued(automatically(&release, &low)).contains("not below 0.010"));
}

#[test]
fn a_grave_finding_a_freeze_or_a_missing_passport_calls_a_person() {
    let grave = reviewed(vec![Finding::usual(Code::MalwarePattern, "x")]);
    assert!(queued(automatically(&grave, &ALLOWED)).contains("grave finding"));
    let release = reviewed(Vec::new());
    let candidate = Candidate::unverified(capsule());
    let freeze = EntryCommand::Freeze { digest: capsule().digest, order: OrderId::from_u128(1) };
    let frozen = entry().apply(freeze, NOW).unwrap();
    let why =
        queued(automatic(&release, &namespace(), &frozen, Some(&candidate), &ALLOWED).unwrap());
    assert!(why.contains("name is frozen"), "{why}");
    let command = crate::namespace::NamespaceCommand::Freeze(OrderId::from_u128(1));
    let fallen = namespace().apply(command, NOW).unwrap().next;
    let why = queued(automatic(&release, &fallen, &entry(), Some(&candidate), &ALLOWED).unwrap());
    assert!(why.contains("since a kill"), "{why}");
    let why = queued(automatic(&release, &namespace(), &entry(), None, &ALLOWED).unwrap());
    assert!(why.contains("did not pass verification"), "{why}");
    let mut unseen = report(Vec::new());
    unseen.passport = None;
    let verifying =
        submitted(&capsule(), proof(&capsule())).apply(ReleaseCommand::Verify { attempt: 1 }, NOW);
    let unseen = ReleaseCommand::Report { attempt: 1, report: unseen };
    let unseen = verifying.unwrap().next.apply(unseen, NOW).unwrap().next;
    assert!(queued(automatically(&unseen, &ALLOWED)).contains("not observed"));
    let lenient = ReviewRules { passport: false, ..ALLOWED };
    assert!(matches!(automatically(&unseen, &lenient), Automatic::Decided(_)));
    refused(
        automatic(
            &submitted(&capsule(), proof(&capsule())),
            &namespace(),
            &entry(),
            None,
            &ALLOWED,
        ),
        Code::MoveIllegal,
    );
}

#[test]
fn what_can_never_be_approved_is_sent_back_at_once_with_its_reasons() {
    let findings = vec![
        Finding::usual(Code::SignatureInvalid, "not by acme"),
        Finding::usual(Code::NamespaceNotOwned, "acme"),
    ];
    let release = reviewed(findings);
    let Automatic::Decided(decision) = automatically(&release, &ReviewRules::default()) else {
        panic!("queued")
    };
    let next = release.apply(ReleaseCommand::Decide(decision), NOW).unwrap().next;
    assert_eq!(next.state(), ReleaseState::NeedsRevision);
    let verdict = next.attempt().unwrap().verdict.clone().unwrap();
    assert_eq!(verdict.judge, Judge::Automatic);
    assert!(
        verdict.reason.as_str().contains("SOMA-V004")
            && verdict.reason.as_str().contains("SOMA-F009")
    );
}

/// A package of a component that exports one function, signed by a fresh key that is pinned for acme.
fn verified() -> soma_capsule::Verified {
    use soma_capsule::{KeyPair, TrustStore, UnverifiedPackage, bundle, section, verify};
    let component = wat::parse_str(
        r#"(component
            (core module $m (func (export "greet")))
            (core instance $i (instantiate $m))
            (func (export "greet") (canon lift (core func $i "greet"))))"#,
    )
    .unwrap();
    let manifest = r#"
        schema = 1
        name = "acme/issues"
        version = "1.0.0"
        kind = "task"
        summary = "Says hello"
        licence = "Apache-2.0"
    "#;
    let manifest = soma_capsule::CapsuleFile::parse(manifest).unwrap().manifest;
    let component = section::embed(&component, &manifest.to_canonical().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let bundle = bundle::sign_blob(&Digest::of(&component), &key).unwrap();
    let mut trust = TrustStore::new();
    trust.pin("acme".parse().unwrap(), key.public().clone()).unwrap();
    verify(UnverifiedPackage { component, bundle }, &trust, None).unwrap()
}

#[test]
fn a_package_that_verifies_is_reviewed_approved_published_and_installed() {
    let verified = verified();
    let candidate = Candidate::of(&verified);
    let facts = Arc::clone(candidate.facts());
    let release = in_review(&facts, proof(&facts), Vec::new());
    let automatic =
        automatic(&release, &namespace(), &entry(), Some(&candidate), &ALLOWED).unwrap();
    let Automatic::Decided(decision) = automatic else { panic!("queued") };
    let release = release.apply(ReleaseCommand::Decide(decision), NOW).unwrap().next;
    let release = release.apply(ReleaseCommand::Publish { entry: &entry() }, NOW).unwrap().next;
    let approved = Approved::of(&release, Arc::clone(&facts)).unwrap();
    assert_eq!(approved.facts().digest, verified.digest());
    let killed = soma_policy::KillSet::default();
    let plan =
        crate::install::Plan::first(&key(), &approved, spec(&facts, ""), ground(&killed)).unwrap();
    let owner = acting(&tenant(), 70);
    let installed =
        crate::install::Installed::install(key(), plan, &owner, hosts(&[]), NOW).unwrap();
    assert_eq!(installed.next.record().active.spec.digest, verified.digest());
    // What the checks of a package find becomes a finding of the review.
    let warning = soma_capsule::Finding {
        severity: soma_capsule::Severity::Warning,
        code: Code::ManifestUnused,
        path: Vec::new(),
        message: "kv is never imported".to_owned(),
        remedy: String::new(),
    };
    assert_eq!(Finding::from(&warning).severity, Severity::Low);
    let error = soma_capsule::Finding { severity: soma_capsule::Severity::Error, ..warning };
    assert_eq!(Finding::from(&error).severity, Severity::Critical);
}
