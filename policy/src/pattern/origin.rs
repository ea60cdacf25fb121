//! Origins: `https://api.github.com:443`, `https://*.example.org:443`.
//!
//! Scheme, host and port, and nothing else: no user name, no path. The scheme's own port may be left out.

use std::fmt;
use std::str::FromStr;

use super::PatternError;
use super::host::{HostPattern, Scheme};
use crate::text::string_form;

const ORIGIN: &str = "an origin such as https://api.example.org:443";

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
    use super::*;

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
}
