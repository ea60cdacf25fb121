//! What a verification found: a code of the catalogue, how grave it is, and the evidence.
//!
//! Finding them is the server's work (analysis, advisories, behaviour); here is what they mean.

use serde::{Deserialize, Serialize};
use soma_policy::Code;

use crate::named::named;
use crate::words::Words;

named! {
    /// How grave a finding is.
    Severity "a severity" {
        /// Worth knowing.
        Info "info",
        /// Worth mending.
        Low "low",
        /// To be looked at.
        Medium "medium",
        /// Passed only by an override with a reason.
        High "high",
        /// Never passed.
        Critical "critical",
    }
}

/// Something that a verification found.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Finding {
    /// How grave it is. First, so that findings sort by it.
    pub severity: Severity,
    /// What it is; `soma explain` knows it.
    pub code: Code,
    /// What shows it.
    pub evidence: Words,
}

impl Finding {
    /// Findings that a report holds at most; the gravest are kept.
    pub const COUNT_MAX: usize = 200;

    /// A finding with the severity that its code usually has.
    #[must_use]
    pub fn usual(code: Code, evidence: &str) -> Self {
        Self::of(code, usual_severity(code), evidence)
    }

    /// A finding whose severity its finder knows: an advisory's, a scanner's.
    #[must_use]
    pub fn of(code: Code, severity: Severity, evidence: &str) -> Self {
        Self { severity, code, evidence: Words::clipped(evidence) }
    }
}

impl From<&soma_capsule::Finding> for Finding {
    fn from(finding: &soma_capsule::Finding) -> Self {
        let severity = if finding.is_error() { Severity::Critical } else { Severity::Low };
        Self::of(finding.code, severity, &finding.message)
    }
}

/// What a code means when nobody says otherwise. A code of no review is an error of verification: critical.
const fn usual_severity(code: Code) -> Severity {
    match code {
        Code::SizeUnusual => Severity::Info,
        Code::ProvenanceMissing | Code::LicenceUnknown => Severity::Low,
        Code::SbomMissing
        | Code::NameSimilar
        | Code::SignerChanged
        | Code::BehaviourFragile
        | Code::PassportMissing => Severity::Medium,
        Code::ProvenanceMismatch
        | Code::SbomMismatch
        | Code::VulnerabilityKnown
        | Code::MalwarePattern
        | Code::SecretPattern
        | Code::BehaviourUndeclared => Severity::High,
        _ => Severity::Critical,
    }
}

/// Gravest first, without repetitions, at most [`Finding::COUNT_MAX`].
#[must_use]
pub fn sorted(mut findings: Vec<Finding>) -> Vec<Finding> {
    findings.sort_by(|a, b| b.cmp(a));
    findings.dedup();
    findings.truncate(Finding::COUNT_MAX);
    findings
}

/// The gravest severity, if anything was found.
#[must_use]
pub fn gravest(findings: &[Finding]) -> Option<Severity> {
    findings.iter().map(|finding| finding.severity).max()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gravest_come_first_and_are_never_cut() {
        let mut many: Vec<Finding> = (0..300)
            .map(|n| Finding::of(Code::LicenceUnknown, Severity::Low, &format!("{n}")))
            .collect();
        many.push(Finding::usual(Code::NamespaceNotOwned, "acme"));
        many.push(Finding::usual(Code::NamespaceNotOwned, "acme"));
        let kept = sorted(many);
        assert_eq!(kept.len(), Finding::COUNT_MAX);
        assert_eq!(kept[0].code, Code::NamespaceNotOwned);
        assert_eq!(kept[1].severity, Severity::Low);
        assert_eq!((gravest(&kept), gravest(&[])), (Some(Severity::Critical), None));
    }

    #[test]
    fn each_code_of_a_review_has_a_severity_of_its_own() {
        for code in Code::ALL.iter().filter(|code| code.family() == 'F') {
            let usual = Finding::usual(*code, "x").severity;
            assert_eq!(usual == Severity::Critical, *code == Code::NamespaceNotOwned, "{code}");
        }
        // An error of verification is never less than critical.
        assert_eq!(Finding::usual(Code::SignatureInvalid, "x").severity, Severity::Critical);
    }
}
