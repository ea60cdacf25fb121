//! What comes with a component: whether it is about this component at all.
//!
//! A bill of materials is CycloneDX or SPDX, as JSON, and names the component's SHA-256. Provenance is an in-toto
//! statement whose subject is the component. Who signed the statement is not checked here, and a finding says so.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use soma_market::finding::Finding;
use soma_policy::{Code, Digest};

use super::unexamined;

/// Packages of one bill that are looked at.
const PACKAGES_MAX: usize = 10_000;

/// A library that a component contains.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Library {
    /// `cargo`, `npm`, `pypi` …
    pub(super) kind: String,
    pub(super) name: String,
    pub(super) version: String,
}

fn hex(digest: &Digest) -> String {
    digest.to_string().trim_start_matches("sha256:").to_owned()
}

fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value.get(key).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

/// Whether a statement of where this component comes from is there, and what is to be said of it.
pub(super) fn provenance(given: Option<&str>, digest: &Digest) -> (bool, Vec<Finding>) {
    let Some(given) = given else {
        let missing = Finding::usual(Code::ProvenanceMissing, "no statement came with it");
        return (false, vec![missing]);
    };
    let names = statement(given).is_some_and(|statement| {
        list(&statement, "subject").iter().any(|subject| {
            subject.get("digest").is_some_and(|digests| text(digests, "sha256") == hex(digest))
        })
    });
    if names {
        let said = "the statement names this component; who signed it is not checked";
        return (true, vec![unexamined(Code::ProvenanceMismatch, said)]);
    }
    let evidence = format!("no subject of the statement is {digest}");
    (false, vec![Finding::usual(Code::ProvenanceMismatch, &evidence)])
}

/// An in-toto statement, bare or in an envelope.
fn statement(given: &str) -> Option<Value> {
    let value: Value = serde_json::from_str(given).ok()?;
    let envelope = value.get("dsseEnvelope").unwrap_or(&value);
    match envelope.get("payload").and_then(Value::as_str) {
        Some(payload) => serde_json::from_slice(&STANDARD.decode(payload).ok()?).ok(),
        None => Some(value),
    }
}

/// The libraries of a bill of materials that is about this component, and what is to be said of it.
pub(super) fn sbom(given: Option<&str>, digest: &Digest) -> (Option<Vec<Library>>, Vec<Finding>) {
    let Some(given) = given else {
        return (None, vec![Finding::usual(Code::SbomMissing, "none came with it")]);
    };
    let wrong = |evidence: &str| (None, vec![Finding::usual(Code::SbomMismatch, evidence)]);
    let Ok(bill) = serde_json::from_str::<Value>(given) else {
        return wrong("it is not JSON");
    };
    let cyclone = text(&bill, "bomFormat") == "CycloneDX";
    let spdx = text(&bill, "spdxVersion").starts_with("SPDX-2");
    if !cyclone && !spdx {
        return wrong("it is neither CycloneDX nor SPDX 2");
    }
    let names = if cyclone { names_cyclone(&bill, digest) } else { names_spdx(&bill, digest) };
    if !names {
        return wrong(&format!("it does not name {digest}"));
    }
    let libraries = if cyclone { libraries_cyclone(&bill) } else { libraries_spdx(&bill) };
    (Some(libraries), Vec::new())
}

fn names_cyclone(bill: &Value, digest: &Digest) -> bool {
    let main = bill.get("metadata").and_then(|it| it.get("component"));
    main.is_some_and(|main| {
        list(main, "hashes")
            .iter()
            .any(|hash| text(hash, "alg") == "SHA-256" && text(hash, "content") == hex(digest))
    })
}

fn names_spdx(bill: &Value, digest: &Digest) -> bool {
    let files = list(bill, "files").iter().chain(list(bill, "packages"));
    files
        .flat_map(|it| list(it, "checksums"))
        .any(|sum| text(sum, "algorithm") == "SHA256" && text(sum, "checksumValue") == hex(digest))
}

fn libraries_cyclone(bill: &Value) -> Vec<Library> {
    let purls = list(bill, "components").iter().map(|it| text(it, "purl"));
    purls.take(PACKAGES_MAX).filter_map(library).collect()
}

fn libraries_spdx(bill: &Value) -> Vec<Library> {
    let references = list(bill, "packages").iter().flat_map(|it| list(it, "externalRefs"));
    let purls = references
        .filter(|it| text(it, "referenceType") == "purl")
        .map(|it| text(it, "referenceLocator"));
    purls.take(PACKAGES_MAX).filter_map(library).collect()
}

/// `pkg:cargo/serde@1.0.1?x#y` as a library.
fn library(purl: &str) -> Option<Library> {
    let rest = purl.strip_prefix("pkg:")?;
    let rest = rest.split(['?', '#']).next()?;
    let (kind, rest) = rest.split_once('/')?;
    let (name, version) = rest.rsplit_once('@')?;
    let name = name.replace("%40", "@");
    Some(Library { kind: kind.to_owned(), name, version: version.to_owned() })
}
