//! An address behind the gateway. Parsed once, from what the gateway was started with.

use std::fmt;
use std::str::FromStr;

use http::Uri;
use http::uri::{Authority, PathAndQuery, Scheme};

/// `http://HOST[:PORT]` and nothing more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Upstream(Authority);

/// Not an address to forward to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{given}`: {rule}")]
pub(crate) struct UpstreamError {
    given: String,
    rule: &'static str,
}

impl FromStr for Upstream {
    type Err = UpstreamError;

    fn from_str(text: &str) -> Result<Self, UpstreamError> {
        let refused = |rule| UpstreamError { given: text.escape_debug().to_string(), rule };
        let uri: Uri = text.parse().map_err(|_| refused("it is not an address"))?;
        if uri.scheme() != Some(&Scheme::HTTP) {
            return Err(refused("the scheme is http: TLS between the parts ends in front of them"));
        }
        if uri.path_and_query().is_some_and(|path| path.as_str() != "/") {
            return Err(refused("it holds no path and no query"));
        }
        match uri.authority() {
            Some(authority) if !authority.as_str().contains('@') => Ok(Self(authority.clone())),
            _ => Err(refused("it is http://HOST:PORT, without credentials")),
        }
    }
}

impl fmt::Display for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http://{}", self.0)
    }
}

impl Upstream {
    pub(crate) fn authority(&self) -> &str {
        self.0.as_str()
    }

    /// The address of a path at this upstream, byte for byte as the client sent it.
    pub(crate) fn at(&self, path: Option<&PathAndQuery>) -> Result<Uri, http::Error> {
        let path = path.cloned().unwrap_or_else(|| PathAndQuery::from_static("/"));
        Uri::builder().scheme(Scheme::HTTP).authority(self.0.clone()).path_and_query(path).build()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_upstream_is_an_origin_and_nothing_more() {
        let upstream: Upstream = "http://127.0.0.1:7001".parse().unwrap();
        assert_eq!(upstream.to_string(), "http://127.0.0.1:7001");
        let path = PathAndQuery::from_static("/v1/a/../b%2F?x=%20");
        let whole = upstream.at(Some(&path)).unwrap();
        assert_eq!(whole.to_string(), "http://127.0.0.1:7001/v1/a/../b%2F?x=%20");
        for bad in
            ["", "127.0.0.1:1", "https://a", "http://a:b@c", "http://a/b", "http://a/?q", "/"]
        {
            assert!(bad.parse::<Upstream>().is_err(), "{bad}");
        }
    }
}
