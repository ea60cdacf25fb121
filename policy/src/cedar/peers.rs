//! `policy/peers.toml`: one exact origin to one exact address and trust anchor.
//!
//! ```toml
//! [[peer]]
//! origin = "https://api.github.com:443"
//! address = "127.0.0.1:8443"
//! anchor = "test-ca.pem"
//! ```
//! Only the socket address and the anchor change; name, SNI, Host and every decision stay. Absent on purpose:
//! wildcards, names instead of addresses.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use serde::Deserialize;

use crate::pattern::{Origin, Scheme};
use crate::suggest::explain_serde;

/// Where an origin really is, by the operator's word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    address: SocketAddr,
    anchor: Option<String>,
}

impl Peer {
    /// The address to connect to.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The trust anchor in PEM; always there for https.
    #[must_use]
    pub fn anchor(&self) -> Option<&str> {
        self.anchor.as_deref()
    }
}

/// All mapped origins.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PeerMap(BTreeMap<Origin, Peer>);

impl PeerMap {
    /// Where this origin really is, if the operator says so.
    #[must_use]
    pub fn get(&self, origin: &Origin) -> Option<&Peer> {
        self.0.get(origin)
    }

    /// Each mapped origin.
    pub fn iter(&self) -> impl Iterator<Item = (&Origin, &Peer)> {
        self.0.iter()
    }

    /// Whether nothing is mapped.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Reads the file. `anchors` holds the PEM files beside it by name.
    pub(super) fn parse(
        text: &str,
        anchors: &BTreeMap<String, String>,
    ) -> Result<Self, (Option<usize>, String)> {
        let file: File = toml::from_str(text).map_err(|error| toml_error(text, &error))?;
        let mut map = BTreeMap::new();
        for entry in file.peer {
            let origin = entry.origin.clone();
            let peer = entry.resolve(anchors).map_err(|message| (None, message))?;
            if map.insert(origin.clone(), peer).is_some() {
                return Err((None, format!("`{origin}` is mapped twice")));
            }
        }
        Ok(Self(map))
    }
}

/// The line and the readable message of a TOML error.
pub(super) fn toml_error(text: &str, error: &toml::de::Error) -> (Option<usize>, String) {
    let before = error.span().and_then(|span| text.get(..span.start));
    let line = before.map(|before| before.matches('\n').count() + 1);
    (line, explain_serde(error.message()))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    peer: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    origin: Origin,
    address: SocketAddr,
    anchor: Option<String>,
}

impl Entry {
    fn resolve(self, anchors: &BTreeMap<String, String>) -> Result<Peer, String> {
        let Self { origin, address, anchor } = self;
        let anchor = match (origin.scheme, anchor) {
            (Scheme::Https, None) => {
                return Err(format!("`{origin}` needs an anchor, the PEM file that it trusts"));
            }
            (Scheme::Http, Some(_)) => {
                return Err(format!("`{origin}` is not https and has no use for an anchor"));
            }
            (Scheme::Http, None) => None,
            (Scheme::Https, Some(name)) => {
                let pem = anchors.get(&name);
                Some(
                    pem.cloned()
                        .ok_or_else(|| format!("there is no file `{name}` beside peers.toml"))?,
                )
            }
        };
        if address.port() == 0 {
            return Err(format!("`{origin}` is mapped to port 0"));
        }
        Ok(Peer { address, anchor })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "[[peer]]\norigin = \"https://api.github.com\"\naddress = \"127.0.0.1:8443\"\nanchor = \"ca.pem\"\n";

    fn anchors() -> BTreeMap<String, String> {
        BTreeMap::from([("ca.pem".to_owned(), "PEM".to_owned())])
    }

    #[test]
    fn an_origin_is_mapped_exactly() {
        let map = PeerMap::parse(GOOD, &anchors()).unwrap();
        let peer = map.get(&"https://api.github.com:443".parse().unwrap()).unwrap();
        assert_eq!((peer.address().port(), peer.anchor()), (8443, Some("PEM")));
        assert_eq!(map.get(&"https://api.github.com:8443".parse().unwrap()), None);
        assert_eq!(map.iter().count(), 1);
        assert!(PeerMap::parse("", &anchors()).unwrap().is_empty());
    }

    #[test]
    fn mistakes_are_named_with_their_line() {
        let (line, said) =
            PeerMap::parse(&GOOD.replace("address", "adress"), &anchors()).unwrap_err();
        assert_eq!(line, Some(3));
        assert!(said.contains("\"address\""), "{said}");
        for (text, why) in [
            (GOOD.replace("anchor = \"ca.pem\"", ""), "needs an anchor"),
            (GOOD.replace("https", "http"), "no use for an anchor"),
            (GOOD.replace("ca.pem", "../x.pem"), "no file"),
            (GOOD.replace(":8443", ":0"), "port 0"),
            (GOOD.replace("api.github.com", "*.github.com"), "wildcards"),
            (GOOD.replace("127.0.0.1:8443", "localhost:1"), "socket"),
            (format!("{GOOD}{GOOD}"), "twice"),
        ] {
            let (_, said) = PeerMap::parse(&text, &anchors()).unwrap_err();
            assert!(said.contains(why), "{said}");
        }
    }
}
