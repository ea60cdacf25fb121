//! `tests/*.toml`: what to call, with what, and what must come of it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::{Map, Value};
use soma_policy::{CapabilityRef, Code, FunctionName, explain_serde};
use toml::Spanned;

use crate::context::Context;
use crate::failure::Failure;

const FILE_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// One test file.
#[derive(Debug)]
pub(super) struct File {
    pub(super) path: PathBuf,
    pub(super) cases: Vec<(usize, Case)>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    #[serde(default)]
    test: Vec<Spanned<Case>>,
}

/// One test.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Case {
    /// A sentence with underscores.
    pub(super) name: String,
    /// The function to call.
    pub(super) function: Option<FunctionName>,
    /// Its arguments.
    #[serde(default)]
    pub(super) args: Map<String, Value>,
    /// The HTTP request to send instead, for capsules of kind http.
    pub(super) request: Option<Request>,
    /// What must come of it.
    pub(super) expect: Expect,
    /// The time that the guest sees, RFC 3339.
    #[serde(default = "clock")]
    pub(super) clock: String,
    /// What the guest's randomness begins with.
    #[serde(default)]
    pub(super) seed: u64,
    /// Answers of servers, replayed by a real one on this machine.
    #[serde(default)]
    pub(super) http: Vec<Recorded>,
    /// Declared capabilities that are not granted.
    #[serde(default)]
    pub(super) without: Vec<CapabilityRef>,
    /// An installation file instead of granting all that is declared.
    pub(super) installation: Option<PathBuf>,
    /// Values of secrets.
    #[serde(default)]
    pub(super) secrets: BTreeMap<String, String>,
    /// Values of `[config]`.
    #[serde(default)]
    pub(super) config: BTreeMap<String, String>,
}

fn clock() -> String {
    "2026-01-01T00:00:00Z".to_owned()
}

/// An HTTP request to a capsule.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Request {
    pub(super) method: String,
    pub(super) path: String,
    #[serde(default)]
    pub(super) headers: BTreeMap<String, String>,
    #[serde(default)]
    pub(super) body: String,
}

/// A recorded exchange.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Recorded {
    pub(crate) method: String,
    pub(crate) url: String,
    #[serde(default = "ok")]
    pub(crate) status: u16,
    #[serde(default)]
    pub(crate) headers: BTreeMap<String, String>,
    /// The answer's body.
    pub(crate) body: Option<String>,
    /// A file with the answer's body, beside the test file.
    pub(crate) body_file: Option<PathBuf>,
    /// Headers that the request must have, such as a placed secret.
    #[serde(default)]
    pub(crate) wants: BTreeMap<String, String>,
}

fn ok() -> u16 {
    200
}

/// What must come of a call: exactly one of them.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Expect {
    /// This result.
    pub(super) value: Option<Value>,
    /// This error of the function.
    pub(super) error: Option<Value>,
    /// A denial: of this capability, or with this code.
    pub(super) denied: Option<String>,
    /// This limit.
    pub(super) limit: Option<String>,
    /// A trap.
    pub(super) trapped: Option<bool>,
    /// This HTTP status (with `body`, if it matters).
    pub(super) status: Option<u16>,
    /// This HTTP body.
    pub(super) body: Option<String>,
}

impl Expect {
    fn count(&self) -> usize {
        [
            self.value.is_some(),
            self.error.is_some(),
            self.denied.is_some(),
            self.limit.is_some(),
            self.trapped.is_some(),
            self.status.is_some(),
        ]
        .into_iter()
        .filter(|there| *there)
        .count()
    }
}

/// All test files of a project, by name.
pub(super) fn all(context: &Context, folder: &Path) -> Result<Vec<File>, Failure> {
    let mut files = Vec::new();
    for path in soma_host::installations::files_in(&folder.join("tests"))? {
        let bytes = context.read(&path, FILE_BYTES_MAX)?;
        files.push(parse(path, &String::from_utf8_lossy(&bytes))?);
    }
    Ok(files)
}

fn parse(path: PathBuf, text: &str) -> Result<File, Failure> {
    let line = |at: usize| text.get(..at).unwrap_or_default().matches('\n').count() + 1;
    let refused = |at: usize, what: String| {
        Failure::new(Code::ConfigurationBad, format!("{}:{} {what}", path.display(), line(at)))
    };
    let raw: Raw = toml::from_str(text)
        .map_err(|e| refused(e.span().map_or(0, |s| s.start), explain_serde(e.message())))?;
    let mut cases = Vec::new();
    for case in raw.test {
        let at = case.span().start;
        let case = case.into_inner();
        check(&case).map_err(|what| refused(at, what))?;
        cases.push((line(at), case));
    }
    Ok(File { path, cases })
}

fn check(case: &Case) -> Result<(), String> {
    let name = &case.name;
    if case.expect.count() != 1 {
        return Err(format!(
            "test `{name}`: expect one of value, error, denied, limit, trapped, status"
        ));
    }
    if case.function.is_some() == case.request.is_some() {
        return Err(format!("test `{name}`: give either function or request"));
    }
    if case.request.is_some() && case.expect.status.is_none() {
        return Err(format!("test `{name}`: a request expects a status"));
    }
    if case.clock.parse::<jiff::Timestamp>().is_err() {
        return Err(format!("test `{name}`: clock is a time such as 2026-01-02T03:04:05Z"));
    }
    match case.http.iter().find(|r| r.body.is_some() && r.body_file.is_some()) {
        Some(both) => Err(format!("test `{name}`: `{}` has body and body_file", both.url)),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<File, Failure> {
        parse(PathBuf::from("tests/x.toml"), text)
    }

    const GOOD: &str =
        "[[test]]\nname = \"a\"\nfunction = \"f\"\nargs = { x = 1 }\nexpect = { value = 2 }\n";

    #[test]
    fn a_test_knows_its_line() {
        let file = read(&format!("# first\n{GOOD}\n{GOOD}")).unwrap();
        assert_eq!(file.cases.len(), 2);
        assert!(file.cases[0].0 < file.cases[1].0, "{file:?}");
        assert_eq!(file.cases[0].1.args["x"], 1);
    }

    #[test]
    fn bad_tests_are_refused_with_file_and_line() {
        for (from, to, says) in [
            ("expect = { value = 2 }", "expect = { value = 2, limit = \"cpu\" }", "one of value"),
            ("expect = { value = 2 }", "expects = 1", "did you mean \"expect\"?"),
            ("function = \"f\"\n", "", "either function or request"),
            ("name", "clock = \"noon\"\nname", "clock is a time"),
        ] {
            let refused = read(&GOOD.replace(from, to)).unwrap_err().to_string();
            assert!(refused.starts_with("tests/x.toml:") && refused.contains(says), "{refused}");
        }
    }
}
