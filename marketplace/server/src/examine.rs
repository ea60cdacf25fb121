//! The automatic examination of what is submitted: everything that can be found out without running it.
//!
//! ```text
//! component + bundle ─► verify (pinned keys, analysis, manifest) ─► findings: code, severity, evidence
//! SBOM, provenance ──► about this component? ─► advisories
//! ```
//!
//! What cannot be examined here is a finding too, so that nothing passes by silence: behaviour above all, which
//! review hosts observe. What findings mean is decided by the rules of soma-market; evidence never repeats a secret.

mod advisories;
#[cfg(test)]
pub(crate) mod fixture;
mod licence;
mod names;
mod papers;
mod patterns;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use soma_capsule::bundle::KeyedSignature;
use soma_capsule::{
    Analysis, Manifest, PublicKey, TrustStore, UnverifiedPackage, VerifyError, analyse, section,
    verify,
};
use soma_market::finding::{Finding, Severity};
use soma_market::release::Proof;
use soma_market::review::Candidate;
use soma_policy::{CapsuleFacts, Code, Digest, Fingerprint};

pub(crate) use advisories::Advisories;
pub(crate) use names::shapes;

/// What comes with a component.
#[derive(Debug, Clone, Default)]
pub(crate) struct Papers {
    /// A CycloneDX or SPDX document.
    pub(crate) sbom: Option<String>,
    /// An in-toto statement, bare or in an envelope.
    pub(crate) provenance: Option<String>,
}

/// What is known beforehand.
#[derive(Debug, Default)]
pub(crate) struct Known {
    /// The publisher's keys that count.
    pub(crate) keys: Vec<PublicKey>,
    /// Other publishers' capsules with a similar name.
    pub(crate) similar: Vec<String>,
    /// The last release: who signed it and how large it was.
    pub(crate) last: Option<(Fingerprint, u64)>,
}

/// What the examination found.
#[derive(Debug)]
pub(crate) struct Examined {
    /// The manifest as it lies in the component.
    pub(crate) manifest: String,
    pub(crate) facts: Arc<CapsuleFacts>,
    pub(crate) findings: Vec<Finding>,
    pub(crate) proof: Proof,
    pub(crate) bytes: u64,
    /// What may be approved; none if verification failed.
    pub(crate) candidate: Option<Candidate>,
}

/// Whose name a component bears; nothing of it is proven.
///
/// # Errors
/// When there is no manifest that can be read.
pub(crate) fn claimed(component: &[u8]) -> Result<Manifest, VerifyError> {
    let embedded = section::extract(component)?;
    Manifest::from_canonical(embedded).map_err(|error| VerifyError::Manifest(Box::new(error)))
}

/// Examines a package whose manifest says `claimed`.
///
/// # Errors
/// When it cannot be said what it is or that its publisher signed it: then there is nothing to judge.
pub(crate) fn examine(
    package: UnverifiedPackage,
    claimed: &Manifest,
    papers: &Papers,
    known: &Known,
    advisories: &Advisories,
) -> Result<Examined, VerifyError> {
    let mut trust = TrustStore::new();
    for key in &known.keys {
        // More keys than fit do not count; the route that adds them is bounded by the same number.
        let _ = trust.pin(claimed.name.publisher.clone(), key.clone());
    }
    let component = package.component.clone();
    let bundle = package.bundle.clone();
    let digest = Digest::of(&component);
    let (facts, candidate, mut findings) = match verify(package, &trust, Some(&digest)) {
        Ok(verified) => {
            let warnings = verified.warnings().iter().map(Finding::from).collect();
            (verified.facts(), Some(Candidate::of(&verified)), warnings)
        }
        // The publisher signed it, but manifest and component contradict each other: that is for the record.
        Err(VerifyError::Disagree(errors)) => {
            let facts = contradicted(&component, &bundle, claimed, digest, &trust)?;
            (facts, None, errors.iter().map(Finding::from).collect::<Vec<_>>())
        }
        Err(refused) => return Err(refused),
    };
    let bytes = component.len() as u64;
    findings.extend(patterns::secrets(&component));
    findings.extend(patterns::malware(&component));
    findings.extend(names::finding(&claimed.name, &known.similar));
    findings.extend(licence::finding(&claimed.licence));
    findings.extend(since(known.last, facts.signer, bytes));
    let (provenance, provenance_findings) =
        papers::provenance(papers.provenance.as_deref(), &digest);
    let (sbom, sbom_findings) = papers::sbom(papers.sbom.as_deref(), &digest);
    findings.extend(provenance_findings.into_iter().chain(sbom_findings));
    findings.extend(advisories.findings(sbom.as_deref()));
    let proof = Proof { provenance, sbom: sbom.is_some(), signer: facts.signer };
    let manifest = section::extract(&component)?;
    Ok(Examined {
        manifest: String::from_utf8_lossy(manifest).into_owned(),
        facts: Arc::new(facts),
        findings,
        proof,
        bytes,
        candidate,
    })
}

/// That nobody watched it run: a finding until a passport comes.
pub(crate) fn unobserved() -> Finding {
    Finding::usual(Code::PassportMissing, "no review host has observed what it does")
}

/// The facts of a component whose signature fits and whose manifest does not.
fn contradicted(
    component: &[u8],
    bundle: &[u8],
    claimed: &Manifest,
    digest: Digest,
    trust: &TrustStore,
) -> Result<CapsuleFacts, VerifyError> {
    let hint = KeyedSignature::parse(bundle)?.hint;
    let publisher = &claimed.name.publisher;
    let found = trust.find(publisher, &hint);
    let (key, _) = found.ok_or_else(|| VerifyError::UnknownPublisher(publisher.clone()))?;
    let analysis: Analysis = analyse(component)?;
    Ok(claimed.facts(digest, key.fingerprint(), &analysis))
}

/// What changed since the last release, beyond its rights.
fn since(last: Option<(Fingerprint, u64)>, signer: Fingerprint, bytes: u64) -> Vec<Finding> {
    let Some((before, size)) = last else { return Vec::new() };
    let mut found = Vec::new();
    if before != signer {
        let evidence = format!("the last release was signed by {before}, this one by {signer}");
        found.push(Finding::usual(Code::SignerChanged, &evidence));
    }
    if bytes > size.saturating_mul(2) {
        let evidence = format!("{bytes} bytes, the last release had {size}");
        found.push(Finding::usual(Code::SizeUnusual, &evidence));
    }
    found
}

/// What was not examined, said as a finding of no weight.
fn unexamined(code: Code, evidence: &str) -> Finding {
    Finding::of(code, Severity::Info, &format!("not examined: {evidence}"))
}
