//! Hosts and origins: `https://api.github.com:443`, `https://*.example.org:443`.
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
const ORIGIN: &str = "an origin such as https://api.example.org:443";

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

/// Scheme, host pattern and port: which servers an http entry is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OriginPattern {
    /// The scheme.
    pub scheme: Scheme,
    /// The hosts.
    pub host: HostPattern,
    /// The port.
    pub port: u16,
}

impl OriginPattern {
    /// Whether this canonical origin matches.
    #[must_use]
    pub fn allows(&self, scheme: Scheme, host: &str, port: u16) -> bool {
        self.port == port && self.scheme == scheme && self.host.allows(host)
    }

    /// Whether every origin that `inner` allows is allowed here.
    #[must_use]
    pub fn covers(&self, inner: &Self) -> bool {
        self.scheme == inner.scheme && self.port == inner.port && self.host.covers(&inner.host)
    }

    /// The hash of the one origin that it is, if it is one.
    pub(crate) fn exact_hash(&self) -> Option<u64> {
        self.host.exact().map(|host| origin_hash(self.scheme, host, self.port))
    }

    /// Whether it is one host over TLS: the only kind of origin that may receive a secret.
    #[must_use]
    pub fn is_exact_https(&self) -> bool {
        self.scheme == Scheme::Https && self.host.exact().is_some()
    }
}

impl FromStr for OriginPattern {
    type Err = PatternError;
    fn from_str(text: &str) -> Result<Self, PatternError> {
        let fail = |rule: String| PatternError::new(ORIGIN, text, rule);
        let Some((scheme, rest)) = text.split_once("://") else {
            return Err(fail(format!("it starts with a scheme; did you mean \"https://{text}\"?")));
        };
        let scheme: Scheme = scheme.parse().map_err(|e: PatternError| fail(e.rule))?;
        if rest.contains('@') {
            return Err(fail("an origin has no user name".to_owned()));
        }
        if let Some((host, _)) = rest.split_once(['/', '?', '#']) {
            return Err(fail(format!(
                "an origin has no path; did you mean \"{scheme}://{host}\"?"
            )));
        }
        let (host, port) = split_port(rest, scheme).map_err(fail)?;
        let host = host.parse().map_err(|e: PatternError| fail(e.rule))?;
        Ok(Self { scheme, host, port })
    }
}

/// Host and port of an authority without user name; the scheme's own port where none is written.
pub(crate) fn split_port(authority: &str, scheme: Scheme) -> Result<(&str, u16), String> {
    let host_end = authority.rfind(']').map_or(0, |end| end + 1);
    let colon = authority.get(host_end..).and_then(|tail| tail.find(':')).map(|at| at + host_end);
    let Some((host, port)) = colon.and_then(|at| authority.split_at_checked(at)) else {
        return Ok((authority, scheme.default_port()));
    };
    let port = port.strip_prefix(':').and_then(crate::amount::whole);
    match port.and_then(|port| u16::try_from(port).ok()) {
        Some(port) if port > 0 => Ok((host, port)),
        _ => Err("a port is a number from 1 to 65535".to_owned()),
    }
}

impl fmt::Display for OriginPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}:{}", self.scheme, self.host, self.port)
    }
}

string_form!(OriginPattern, "OriginPattern", "an origin: https://api.example.org:443");

/// A quick hash of an origin, to find entries with. Equal origins have equal hashes; a match is still compared.
pub(crate) fn origin_hash(scheme: Scheme, host: &str, port: u16) -> u64 {
    const PRIME: u64 = 0x0100_0000_01b3;
    let step = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(PRIME);
    let [high, low] = port.to_be_bytes();
    let start = [scheme as u8, high, low].into_iter().fold(0xcbf2_9ce4_8422_2325, step);
    host.bytes().fold(start, step)
}

/// One exact origin, as an operator's peer map and a request name it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Origin {
    /// The scheme.
    pub scheme: Scheme,
    /// The canonical host; IPv6 without brackets.
    pub host: Box<str>,
    /// The port.
    pub port: u16,
}

impl FromStr for Origin {
    type Err = PatternError;
    fn from_str(text: &str) -> Result<Self, PatternError> {
        let OriginPattern { scheme, host, port } = text.parse()?;
        match host.exact() {
            Some(host) => Ok(Self { scheme, host: host.into(), port }),
            None => Err(PatternError::new(ORIGIN, text, "wildcards are not allowed here")),
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { scheme, host, port } = self;
        if host.contains(':') {
            write!(f, "{scheme}://[{host}]:{port}")
        } else {
            write!(f, "{scheme}://{host}:{port}")
        }
    }
}

string_form!(Origin, "Origin", "one exact origin: https://api.example.org:443");

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

    #[test]
    fn origins_fill_in_the_port_and_refuse_the_rest() {
        let origin: OriginPattern = "https://api.github.com".parse().unwrap();
        assert_eq!(origin.to_string(), "https://api.github.com:443");
        assert!(origin.is_exact_https());
        assert!(!"http://a.example".parse::<OriginPattern>().unwrap().is_exact_https());
        assert!(!"https://*.example.org".parse::<OriginPattern>().unwrap().is_exact_https());
        for (bad, hint) in [
            ("api.github.com", "\"https://api.github.com\""),
            ("htps://a.example", "\"https\""),
            ("https://a.example/x", "\"https://a.example\""),
            ("https://u@a.example", "user name"),
            ("https://a.example:0", "port"),
            ("https://a.example:65536", "port"),
            ("https://a.example:", "port"),
            ("https://a.example:080", "port"),
            ("ftp://a.example", "https or http"),
        ] {
            let said = bad.parse::<OriginPattern>().unwrap_err().to_string();
            assert!(said.contains(hint), "{bad}: {said}");
        }
        assert!("https://*.a.example".parse::<Origin>().is_err());
        assert_eq!(
            "https://[::1]:8443".parse::<Origin>().unwrap().to_string(),
            "https://[::1]:8443"
        );
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
