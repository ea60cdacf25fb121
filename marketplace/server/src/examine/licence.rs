//! Whether the licence is an SPDX expression of identifiers that the marketplace knows.

use soma_market::finding::Finding;
use soma_policy::Code;

const KNOWN: &[&str] = &[
    "0BSD",
    "AGPL-3.0-only",
    "AGPL-3.0-or-later",
    "Apache-2.0",
    "Artistic-2.0",
    "BSD-1-Clause",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "BUSL-1.1",
    "CC-BY-4.0",
    "CC-BY-SA-4.0",
    "CC0-1.0",
    "CDDL-1.0",
    "CDDL-1.1",
    "EPL-1.0",
    "EPL-2.0",
    "EUPL-1.2",
    "GPL-2.0-only",
    "GPL-2.0-or-later",
    "GPL-3.0-only",
    "GPL-3.0-or-later",
    "ISC",
    "LGPL-2.1-only",
    "LGPL-2.1-or-later",
    "LGPL-3.0-only",
    "LGPL-3.0-or-later",
    "MIT",
    "MIT-0",
    "MPL-2.0",
    "MulanPSL-2.0",
    "NCSA",
    "OpenSSL",
    "PostgreSQL",
    "Python-2.0",
    "Unicode-3.0",
    "Unlicense",
    "WTFPL",
    "Zlib",
];

const EXCEPTIONS: &[&str] = &["LLVM-exception", "Classpath-exception-2.0", "GCC-exception-3.1"];

pub(super) fn finding(expression: &str) -> Option<Finding> {
    if is_known(expression) {
        return None;
    }
    let evidence = format!("`{}`", expression.chars().take(120).collect::<String>());
    Some(Finding::usual(Code::LicenceUnknown, &evidence))
}

/// Identifiers joined by `AND` and `OR`, each perhaps `WITH` an exception; parentheses balanced.
fn is_known(expression: &str) -> bool {
    let spaced = expression.replace('(', " ( ").replace(')', " ) ");
    let (mut depth, mut after_term) = (0i32, false);
    let mut words = spaced.split_whitespace();
    while let Some(word) = words.next() {
        match (word, after_term) {
            ("(", false) => depth += 1,
            (")", true) => depth -= 1,
            ("AND" | "OR", true) => after_term = false,
            ("WITH", true) => {
                if !words.next().is_some_and(|word| EXCEPTIONS.contains(&word)) {
                    return false;
                }
            }
            (id, false) if KNOWN.contains(&id) => after_term = true,
            _ => return false,
        }
        if depth < 0 {
            return false;
        }
    }
    after_term && depth == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_of_known_licences_pass_and_all_else_is_found() {
        for good in ["MIT", "MIT OR Apache-2.0", "(MIT AND ISC) OR Apache-2.0 WITH LLVM-exception"]
        {
            assert!(is_known(good), "{good}");
        }
        for bad in
            ["", "MIT OR", "Proprietary", "(MIT", "MIT)", "MIT ISC", "MIT WITH x", "mit", "OR MIT"]
        {
            assert!(!is_known(bad), "{bad}");
        }
    }
}
