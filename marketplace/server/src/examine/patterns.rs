//! Byte patterns that have no business in a component: tokens of known form, and marks of known malware.
//!
//! A short list of forms that their issuers publish, each with a prefix that is no word and a length, so that a
//! finding is worth a person's time. It proves nothing when it finds nothing. Evidence names form and place, never
//! the value.

use memchr::memmem;
use soma_market::finding::Finding;
use soma_policy::Code;

/// Findings of one kind at most.
const FOUND_MAX: usize = 20;

/// A form of token.
struct Form {
    name: &'static str,
    prefix: &'static str,
    /// Characters that follow the prefix, at least.
    length: usize,
    /// Which they are.
    of: fn(u8) -> bool,
}

const fn upper(b: u8) -> bool {
    b.is_ascii_uppercase() || b.is_ascii_digit()
}

const fn alphanumeric(b: u8) -> bool {
    b.is_ascii_alphanumeric()
}

const fn wordly(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b == b'_' || b == b'-'
}

const fn any(_: u8) -> bool {
    true
}

const FORMS: &[Form] = &[
    Form { name: "an AWS access key", prefix: "AKIA", length: 16, of: upper },
    Form { name: "an AWS session key", prefix: "ASIA", length: 16, of: upper },
    Form { name: "a GitHub token", prefix: "ghp_", length: 36, of: alphanumeric },
    Form { name: "a GitHub token", prefix: "gho_", length: 36, of: alphanumeric },
    Form { name: "a GitHub token", prefix: "ghs_", length: 36, of: alphanumeric },
    Form { name: "a GitHub token", prefix: "github_pat_", length: 60, of: wordly },
    Form { name: "a GitLab token", prefix: "glpat-", length: 20, of: wordly },
    Form { name: "a Slack token", prefix: "xoxb-", length: 24, of: wordly },
    Form { name: "a Slack token", prefix: "xoxp-", length: 24, of: wordly },
    Form { name: "a Stripe key", prefix: "sk_live_", length: 24, of: alphanumeric },
    Form { name: "a Stripe key", prefix: "rk_live_", length: 24, of: alphanumeric },
    Form { name: "a Google key", prefix: "AIza", length: 35, of: wordly },
    Form { name: "an npm token", prefix: "npm_", length: 36, of: alphanumeric },
    Form { name: "a PyPI token", prefix: "pypi-AgEIcHlwaS5vcmc", length: 50, of: wordly },
    Form { name: "an Anthropic key", prefix: "sk-ant-", length: 40, of: wordly },
    Form { name: "an OpenAI key", prefix: "sk-proj-", length: 40, of: wordly },
    Form { name: "a SendGrid key", prefix: "SG.", length: 22, of: wordly },
    Form { name: "a private key", prefix: "-----BEGIN PRIVATE KEY-----", length: 32, of: any },
    Form { name: "a private key", prefix: "-----BEGIN RSA PRIVATE KEY-----", length: 32, of: any },
    Form { name: "a private key", prefix: "-----BEGIN EC PRIVATE KEY-----", length: 32, of: any },
    Form {
        name: "a private key",
        prefix: "-----BEGIN OPENSSH PRIVATE KEY-----",
        length: 32,
        of: any,
    },
    Form {
        name: "a private key",
        prefix: "-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----",
        length: 32,
        of: any,
    },
];

/// Marks that are there for nothing else.
const MARKS: &[(&str, &str)] = &[
    ("the EICAR test file", "$EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$"),
    ("the address of a mining pool", "stratum+tcp://"),
    ("the address of a mining pool", "stratum+ssl://"),
    ("a mining script", "coinhive.min.js"),
];

/// What looks like a token or a key.
pub(super) fn secrets(bytes: &[u8]) -> Vec<Finding> {
    let mut found = Vec::new();
    for form in FORMS {
        for at in memmem::find_iter(bytes, form.prefix) {
            let before = at.checked_sub(1).and_then(|place| bytes.get(place));
            let apart = !before.is_some_and(|b| alphanumeric(*b));
            let rest = bytes.get(at + form.prefix.len()..).unwrap_or_default();
            let fits =
                rest.len() >= form.length && rest.iter().take(form.length).all(|b| (form.of)(*b));
            if apart && fits && found.len() < FOUND_MAX {
                let evidence = format!("{} begins at byte {at}", form.name);
                found.push(Finding::usual(Code::SecretPattern, &evidence));
            }
        }
    }
    found
}

/// What malware leaves.
pub(super) fn malware(bytes: &[u8]) -> Vec<Finding> {
    let found = MARKS.iter().filter_map(|(name, mark)| {
        let at = memmem::find(bytes, mark.as_bytes())?;
        Some(Finding::usual(Code::MalwarePattern, &format!("{name} at byte {at}")))
    });
    found.take(FOUND_MAX).collect()
}
