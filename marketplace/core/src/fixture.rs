//! What the tests of this crate share: organisations, capsules and policies from text.

use std::collections::BTreeSet;
use std::sync::{Arc, OnceLock};

use semver::Version;
use soma_policy::{
    Budget, CapsuleFacts, Code, Digest, Fingerprint, Grants, HostId, InstallationKey,
    InstallationSpec, KillSet, LimitsAsk, OnUpdate, OperatorPolicy, Period, PolicySources,
    SubmissionId, Timestamp, UserId,
};

use crate::finding::Finding;
use crate::install::Ground;
use crate::namespace::Namespace;
use crate::org::{Actor, Org, OrgKind, Principal, Role};
use crate::release::{CapsuleEntry, Package, Proof, Release, ReleaseCommand, Report};
use crate::review::{Approved, Candidate, Wish, decide};
use crate::risk::{Risk, Since, Standing, width};

pub(crate) const NOW: Timestamp = Timestamp(1_000_000_000_000);

pub(crate) fn user(id: u128) -> UserId {
    UserId::from_u128(id)
}

pub(crate) fn org(name: &str, kind: OrgKind, owner: u128) -> Org {
    Org::found(name.parse().unwrap(), [kind], user(owner)).unwrap()
}

pub(crate) fn acting(org: &Org, id: u128) -> Actor {
    org.actor(Principal::User(user(id))).unwrap()
}

pub(crate) fn member(org: &Org, id: u128, role: Role) -> Org {
    let mut org = org.clone();
    org.members.insert(user(id), BTreeSet::from([role]));
    org
}

/// Publisher acme-inc of person 1, with developer 2.
pub(crate) fn acme() -> Org {
    member(&org("acme-inc", OrgKind::Publisher, 1), 2, Role::Developer)
}

/// The platform of person 50, with reviewer 51.
pub(crate) fn platform() -> Org {
    member(&org("soma", OrgKind::Platform, 50), 51, Role::Reviewer)
}

/// The tenant of person 70, with member 71.
pub(crate) fn tenant() -> Org {
    member(&org("local", OrgKind::Tenant, 70), 71, Role::Member)
}

pub(crate) fn namespace() -> Namespace {
    let acme = acme();
    let name = "acme".parse().unwrap();
    Namespace::claim(name, None, acme.head.id.clone(), &acting(&acme, 1), NOW).unwrap()
}

pub(crate) fn entry() -> CapsuleEntry {
    CapsuleEntry::new("acme/issues".parse().unwrap())
}

pub(crate) const DECLARED: &str = r#"
    [http.api]
    origin = "https://api.github.com"
    methods = ["GET", "POST"]
    paths = ["/repos/*/*/issues"]
    [kv.cache]
    prefix = "etag/"
    access = "read-write"
    quota = "4 MiB"
    optional = true
"#;

pub(crate) const GRANTED: &str = r#"
    [http.api]
    origin = "https://api.github.com"
    methods = ["GET"]
    paths = ["/repos/acme/*/issues"]
"#;

pub(crate) fn facts(version: &str, declared: &str, price: Option<&str>) -> CapsuleFacts {
    CapsuleFacts {
        name: "acme/issues".parse().unwrap(),
        version: version.parse().unwrap(),
        digest: Digest::of(version.as_bytes()),
        declarations: toml::from_str(declared).unwrap(),
        limits_asked: LimitsAsk::default(),
        price: price.map(|price| price.parse().unwrap()),
        signer: Fingerprint::of_spki(b"key"),
        imports: Vec::new(),
    }
}

pub(crate) fn proof(facts: &CapsuleFacts) -> Proof {
    Proof { provenance: true, sbom: true, signer: facts.signer }
}

pub(crate) fn report(findings: Vec<Finding>) -> Report {
    let standing =
        Standing { identity_checked: true, now: NOW, published: 20, ..Standing::default() };
    let width = width(&toml::from_str(DECLARED).unwrap());
    let risk = Risk::of(&findings, &width, &standing, Since::First);
    Report::new(findings, risk, Some(Digest::of(b"passport")))
}

pub(crate) fn submitted(facts: &CapsuleFacts, proof: Proof) -> Release {
    let acme = acme();
    let draft = Release::draft(facts.name.clone(), facts.version.clone(), acme.head.id.clone(), [])
        .unwrap();
    let package = Package { digest: facts.digest, id: SubmissionId::from_u128(1), proof };
    let (by, namespace, entry) = (acting(&acme, 2), namespace(), entry());
    let submit = ReleaseCommand::Submit { by: &by, namespace: &namespace, entry: &entry, package };
    draft.apply(submit, NOW).unwrap().next
}

pub(crate) fn in_review(facts: &CapsuleFacts, proof: Proof, findings: Vec<Finding>) -> Release {
    let verifying =
        submitted(facts, proof).apply(ReleaseCommand::Verify { attempt: 1 }, NOW).unwrap().next;
    let report = ReleaseCommand::Report { attempt: 1, report: report(findings) };
    verifying.apply(report, NOW).unwrap().next
}

/// Published at `at`, with this proof.
pub(crate) fn published(facts: &CapsuleFacts, proof: Proof, at: Timestamp) -> Release {
    let release = in_review(facts, proof, Vec::new());
    let candidate = Candidate::unverified(facts.clone());
    let wish = Wish::Approve { candidate: &candidate, overrides: None };
    let reviewer = acting(&platform(), 51);
    let decision = decide(&release, &acme(), &entry(), &reviewer, wish, at).unwrap();
    let approved = release.apply(ReleaseCommand::Decide(decision), at).unwrap().next;
    approved.apply(ReleaseCommand::Publish { entry: &entry() }, at).unwrap().next
}

pub(crate) fn approved(facts: &CapsuleFacts) -> Approved {
    Approved::of(&published(facts, proof(facts), NOW), Arc::new(facts.clone())).unwrap()
}

pub(crate) fn key() -> InstallationKey {
    "local/production/issues".parse().unwrap()
}

pub(crate) fn spec(facts: &CapsuleFacts, grants: &str) -> InstallationSpec {
    InstallationSpec {
        schema: 1,
        tenant: "local".parse().unwrap(),
        environment: "production".parse().unwrap(),
        capsule: facts.name.clone(),
        version: "*".parse().unwrap(),
        digest: facts.digest,
        on_update: OnUpdate::Ask,
        grants: toml::from_str::<Grants>(grants).unwrap(),
        budget: Some(Budget {
            concurrent_calls: 16,
            limit: "5.00 EUR".parse().unwrap(),
            per: Period::Day,
        }),
        config: std::collections::BTreeMap::new(),
        limits: LimitsAsk::default(),
        offer: None,
    }
}

/// Loaded once: parsing and validating a bundle takes longer than all else that these tests do.
pub(crate) fn policy() -> &'static OperatorPolicy {
    static STARTER: OnceLock<OperatorPolicy> = OnceLock::new();
    STARTER.get_or_init(|| OperatorPolicy::load(&PolicySources::starter()).unwrap())
}

pub(crate) fn ground(killed: &KillSet) -> Ground<'_> {
    Ground { killed, policy: policy() }
}

pub(crate) fn hosts(ids: &[u128]) -> BTreeSet<HostId> {
    ids.iter().map(|id| HostId::from_u128(*id)).collect()
}

pub(crate) fn version(text: &str) -> Version {
    text.parse().unwrap()
}

/// Asserts that something is refused, with this code.
#[track_caller]
pub(crate) fn refused<T>(result: Result<T, crate::Refusal>, code: Code) -> crate::Refusal {
    match result {
        Ok(_) => panic!("expected {code}"),
        Err(refusal) => {
            assert_eq!(refusal.code, code, "{refusal}");
            refusal
        }
    }
}
