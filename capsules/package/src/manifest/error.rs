//! Why a manifest is refused: a code, a place, and words that say what to write instead.

use std::fmt;

use soma_policy::Code;

use crate::component::bounded;

/// Why a manifest is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManifestError {
    code: Code,
    line: Option<usize>,
    message: String,
}

impl std::error::Error for ManifestError {}

impl fmt::Display for ManifestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "capsule.toml:{line} {}", self.message),
            None => f.write_str(&self.message),
        }
    }
}

impl ManifestError {
    pub(super) fn new(code: Code, line: Option<usize>, message: impl Into<String>) -> Self {
        Self { code, line, message: message.into() }
    }

    pub(super) fn toml(text: &str, error: &toml::de::Error) -> Self {
        let line = error.span().map(|span| super::locate::line_of(text, span.start));
        let said = bounded(error.message());
        Self::new(code_of(&said), line, explain(&said))
    }

    /// What cannot be read as TOML at all.
    pub(super) fn syntax(text: &str, error: &toml::de::Error) -> Self {
        let line = error.span().map(|span| super::locate::line_of(text, span.start));
        let said = bounded(error.message());
        let twice = said.contains("duplicate");
        let code = if twice { Code::ManifestDuplicate } else { Code::ManifestSyntax };
        Self::new(code, line, said)
    }

    pub(super) fn json(error: &serde_json::Error) -> Self {
        let said = bounded(&error.to_string());
        let code = match error.classify() {
            serde_json::error::Category::Data => code_of(&said),
            _ => Code::ManifestSectionNotCanonical,
        };
        Self::new(code, None, explain(&said))
    }

    pub(super) fn canonical(error: &soma_policy::canonical::CanonicalError) -> Self {
        let message = format!("the manifest has no canonical form: {error}");
        Self::new(Code::ManifestBadValue, None, message)
    }

    pub(super) fn not_canonical() -> Self {
        let message = "the embedded manifest is not in canonical form";
        Self::new(Code::ManifestSectionNotCanonical, None, message)
    }

    /// The stable code of this refusal.
    #[must_use]
    pub fn code(&self) -> Code {
        self.code
    }

    /// The line of capsule.toml, counted from 1.
    #[must_use]
    pub fn line(&self) -> Option<usize> {
        self.line
    }

    /// What is wrong, without the place.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// What to do about it.
    #[must_use]
    pub fn remedy(&self) -> &'static str {
        self.code.entry().remedy
    }
}

/// The code that fits what serde said. Its words are stable, and the only thing it gives.
fn code_of(said: &str) -> Code {
    if said.contains("unknown field") {
        Code::ManifestUnknownKey
    } else if said.contains("missing field") {
        Code::ManifestMissingKey
    } else if said.contains("duplicate") {
        Code::ManifestDuplicate
    } else if said.contains("is not a capsule name") {
        Code::ManifestName
    } else if is_of_a_version(said) {
        Code::ManifestVersion
    } else {
        Code::ManifestBadValue
    }
}

/// Whether the semver crate said it. Only `version` is of its type.
fn is_of_a_version(said: &str) -> bool {
    said.contains("version number") || said.contains("pre-release identifier")
}

fn explain(said: &str) -> String {
    if is_of_a_version(said) {
        return format!("version: {said}; write three numbers such as \"1.2.3\"");
    }
    soma_policy::explain_serde(said)
}
