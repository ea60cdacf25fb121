//! Networks whose word is taken for whom they speak: one address, or a prefix of addresses. Nothing is looked up by name.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use ipnet::IpNet;

/// `10.0.0.3`, `10.0.0.0/8`, `fd00::/8`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network(IpNet);

/// Not a network.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{given}` is neither an address nor a network such as 10.0.0.0/8")]
pub struct NetworkError {
    given: String,
}

impl Network {
    /// This machine's loopback address.
    #[must_use]
    pub fn loopback() -> Self {
        Self(IpAddr::from(std::net::Ipv4Addr::LOCALHOST).into())
    }

    /// Whether an address is in it. An IPv4 address in IPv6's clothes is the IPv4 address.
    #[must_use]
    pub fn holds(&self, address: IpAddr) -> bool {
        self.0.contains(&address.to_canonical())
    }
}

impl FromStr for Network {
    type Err = NetworkError;

    fn from_str(text: &str) -> Result<Self, NetworkError> {
        let refused = || NetworkError { given: text.chars().take(64).collect() };
        let one = || text.parse::<IpAddr>().map(|address| IpNet::from(address.to_canonical()));
        text.parse::<IpNet>().or_else(|_| one()).map(|it| Self(it.trunc())).map_err(|_| refused())
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_network_of_one_and_a_prefix_holds_what_begins_so() {
        let network = |text: &str| text.parse::<Network>().unwrap();
        let address = |text: &str| text.parse::<IpAddr>().unwrap();
        assert!(network("10.0.0.3").holds(address("10.0.0.3")));
        assert!(!network("10.0.0.3").holds(address("10.0.0.4")));
        assert!(network("10.1.2.3/8").holds(address("10.200.0.1")));
        assert!(network("10.0.0.0/8").holds(address("::ffff:10.0.0.1")));
        assert!(network("fd00::/8").holds(address("fd12::1")));
        assert!(!network("fd00::/8").holds(address("10.0.0.1")));
        for bad in ["", "localhost", "10.0.0.0/33", "10.0.0", "10.0.0.0/8 ", "*"] {
            assert!(bad.parse::<Network>().is_err(), "{bad}");
        }
    }
}
