//! Whether manifest and component agree: what is imported is declared, what is declared is used,
//! what is described is exported.
//!
//! It returns findings, errors and warnings alike, and decides nothing: `verify` refuses a
//! package with errors, `soma capsule check` prints them all.

mod functions;
mod imports;

use soma_policy::Code;

use crate::component::Analysis;
use crate::manifest::Manifest;

/// How grave a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// The capsule is refused.
    Error,
    /// Worth mending, refuses nothing.
    Warning,
}

/// Something that manifest and component do not agree on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// How grave it is.
    pub severity: Severity,
    /// Its stable code.
    pub code: Code,
    /// The key of capsule.toml that it is about; `manifest::locate` finds its line.
    pub path: Vec<String>,
    /// What is wrong.
    pub message: String,
    /// What to write instead.
    pub remedy: String,
}

impl Finding {
    /// Whether the capsule is refused for it.
    #[must_use]
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }

    fn new(severity: Severity, code: Code, path: &[&str], message: String) -> Self {
        let path = path.iter().map(|part| (*part).to_string()).collect();
        let remedy = code.entry().remedy.to_string();
        Self { severity, code, path, message, remedy }
    }

    fn error(code: Code, path: &[&str], message: impl Into<String>) -> Self {
        Self::new(Severity::Error, code, path, message.into())
    }

    fn warning(code: Code, path: &[&str], message: impl Into<String>) -> Self {
        Self::new(Severity::Warning, code, path, message.into())
    }

    fn fix(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = remedy.into();
        self
    }
}

/// Compares a manifest with the component that carries it. Errors come first.
#[must_use]
pub fn check(manifest: &Manifest, analysis: &Analysis) -> Vec<Finding> {
    let mut findings = Vec::new();
    imports::undeclared(manifest, analysis, &mut findings);
    functions::described(manifest, analysis, &mut findings);
    functions::callable(manifest, analysis, &mut findings);
    imports::unused(manifest, analysis, &mut findings);
    findings.sort_by_key(|finding| !finding.is_error());
    findings
}

#[cfg(test)]
mod tests;
