//! Outbound HTTP requests in their one form: scheme, punycode host, port, plain path, query as validated.
//!
//! What could mean two things to two servers is refused rather than guessed: encoded dots and slashes,
//! backslashes, dot segments, user names, zone ids, empty segments.

use std::fmt;

use crate::code::Code;
use crate::denial::{Denial, Layer};
use crate::id::shown;
use crate::pattern::{
    Method, Origin, Scheme, canonical_host, origin_hash, push_segment, split_port,
};

const TARGET_MAX: usize = 8 * 1024;
const SEGMENTS_MAX: usize = 128;

/// A canonical outbound request line.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct HttpRequest {
    method: Method,
    origin: Origin,
    /// Quick hash of the origin.
    hash: u64,
    /// The whole target, from the scheme on, as it is sent.
    url: Box<str>,
    /// Where the path begins in `url`.
    path_start: usize,
    /// Where the path ends in `url`, and the query begins.
    path_end: usize,
}

impl HttpRequest {
    /// The canonical form of what a guest asks for.
    ///
    /// # Errors
    /// When the method is not one that guests may use, or a part has no single meaning.
    pub fn canonical(
        scheme: &str,
        authority: &str,
        target: &str,
        method: &str,
    ) -> Result<Self, Box<Denial>> {
        let asked = || {
            shown(&format!(
                "{method} {scheme}://{authority}{}",
                target.split('?').next().unwrap_or_default()
            ))
        };
        let refuse = |code: Code, reason: &str| {
            Box::new(Denial::new(code, Layer::Operator, asked(), reason))
        };
        let method = method
            .parse()
            .map_err(|e: crate::PatternError| refuse(Code::HttpForbidden, &e.to_string()))?;
        let origin = origin(scheme, authority).map_err(|(code, reason)| refuse(code, &reason))?;
        let ambiguous = |reason: &str| refuse(Code::HttpAmbiguous, reason);
        if target.len() > TARGET_MAX {
            return Err(ambiguous("the target is longer than 8 KiB"));
        }
        let (path, query) = match target.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (target, None),
        };
        let hash = origin_hash(origin.scheme, &origin.host, origin.port);
        let mut url = String::with_capacity(origin.host.len() + target.len() + 16);
        push_origin(&origin, &mut url);
        let path_start = url.len();
        push_path(path, &mut url).map_err(ambiguous)?;
        let path_end = url.len();
        if let Some(query) = query {
            check_query(query).map_err(ambiguous)?;
            url.push('?');
            url.push_str(query);
        }
        Ok(Self { method, origin, hash, url: url.into(), path_start, path_end })
    }

    /// The method.
    #[must_use]
    pub const fn method(&self) -> Method {
        self.method
    }

    /// Scheme, host and port.
    #[must_use]
    pub const fn origin(&self) -> &Origin {
        &self.origin
    }

    /// The quick hash of its origin.
    pub(crate) const fn hash(&self) -> u64 {
        self.hash
    }

    /// The whole URL, as it is sent.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The canonical path.
    #[must_use]
    pub fn path(&self) -> &str {
        self.url.get(self.path_start..self.path_end).unwrap_or_default()
    }

    /// The query, if there is one.
    #[must_use]
    pub fn query(&self) -> Option<&str> {
        self.url.get(self.path_end..).and_then(|rest| rest.strip_prefix('?'))
    }

    /// Path and query: the target of the request line.
    #[must_use]
    pub fn target(&self) -> &str {
        self.url.get(self.path_start..).unwrap_or_default()
    }
}

/// The operation as denials name it: without the query, which may hold what is nobody else's business.
impl fmt::Display for HttpRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method, self.url.get(..self.path_end).unwrap_or_default())
    }
}

fn origin(scheme: &str, authority: &str) -> Result<Origin, (Code, String)> {
    let scheme: Scheme =
        scheme.parse().map_err(|e: crate::PatternError| (Code::HttpScheme, e.to_string()))?;
    let ambiguous = |rule: String| (Code::HttpAmbiguous, rule);
    if authority.contains('@') {
        return Err(ambiguous("the authority has a user name".to_owned()));
    }
    let (host, port) = split_port(authority, scheme).map_err(ambiguous)?;
    let host = canonical_host(host)
        .map_err(|rule| ambiguous(format!("the host has no single meaning: {rule}")))?;
    Ok(Origin { scheme, host: host.into(), port })
}

/// The origin as URLs write it: without the scheme's own port.
fn push_origin(origin: &Origin, out: &mut String) {
    let Origin { scheme, host, port } = origin;
    out.push_str(scheme.as_str());
    out.push_str("://");
    if host.contains(':') {
        out.extend(["[", host, "]"]);
    } else {
        out.push_str(host);
    }
    if *port != scheme.default_port() {
        out.push(':');
        out.push_str(&port.to_string());
    }
}

fn push_path(path: &str, out: &mut String) -> Result<(), &'static str> {
    if path.is_empty() {
        out.push('/');
        return Ok(());
    }
    let rest = path.strip_prefix('/').ok_or("the path does not begin with a slash")?;
    let count = rest.split('/').count();
    if count > SEGMENTS_MAX {
        return Err("the path has more than 128 segments");
    }
    for (index, segment) in rest.split('/').enumerate() {
        if segment.is_empty() && index + 1 < count {
            return Err("an empty path segment has no single meaning");
        }
        out.push('/');
        push_segment(segment, out)?;
    }
    Ok(())
}

fn check_query(query: &str) -> Result<(), &'static str> {
    let mut bytes = query.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'%' => {
                let pair = [bytes.next().unwrap_or(b'x'), bytes.next().unwrap_or(b'x')];
                if !pair.iter().all(u8::is_ascii_hexdigit) {
                    return Err("`%` in the query is followed by two hexadecimal digits");
                }
            }
            b'#' | b'\\' | b'"' | b'<' | b'>' => {
                return Err("the query has a character that must be encoded");
            }
            0x21..=0x7e => {}
            _ => return Err("the query has a character that must be encoded"),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ok(scheme: &str, authority: &str, target: &str) -> HttpRequest {
        HttpRequest::canonical(scheme, authority, target, "GET").unwrap()
    }

    #[test]
    fn there_is_one_form() {
        let request = ok("https", "API.GitHub.com:443", "/repos/%7Eacme/web?q=a%2Fb");
        assert_eq!(request.url(), "https://api.github.com/repos/~acme/web?q=a%2Fb");
        assert_eq!(request.path(), "/repos/~acme/web");
        assert_eq!(request.query(), Some("q=a%2Fb"));
        assert_eq!(request.target(), "/repos/~acme/web?q=a%2Fb");
        assert_eq!(request.origin().to_string(), "https://api.github.com:443");
        assert_eq!(request.to_string(), "GET https://api.github.com/repos/~acme/web");
        assert_eq!(request.method(), Method::Get);
        assert_eq!(ok("http", "a.example:8080", "").url(), "http://a.example:8080/");
        assert_eq!(ok("https", "a.example:80", "/").url(), "https://a.example:80/");
        assert_eq!(ok("https", "[2001:DB8::1]", "/a/").url(), "https://[2001:db8::1]/a/");
        assert_eq!(
            ok("https", "bücher.example", "/").origin().host.as_ref(),
            "xn--bcher-kva.example"
        );
        assert_eq!(ok("http", "a.example:80", "/").query(), None);
    }

    #[test]
    fn what_means_two_things_is_refused() {
        for (authority, target, why) in [
            ("u@a.example", "/", "user name"),
            ("u:p@a.example", "/", "user name"),
            ("a.example.", "/", "trailing dot"),
            ("a.example:0", "/", "port"),
            ("a.example:99999", "/", "port"),
            ("[fe80::1%25eth0]", "/", "zone id"),
            ("0x7f.1", "/", "IPv4"),
            ("2130706433", "/", "IPv4"),
            ("", "/", "empty"),
            ("a.example/x", "/", "no host name"),
            ("a.example", "x", "begin with a slash"),
            ("a.example", "*", "begin with a slash"),
            ("a.example", "/a/../b", "dot segments"),
            ("a.example", "/./b", "dot segments"),
            ("a.example", "/%2e%2e/b", "encoded dot"),
            ("a.example", "/%2E/b", "encoded dot"),
            ("a.example", "/a%2fb", "encoded slash"),
            ("a.example", "/a%5cb", "encoded slash"),
            ("a.example", "/a\\b", "backslash"),
            ("a.example", "/a//b", "empty path segment"),
            ("a.example", "//b", "empty path segment"),
            ("a.example", "/%00", "control"),
            ("a.example", "/%252e", "percent sign"),
            ("a.example", "/a b", "percent-encoded"),
            ("a.example", "/a#b", "percent-encoded"),
            ("a.example", "/ä", "percent-encoded"),
            ("a.example", "/a?b#c", "must be encoded"),
            ("a.example", "/a?b\r\nX: y", "must be encoded"),
            ("a.example", "/a?%", "hexadecimal"),
            ("a.example", &"/a".repeat(200), "segments"),
            ("a.example", &format!("/{}", "a".repeat(9000)), "8 KiB"),
        ] {
            let denial = HttpRequest::canonical("https", authority, target, "GET").unwrap_err();
            assert_eq!(denial.code, Code::HttpAmbiguous, "{denial}");
            assert!(denial.reason.contains(why), "{authority}{target}: {}", denial.reason);
            assert!(!denial.operation.contains(['\r', '\n']));
        }
    }

    #[test]
    fn some_methods_and_schemes_are_never_sent() {
        for method in ["CONNECT", "TRACE", "get", "BREW", ""] {
            let denial = HttpRequest::canonical("https", "a.example", "/", method).unwrap_err();
            assert_eq!(denial.code, Code::HttpForbidden, "{method}");
        }
        for scheme in ["ftp", "", "HTTPS", "file"] {
            let denial = HttpRequest::canonical(scheme, "a.example", "/", "GET").unwrap_err();
            assert_eq!(denial.code, Code::HttpScheme, "{scheme}");
        }
    }

    proptest! {
        #[test]
        fn the_canonical_form_is_a_fixed_point(
            authority in "[a-zA-Z0-9.:-]{1,20}",
            target in "(/([a-zA-Z0-9._~%:@-]|%[0-9a-fA-F]{2}){0,6}){0,4}(\\?[a-z%=&]{0,8})?",
        ) {
            if let Ok(request) = HttpRequest::canonical("https", &authority, &target, "GET") {
                let origin = request.origin().to_string();
                let again = HttpRequest::canonical("https", origin.strip_prefix("https://").unwrap(), request.target(), "GET");
                prop_assert_eq!(again, Ok(request));
            }
        }
    }
}
