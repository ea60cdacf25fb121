//! What is wrong with a file of a home, with its line and the way out.

use std::fmt;
use std::path::{Path, PathBuf};

use soma_policy::{Code, Denial, explain_serde};

/// What is wrong with a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileProblem {
    /// The code to explain it by.
    pub code: Code,
    /// The file.
    pub path: PathBuf,
    /// The line, where one can be named.
    pub line: Option<usize>,
    /// What is wrong.
    pub what: String,
    /// The way out.
    pub remedy: Option<String>,
}

impl fmt::Display for FileProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.path.display())?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        write!(f, " {}", self.what)
    }
}

impl std::error::Error for FileProblem {}

impl FileProblem {
    /// A problem of a whole file.
    pub(crate) fn new(code: Code, path: &Path, what: impl Into<String>) -> Self {
        Self { code, path: path.to_owned(), line: None, what: what.into(), remedy: None }
    }

    /// What policy says against a file that reads well.
    pub(crate) fn denied(path: &Path, denial: &Denial) -> Self {
        Self {
            code: denial.code,
            path: path.to_owned(),
            line: None,
            what: format!("{}: {}", denial.operation, denial.reason),
            remedy: Some(denial.remedy.clone()).filter(|r| !r.is_empty()),
        }
    }
}

pub(crate) fn line_of(text: &str, error: &toml::de::Error) -> Option<usize> {
    let start = error.span()?.start;
    let before = text.get(..start)?;
    Some(before.matches('\n').count() + 1)
}

/// A TOML error as one line: `line 14: unknown key "method"; did you mean "methods"?`.
#[must_use]
pub fn explain_toml(text: &str, error: &toml::de::Error) -> String {
    let what = explain_serde(error.message());
    match line_of(text, error) {
        Some(line) => format!("line {line}: {what}"),
        None => what,
    }
}
