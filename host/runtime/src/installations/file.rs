//! One installation file: text to [`InstallationSpec`], with the line and a suggestion when it is wrong.

use std::path::Path;

use soma_policy::{Code, InstallationSpec, explain_serde};

use super::FileProblem;
use super::problem::line_of;

/// Reads an installation file's text.
pub fn parse_spec(path: &Path, text: &str) -> Result<InstallationSpec, FileProblem> {
    toml::from_str::<InstallationSpec>(text).map_err(|error| {
        let message = error.message();
        let code = if message.contains("unknown field") {
            Code::InstallationUnknownKey
        } else if is_syntax(text) {
            Code::InstallationSyntax
        } else {
            Code::InstallationBadValue
        };
        let what = explain_serde(message);
        FileProblem { line: line_of(text, &error), ..FileProblem::new(code, path, what) }
    })
}

fn is_syntax(text: &str) -> bool {
    text.parse::<toml::Table>().is_err()
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"
schema = 1
tenant = "local"
environment = "production"
capsule = "acme/github-issues"
version = "^1.2"
digest = "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
on_update = "ask"

[grants.http.issues]
origin = "https://api.github.com:443"
methods = ["GET"]
paths = ["/repos/acme/*/issues"]
per_call = { request = "4 KiB", response = "1 MiB" }
per_day = { request = "1 MiB", response = "50 MiB" }

[budget]
limit = "5.00 EUR"
per = "day"
concurrent_calls = 16
"#;

    fn problem(from: &str, to: &str) -> FileProblem {
        assert!(GOOD.contains(from), "{from}");
        parse_spec(Path::new("x.toml"), &GOOD.replacen(from, to, 1)).unwrap_err()
    }

    #[test]
    fn a_good_file_is_read() {
        parse_spec(Path::new("x.toml"), GOOD).unwrap();
    }

    #[test]
    fn a_mistyped_key_names_its_line_and_the_right_spelling() {
        let problem = problem("methods =", "method =");
        assert_eq!(problem.code, Code::InstallationUnknownKey);
        assert_eq!(problem.line, Some(12), "{problem}");
        assert!(problem.what.contains("did you mean \"methods\"?"), "{problem}");
    }

    #[test]
    fn broken_text_and_bad_values_have_codes_of_their_own() {
        assert_eq!(problem("[budget]", "[budget").code, Code::InstallationSyntax);
        let bad = problem("5.00 EUR", "5,00 EUR");
        assert_eq!(bad.code, Code::InstallationBadValue, "{bad}");
        assert!(bad.line.is_some(), "{bad}");
        assert_eq!(problem("sha256:a", "sha256:z").code, Code::InstallationBadValue);
    }
}
