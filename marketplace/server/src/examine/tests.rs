//! What the examination finds, and what it says of what it did not look at.

use soma_capsule::{KeyPair, UnverifiedPackage, VerifyError};
use soma_market::finding::{Finding, Severity};
use soma_policy::{Code, Fingerprint};

use super::fixture::{bundle, capsule, component, manifest, provenance, sbom};
use super::*;

struct Case {
    key: KeyPair,
    component: Vec<u8>,
    papers: Papers,
    known: Known,
    advisories: Advisories,
}

impl Case {
    fn of(component: Vec<u8>) -> Self {
        let key = KeyPair::generate().unwrap();
        let known = Known { keys: vec![key.public().clone()], ..Known::default() };
        let (papers, advisories) = (Papers::default(), Advisories::default());
        Self { key, component, papers, known, advisories }
    }

    fn plain() -> Self {
        Self::of(capsule(&component(&[], "hello"), &manifest("acme/greeter", "1.0.0", "")))
    }

    fn run(&self) -> Result<Examined, VerifyError> {
        let said = claimed(&self.component)?;
        let package = UnverifiedPackage {
            component: self.component.clone(),
            bundle: bundle(&self.component, &self.key),
        };
        examine(package, &said, &self.papers, &self.known, &self.advisories)
    }

    fn found(&self) -> Vec<Finding> {
        self.run().unwrap().findings
    }
}

fn severity(findings: &[Finding], code: Code) -> Option<Severity> {
    findings.iter().find(|it| it.code == code).map(|it| it.severity)
}

#[test]
fn what_is_missing_and_what_was_not_examined_is_said() {
    let found = Case::plain().found();
    assert_eq!(severity(&found, Code::SbomMissing), Some(Severity::Medium));
    assert_eq!(severity(&found, Code::ProvenanceMissing), Some(Severity::Low));
    assert_eq!(severity(&found, Code::VulnerabilityKnown), Some(Severity::Info));
    assert_eq!(unobserved().code, Code::PassportMissing);
    assert!(!found.iter().any(|it| it.severity >= Severity::High), "{found:?}");
}

#[test]
fn papers_count_only_when_they_are_about_this_component() {
    let mut case = Case::plain();
    case.papers.sbom = Some(sbom(&case.component, &["pkg:cargo/serde@1.0.1"]));
    case.papers.provenance = Some(provenance(&case.component));
    let examined = case.run().unwrap();
    assert!(examined.proof.sbom && examined.proof.provenance);
    assert_eq!(severity(&examined.findings, Code::SbomMissing), None);
    case.papers.sbom = Some(sbom(b"another", &[]));
    case.papers.provenance = Some(provenance(b"another"));
    let examined = case.run().unwrap();
    assert!(!examined.proof.sbom && !examined.proof.provenance);
    assert_eq!(severity(&examined.findings, Code::SbomMismatch), Some(Severity::High));
    assert_eq!(severity(&examined.findings, Code::ProvenanceMismatch), Some(Severity::High));
    for rubbish in ["", "{", "[]", "{\"bomFormat\":\"CycloneDX\"}"] {
        case.papers.sbom = Some(rubbish.to_owned());
        assert_eq!(severity(&case.found(), Code::SbomMismatch), Some(Severity::High), "{rubbish}");
    }
}

#[test]
fn tokens_in_the_data_are_found_and_never_repeated() {
    let token = format!("ghp_{}", "a1B2".repeat(9));
    let with = |data: &str| {
        Case::of(capsule(&component(&[], data), &manifest("acme/greeter", "1.0.0", "")))
    };
    let found = with(&token).found();
    assert_eq!(severity(&found, Code::SecretPattern), Some(Severity::High));
    assert!(!found.iter().any(|it| it.evidence.as_str().contains("a1B2a1B2")), "{found:?}");
    for harmless in ["ghp_short", "xghp_", "AKIAlowercaseletters"] {
        assert_eq!(severity(&with(harmless).found(), Code::SecretPattern), None, "{harmless}");
    }
    let miner = with("stratum+tcp://pool.example:3333").found();
    assert_eq!(severity(&miner, Code::MalwarePattern), Some(Severity::High));
}

#[test]
fn another_key_another_size_and_a_name_alike_are_findings() {
    let mut case = Case::plain();
    case.known.last = Some((Fingerprint::of_spki(b"other"), 1));
    case.known.similar = vec!["acne/greeter".to_owned()];
    let found = case.found();
    assert_eq!(severity(&found, Code::SignerChanged), Some(Severity::Medium));
    assert_eq!(severity(&found, Code::SizeUnusual), Some(Severity::Info));
    assert_eq!(severity(&found, Code::NameSimilar), Some(Severity::Medium));
}

#[test]
fn names_one_edit_apart_share_a_shape_and_others_do_not() {
    let shares = |a: &str, b: &str| {
        let other = shapes(&b.parse().unwrap());
        shapes(&a.parse().unwrap()).iter().any(|shape| other.contains(shape))
    };
    for similar in ["acne/greeter", "acme/greter", "acme/greeterr", "acme/gree-ter", "acme/gr33ter"]
    {
        let close = shares("acme/greeter", similar);
        assert_eq!(close, similar != "acme/gr33ter", "{similar}");
    }
    assert!(shares("acme/tool1", "acme/tooll"));
    assert!(!shares("zeta/csv-reader", "acme/greeter"));
}

#[test]
fn what_contradicts_its_manifest_is_for_the_record_and_cannot_be_approved() {
    let undeclared = component(&["wasi:http/outgoing-handler@0.2.3"], "hello");
    let case = Case::of(capsule(&undeclared, &manifest("acme/greeter", "1.0.0", "")));
    let examined = case.run().unwrap();
    assert!(examined.candidate.is_none());
    assert!(examined.findings.iter().any(|it| it.severity == Severity::Critical));
}

#[test]
fn what_nobody_of_the_publisher_signed_is_refused() {
    let mut case = Case::plain();
    case.known.keys = vec![KeyPair::generate().unwrap().public().clone()];
    assert_eq!(case.run().unwrap_err().code(), Code::KeyNotTrusted);
    case.known.keys.clear();
    assert_eq!(case.run().unwrap_err().code(), Code::PublisherUnknown);
    let precompiled = b"\x7fELF not a component".to_vec();
    assert!(claimed(&precompiled).is_err());
}

#[test]
fn advisories_hit_the_versions_that_they_name() {
    let folder = tempfile::tempdir().unwrap();
    let advisory = serde_json::json!({
        "id": "RUSTSEC-2026-0001", "database_specific": { "severity": "moderate" },
        "affected": [{ "package": { "ecosystem": "crates.io", "name": "left_pad" },
            "ranges": [{ "type": "SEMVER", "events": [{ "introduced": "1.0.0" }, { "fixed": "1.4.0" }, { "introduced": "2.0.0" }] }] }],
    });
    std::fs::write(folder.path().join("a.json"), advisory.to_string()).unwrap();
    let mut case = Case::plain();
    case.advisories = Advisories::load(Some(folder.path())).unwrap();
    for (version, hit) in
        [("0.9.0", false), ("1.0.0", true), ("1.3.9", true), ("1.4.0", false), ("2.1.0", true)]
    {
        let purl = format!("pkg:cargo/left-pad@{version}");
        case.papers.sbom = Some(sbom(&case.component, &[&purl]));
        let found = severity(&case.found(), Code::VulnerabilityKnown);
        assert_eq!(found, hit.then_some(Severity::Medium), "{version}");
    }
    std::fs::write(folder.path().join("b.json"), "{").unwrap();
    assert!(Advisories::load(Some(folder.path())).is_err());
}
