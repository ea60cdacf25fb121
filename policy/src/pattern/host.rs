//! Schemes and hosts: `api.github.com`, `*.example.org`, `[2001:db8::1]`.
//!
//! `*` is exactly one label, `**` is one label or more, both only in front. IP literals are exact.
//! Names are compared in their one form: lower case, punycode, without a trailing dot.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use super::PatternError;
use crate::suggest::did_you_mean;
use crate::text::string_form;

const KIND: &str = "a host";

/// `http` or `https`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scheme {
    /// Plain HTTP.
    Http,
    /// HTTP over TLS.
    Https,
}

impl Scheme {
    /// `http` or `https`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    /// The port that is meant when none is written.
    #[must_use]
    pub const fn default_port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Scheme {
    type Err = PatternError;
    fn from_str(text: &str) -> Result<Self, PatternError> {
        match text {
            "http" => Ok(Self::Http),
            "https" => Ok(Self::Https),
            _ => {
                let hint = did_you_mean(text, &["https", "http"]);
                Err(PatternError::new("a scheme", text, format!("use https or http{hint}")))
            }
        }
    }
}

/// The one form of a host: an IP literal or a lower-case punycode name. IPv6 has no brackets here.
pub(crate) fn canonical_host(text: &str) -> Result<String, &'static str> {
    if let Some(inner) = text.strip_prefix('[') {
        let inner = inner.strip_suffix(']').ok_or("an IPv6 address ends with `]`")?;
        if inner.contains('%') {
            return Err("an address has no zone id");
        }
        let address: std::net::Ipv6Addr = inner.parse().map_err(|_| "it is no IPv6 address")?;
        return Ok(address.to_string());
    }
    if text.is_empty() {
        return Err("it is empty");
    }
    if text.ends_with('.') {
        return Err("a trailing dot is not used");
    }
    if is_plain(text) {
        check_name(text)?;
        return Ok(text.to_owned());
    }
    let ascii = idna::domain_to_ascii_strict(text).map_err(|_| "it is no host name")?;
    check_name(&ascii)?;
    Ok(ascii)
}

/// Whether a name is its own canonical form as far as IDNA goes, which then need not be asked.
fn is_plain(text: &str) -> bool {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'.';
    text.bytes().all(plain) && !text.contains("--")
}

fn check_name(ascii: &str) -> Result<(), &'static str> {
    if ascii.len() > 253 {
        return Err("it is longer than 253 characters");
    }
    let label = |part: &str| {
        (1..=63).contains(&part.len())
            && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
            && !part.starts_with('-')
            && !part.ends_with('-')
    };
    if !ascii.split('.').all(label) {
        return Err("its labels are 1 to 63 letters, digits and inner hyphens");
    }
    // What ends in a number is an address to every resolver: only the plain dotted form is one meaning.
    let last = ascii.rsplit('.').next().unwrap_or_default();
    let numeric = last.bytes().all(|b| b.is_ascii_digit()) || last.starts_with("0x");
    if numeric
        && ascii.parse::<std::net::Ipv4Addr>().map(|ip| ip.to_string()).as_deref() != Ok(ascii)
    {
        return Err("an IPv4 address is four plain decimal numbers");
    }
    Ok(())
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Form {
    /// This host alone.
    Exact(Box<str>),
    /// `*.suffix`: one label in front of it.
    One(Box<str>),
    /// `**.suffix`: one label or more in front of it.
    Deep(Box<str>),
    /// `**`: every name, and no address.
    AnyName,
}

/// Which hosts: exact, `*.example.org`, `**.example.org`, or `**` for every name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostPattern(Form);

impl HostPattern {
    /// Whether a canonical host (see [`crate::HttpRequest::canonical`]) matches.
    #[must_use]
    pub fn allows(&self, host: &str) -> bool {
        match &self.0 {
            Form::Exact(exact) => **exact == *host,
            Form::One(suffix) => front(host, suffix).is_some_and(|f| !f.contains('.')),
            Form::Deep(suffix) => front(host, suffix).is_some(),
            Form::AnyName => host.parse::<IpAddr>().is_err(),
        }
    }

    /// Whether every host that `inner` allows is allowed here.
    #[must_use]
    pub fn covers(&self, inner: &Self) -> bool {
        match (&self.0, &inner.0) {
            (_, Form::Exact(host)) => self.allows(host),
            (Form::One(a), Form::One(b)) => a == b,
            (Form::Deep(a), Form::One(b) | Form::Deep(b)) => a == b || front(b, a).is_some(),
            (Form::AnyName, _) => true,
            _ => false,
        }
    }

    /// The host, when the pattern is exactly one.
    #[must_use]
    pub fn exact(&self) -> Option<&str> {
        match &self.0 {
            Form::Exact(host) => Some(host),
            _ => None,
        }
    }
}

/// What stands before `.suffix`, if anything does.
fn front<'a>(host: &'a str, suffix: &str) -> Option<&'a str> {
    host.strip_suffix(suffix)?.strip_suffix('.').filter(|front| !front.is_empty())
}

impl FromStr for HostPattern {
    type Err = PatternError;
    fn from_str(text: &str) -> Result<Self, PatternError> {
        let fail = |rule: &str| PatternError::new(KIND, text, rule);
        let suffix = |rest: &str| -> Result<Box<str>, PatternError> {
            let name = canonical_host(rest).map_err(&fail)?;
            let wild = rest.contains('*') || name.parse::<IpAddr>().is_ok() || !name.contains('.');
            if wild {
                Err(fail("a wildcard needs a name of two labels or more behind it"))
            } else {
                Ok(name.into())
            }
        };
        let form = match text {
            "**" => Form::AnyName,
            "*" => return Err(fail("did you mean \"**\" (every name)?")),
            _ => match (text.strip_prefix("**."), text.strip_prefix("*.")) {
                (Some(rest), _) => Form::Deep(suffix(rest)?),
                (None, Some(rest)) => Form::One(suffix(rest)?),
                (None, None) if text.contains('*') => return Err(fail(&wildcard_hint(text))),
                (None, None) => Form::Exact(canonical_host(text).map_err(fail)?.into()),
            },
        };
        Ok(Self(form))
    }
}

fn wildcard_hint(text: &str) -> String {
    let rest = text
        .rsplit_once('*')
        .map(|(_, rest)| rest.trim_start_matches(['.', '-']))
        .unwrap_or_default();
    if rest.is_empty() {
        return "a wildcard is a whole label in front".to_owned();
    }
    format!("a wildcard is a whole label in front; did you mean \"*.{rest}\"?")
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Form::Exact(host) if host.contains(':') => write!(f, "[{host}]"),
            Form::Exact(host) => f.write_str(host),
            Form::One(suffix) => write!(f, "*.{suffix}"),
            Form::Deep(suffix) => write!(f, "**.{suffix}"),
            Form::AnyName => f.write_str("**"),
        }
    }
}

string_form!(
    HostPattern,
    "HostPattern",
    "a host: api.example.org, *.example.org, **.example.org or **"
);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn host(text: &str) -> HostPattern {
        text.parse().unwrap()
    }

    #[test]
    fn names_have_one_form() {
        for (text, form) in [
            ("API.GitHub.com", "api.github.com"),
            ("bücher.example", "xn--bcher-kva.example"),
            ("127.0.0.1", "127.0.0.1"),
            ("[::1]", "[::1]"),
            ("[2001:DB8:0:0::1]", "[2001:db8::1]"),
        ] {
            assert_eq!(host(text).to_string(), form);
        }
    }

    #[test]
    fn ambiguous_hosts_are_refused() {
        for bad in [
            "",
            ".",
            "a.",
            ".a",
            "a..b",
            "a b",
            "a/b",
            "-a.example",
            "127.1",
            "0x7f.0.0.1",
            "0177.0.0.1",
            "2130706433",
            "[::1",
            "[fe80::1%25eth0]",
            "[1.2.3.4]",
            "a@b",
            "a%2eb",
            "exa\u{0}mple",
            "1.2.3.4.5",
            "256.1.1.1",
        ] {
            let kept = bad.parse::<HostPattern>();
            assert!(kept.is_err(), "{bad:?} became {kept:?}");
        }
    }

    #[test]
    fn wildcards_are_whole_labels_in_front() {
        assert!(host("*.example.org").allows("a.example.org"));
        assert!(!host("*.example.org").allows("a.b.example.org"));
        assert!(!host("*.example.org").allows("example.org"));
        assert!(!host("*.example.org").allows("xexample.org"));
        assert!(host("**.example.org").allows("a.b.example.org"));
        assert!(!host("**.example.org").allows("example.org"));
        assert!(host("**").allows("anything.example"));
        assert!(!host("**").allows("10.0.0.1"));
        assert!(!host("**").allows("::1"));
        for (bad, hint) in [
            ("*", "\"**\""),
            ("api*.example.org", "\"*.example.org\""),
            ("a.*.org", "whole label"),
            ("*.org", "two labels"),
            ("*.1.2.3.4", "two labels"),
        ] {
            let said = bad.parse::<HostPattern>().unwrap_err().to_string();
            assert!(said.contains(hint), "{said}");
        }
    }

    fn name() -> impl Strategy<Value = String> {
        prop::collection::vec("[a-c]{1,2}", 2..5).prop_map(|labels| labels.join("."))
    }

    fn pattern() -> impl Strategy<Value = HostPattern> {
        (prop_oneof![Just(""), Just("*."), Just("**.")], name(), any::<bool>()).prop_map(
            |(front, name, any)| {
                if any && front == "**." { host("**") } else { host(&format!("{front}{name}")) }
            },
        )
    }

    proptest! {
        #[test]
        fn covers_implies_allows(outer in pattern(), inner in pattern(), name in name()) {
            if outer.covers(&inner) && inner.allows(&name) {
                prop_assert!(outer.allows(&name), "{} covers {} but refuses {}", outer, inner, name);
            }
            prop_assert!(outer.covers(&outer));
            prop_assert_eq!(outer.to_string().parse(), Ok(outer));
        }

        #[test]
        fn the_short_way_gives_what_idna_gives(text in "[a-z0-9.-]{1,24}") {
            let slow = idna::domain_to_ascii_strict(&text).ok().filter(|name| check_name(name).is_ok() && !name.ends_with('.'));
            prop_assert_eq!(canonical_host(&text).ok(), slow);
        }

        #[test]
        fn the_canonical_host_is_a_fixed_point(text in "[a-zA-Zäöß0-9.-]{1,20}") {
            if let Ok(form) = canonical_host(&text) {
                prop_assert_eq!(canonical_host(&form), Ok(form.clone()));
                prop_assert!(form.is_ascii() && !form.bytes().any(|b| b.is_ascii_uppercase()));
            }
        }
    }
}
