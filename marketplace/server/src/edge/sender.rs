//! Who a request is from, where proxies stand in front: the right-most entry of `x-forwarded-for` that none of the trusted
//! proxies wrote about another trusted one. What stands further to the left anybody may have written.
//!
//! It counts for rates and blocks alone. Rights come from tokens and proofs, never from an address.

use std::net::{IpAddr, SocketAddr};

use axum::extract::FromRequestParts;
use http::request::Parts;
use http::{Extensions, HeaderMap};

use super::guard::{Peer, network};
use crate::config::Network;
use crate::server::Server;

const FORWARDED_FOR: &str = "x-forwarded-for";
/// Entries that are looked at: no honest chain of proxies is longer.
const ENTRIES_MAX: usize = 16;

/// The network that a request counts for; empty where no listener noted any.
#[derive(Debug)]
pub(super) struct Sender(pub(super) String);

impl FromRequestParts<Server> for Sender {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(
        parts: &mut Parts,
        server: &Server,
    ) -> Result<Self, Self::Rejection> {
        Ok(Self(named(&parts.extensions, &parts.headers, server).unwrap_or_default()))
    }
}

/// What the sender of a request is called in limits.
pub(super) fn named(noted: &Extensions, fields: &HeaderMap, server: &Server) -> Option<String> {
    let Peer(peer) = noted.get::<Peer>()?;
    Some(network(sender(*peer, fields, &server.proxies)))
}

/// The address that a request counts for.
fn sender(peer: IpAddr, fields: &HeaderMap, proxies: &[Network]) -> IpAddr {
    let trusted = |address: &IpAddr| proxies.iter().any(|network| network.holds(*address));
    let mut nearest = peer.to_canonical();
    if !trusted(&nearest) {
        return nearest;
    }
    let values = fields.get_all(FORWARDED_FOR).iter().rev();
    let entries = values.flat_map(|value| value.to_str().unwrap_or_default().rsplit(','));
    for entry in entries.take(ENTRIES_MAX) {
        // Behind what cannot be read nothing counts: it is the last proxy's to answer for.
        let Some(address) = address(entry) else { return nearest };
        nearest = address;
        if !trusted(&nearest) {
            break;
        }
    }
    nearest
}

/// An address, with the port that some proxies add.
fn address(entry: &str) -> Option<IpAddr> {
    let entry = entry.trim();
    let whole = entry.parse::<IpAddr>().ok();
    let found = whole.or_else(|| entry.parse::<SocketAddr>().ok().map(|it| it.ip()));
    found.map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn from(peer: &str, values: &[&str]) -> String {
        let mut fields = HeaderMap::new();
        for value in values {
            fields.append(FORWARDED_FOR, HeaderValue::from_str(value).unwrap());
        }
        let proxies = ["127.0.0.1", "10.0.0.0/8"].map(|text| text.parse().unwrap());
        sender(peer.parse().unwrap(), &fields, &proxies).to_string()
    }

    #[test]
    fn what_a_stranger_says_of_itself_counts_for_nothing() {
        assert_eq!(from("203.0.113.9", &["198.51.100.1"]), "203.0.113.9");
        assert_eq!(from("::1", &["198.51.100.1"]), "::1");
    }

    #[test]
    fn behind_trusted_proxies_the_first_stranger_from_the_right_counts() {
        for (values, expected) in [
            (&["198.51.100.1"][..], "198.51.100.1"),
            (&["1.1.1.1, 198.51.100.1"], "198.51.100.1"),
            (&["1.1.1.1", "198.51.100.1"], "198.51.100.1"),
            (&["1.1.1.1, 198.51.100.1, 10.0.0.2"], "198.51.100.1"),
            (&["198.51.100.1:4711"], "198.51.100.1"),
            (&["[2001:db8::1]:4711"], "2001:db8::1"),
            (&["::ffff:198.51.100.1"], "198.51.100.1"),
        ] {
            assert_eq!(from("127.0.0.1", values), expected, "{values:?}");
            assert_eq!(from("::ffff:127.0.0.1", values), expected, "{values:?}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_the_proxys_own() {
        for (values, expected) in [
            (&[][..], "127.0.0.1"),
            (&[""], "127.0.0.1"),
            (&["unknown"], "127.0.0.1"),
            (&["198.51.100.1, _hidden"], "127.0.0.1"),
            (&["198.51.100.1, x, 10.0.0.2"], "10.0.0.2"),
            (&["10.0.0.3, 10.0.0.2"], "10.0.0.3"),
        ] {
            assert_eq!(from("127.0.0.1", values), expected, "{values:?}");
        }
        let long = format!("198.51.100.1{}", ", 10.0.0.2".repeat(50));
        assert_eq!(from("127.0.0.1", &[&long]), "10.0.0.2");
    }
}
