//! Addresses: which peers are public, and rules over addresses.
//!
//! The table is a deny list over the special-purpose registries of IANA, and only global unicast is left.
//! Addresses that carry another one inside (mapped, NAT64, 6to4, Teredo) are refused whatever they carry.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use super::PatternError;
use crate::text::string_form;

const fn v4(a: u8, b: u8, c: u8, d: u8, bits: u8) -> IpNet {
    IpNet::V4(Ipv4Net::new_assert(std::net::Ipv4Addr::new(a, b, c, d), bits))
}

const fn v6(a: u16, b: u16, c: u16, d: u16, bits: u8) -> IpNet {
    IpNet::V6(Ipv6Net::new_assert(std::net::Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0), bits))
}

/// `::ffff:0:0/96` and its neighbours need the lower half of the address.
const fn v6_low(f: u16, bits: u8) -> IpNet {
    IpNet::V6(Ipv6Net::new_assert(std::net::Ipv6Addr::new(0, 0, 0, 0, 0, f, 0, 0), bits))
}

/// Every special range with its name, the narrower ones first, so that the reason is the exact one.
const SPECIAL: &[(IpNet, &str)] = &[
    (v4(169, 254, 169, 254, 32), "a cloud metadata address"),
    (v4(169, 254, 170, 2, 32), "a cloud metadata address"),
    (v4(100, 100, 100, 200, 32), "a cloud metadata address"),
    (v4(168, 63, 129, 16, 32), "a cloud metadata address"),
    (v6(0xfd00, 0x0ec2, 0, 0, 64), "a cloud metadata address"),
    (v4(0, 0, 0, 0, 8), "«this network»"),
    (v4(10, 0, 0, 0, 8), "private"),
    (v4(100, 64, 0, 0, 10), "carrier-grade NAT"),
    (v4(127, 0, 0, 0, 8), "loopback"),
    (v4(169, 254, 0, 0, 16), "link-local"),
    (v4(172, 16, 0, 0, 12), "private"),
    (v4(192, 0, 0, 0, 24), "reserved for protocols"),
    (v4(192, 0, 2, 0, 24), "documentation"),
    (v4(192, 31, 196, 0, 24), "a special anycast service"),
    (v4(192, 52, 193, 0, 24), "a special anycast service"),
    (v4(192, 88, 99, 0, 24), "a 6to4 relay"),
    (v4(192, 168, 0, 0, 16), "private"),
    (v4(192, 175, 48, 0, 24), "a special anycast service"),
    (v4(198, 18, 0, 0, 15), "benchmarking"),
    (v4(198, 51, 100, 0, 24), "documentation"),
    (v4(203, 0, 113, 0, 24), "documentation"),
    (v4(224, 0, 0, 0, 4), "multicast"),
    (v4(255, 255, 255, 255, 32), "broadcast"),
    (v4(240, 0, 0, 0, 4), "reserved"),
    (v6_low(0xffff, 96), "an IPv4 address in IPv6"),
    (IpNet::V6(Ipv6Net::new_assert(std::net::Ipv6Addr::LOCALHOST, 128)), "loopback"),
    (v6_low(0, 96), "an IPv4 address in IPv6"),
    (v6(0x64, 0xff9b, 0, 0, 96), "NAT64"),
    (v6(0x64, 0xff9b, 1, 0, 48), "NAT64"),
    (v6(0x100, 0, 0, 0, 64), "discard-only"),
    (v6(0x2001, 0, 0, 0, 32), "Teredo"),
    (v6(0x2001, 0x0db8, 0, 0, 32), "documentation"),
    (v6(0x2001, 0, 0, 0, 23), "reserved for protocols"),
    (v6(0x2002, 0, 0, 0, 16), "6to4"),
    (v6(0x2620, 0x4f, 0x8000, 0, 48), "a special anycast service"),
    (v6(0x3fff, 0, 0, 0, 20), "documentation"),
    (v6(0x5f00, 0, 0, 0, 16), "segment routing"),
    (v6(0xfc00, 0, 0, 0, 7), "unique local"),
    (v6(0xfe80, 0, 0, 0, 10), "link-local"),
    (v6(0xfec0, 0, 0, 0, 10), "site-local"),
    (v6(0xff00, 0, 0, 0, 8), "multicast"),
];

/// The only IPv6 range from which global unicast addresses are given out.
const GLOBAL_V6: IpNet = v6(0x2000, 0, 0, 0, 3);

/// Whether an address is global unicast: a peer that a guest may reach at all.
///
/// # Errors
/// The kind of special address that it is, in words.
pub fn peer_is_public(address: IpAddr) -> Result<(), &'static str> {
    if let Some((_, reason)) = SPECIAL.iter().find(|(net, _)| net.contains(&address)) {
        return Err(reason);
    }
    if address.is_ipv6() && !GLOBAL_V6.contains(&address) {
        return Err("not global unicast");
    }
    Ok(())
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Form {
    Public,
    Net(IpNet),
}

/// Which addresses: `public`, one address, or a network such as `203.0.113.0/24`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct IpRule(Form);

impl IpRule {
    /// Global unicast alone.
    pub const PUBLIC: Self = Self(Form::Public);

    /// Whether the address is meant.
    #[must_use]
    pub fn allows(self, address: IpAddr) -> bool {
        match self.0 {
            Form::Public => peer_is_public(address).is_ok(),
            Form::Net(net) => net.contains(&address),
        }
    }

    /// Whether every address that `inner` allows is allowed here.
    #[must_use]
    pub fn covers(self, inner: Self) -> bool {
        match (self.0, inner.0) {
            (Form::Public, Form::Public) => true,
            (Form::Public, Form::Net(net)) => is_all_public(net),
            (Form::Net(outer), Form::Net(inner)) => outer.contains(&inner),
            (Form::Net(_), Form::Public) => false,
        }
    }
}

fn is_all_public(net: IpNet) -> bool {
    let apart = |special: &IpNet| !special.contains(&net) && !net.contains(special);
    let unicast = matches!(net, IpNet::V4(_)) || GLOBAL_V6.contains(&net);
    unicast && SPECIAL.iter().all(|(special, _)| apart(special))
}

impl FromStr for IpRule {
    type Err = PatternError;
    fn from_str(text: &str) -> Result<Self, PatternError> {
        let fail = |rule: String| PatternError::new("an address rule", text, rule);
        if text == "public" {
            return Ok(Self::PUBLIC);
        }
        let net = match text.parse::<IpAddr>() {
            Ok(address) => IpNet::from(address),
            Err(_) => text.parse::<IpNet>().map_err(|_| {
                let hint = crate::suggest::did_you_mean(text, &["public"]);
                fail(format!("write public, an address or a network such as 203.0.113.0/24{hint}"))
            })?,
        };
        if net.trunc() != net {
            return Err(fail(format!("did you mean \"{}\"?", net.trunc())));
        }
        Ok(Self(Form::Net(net)))
    }
}

impl fmt::Display for IpRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Form::Public => f.write_str("public"),
            Form::Net(net) if net.prefix_len() == net.max_prefix_len() => {
                write!(f, "{}", net.addr())
            }
            Form::Net(net) => write!(f, "{net}"),
        }
    }
}

string_form!(IpRule, "IpRule", "public, an address or a network");

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_global_unicast_is_public() {
        for good in ["8.8.8.8", "1.1.1.1", "140.82.121.6", "2606:4700::1111", "2a00:1450:4001::1"] {
            assert_eq!(peer_is_public(good.parse().unwrap()), Ok(()), "{good}");
        }
        for (bad, why) in [
            ("169.254.169.254", "metadata"),
            ("fd00:ec2::254", "metadata"),
            ("168.63.129.16", "metadata"),
            ("127.0.0.1", "loopback"),
            ("127.9.9.9", "loopback"),
            ("::1", "loopback"),
            ("::", "IPv4"),
            ("0.0.0.0", "this network"),
            ("10.1.2.3", "private"),
            ("172.31.0.1", "private"),
            ("192.168.0.1", "private"),
            ("100.64.0.1", "carrier"),
            ("169.254.0.1", "link-local"),
            ("fe80::1", "link-local"),
            ("fc00::1", "unique local"),
            ("::ffff:8.8.8.8", "IPv4"),
            ("::8.8.8.8", "IPv4"),
            ("64:ff9b::808:808", "NAT64"),
            ("64:ff9b:1::1", "NAT64"),
            ("2002:808:808::1", "6to4"),
            ("2001::1", "Teredo"),
            ("2001:db8::1", "documentation"),
            ("224.0.0.1", "multicast"),
            ("ff02::1", "multicast"),
            ("255.255.255.255", "broadcast"),
            ("250.0.0.1", "reserved"),
            ("198.19.0.1", "benchmarking"),
            ("4000::1", "not global"),
            ("fec0::1", "site-local"),
        ] {
            let said = peer_is_public(bad.parse().unwrap()).unwrap_err();
            assert!(said.contains(why), "{bad}: {said}");
        }
    }

    #[test]
    fn rules_parse_or_say_what_was_meant() {
        for good in ["public", "8.8.8.8", "8.8.8.0/24", "2606:4700::/32"] {
            assert_eq!(good.parse::<IpRule>().unwrap().to_string(), good);
        }
        for (bad, hint) in [
            ("8.8.8.8/24", "\"8.8.8.0/24\""),
            ("pubic", "\"public\""),
            ("8.8.8.8/33", "network"),
            ("", "network"),
        ] {
            let said = bad.parse::<IpRule>().unwrap_err().to_string();
            assert!(said.contains(hint), "{said}");
        }
    }

    fn rule() -> impl Strategy<Value = IpRule> {
        let v4 = (any::<u32>(), 0u8..=32)
            .prop_map(|(ip, bits)| IpNet::new(Ipv4Addr::from(ip).into(), bits).unwrap());
        let v6 = (any::<u128>(), 0u8..=128)
            .prop_map(|(ip, bits)| IpNet::new(Ipv6Addr::from(ip).into(), bits).unwrap());
        prop_oneof![
            Just(IpRule::PUBLIC),
            v4.prop_map(|net| IpRule(Form::Net(net.trunc()))),
            v6.prop_map(|net| IpRule(Form::Net(net.trunc()))),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]
        #[test]
        fn covers_implies_allows(outer in rule(), inner in rule(), four: u32, six: u128, wide: bool) {
            // An address inside `inner`, so that the implication is not vacuous.
            let address: IpAddr = match inner.0 {
                Form::Net(IpNet::V4(net)) => Ipv4Addr::from(u32::from(net.addr()) | four & u32::from(net.hostmask())).into(),
                Form::Net(IpNet::V6(net)) => Ipv6Addr::from(u128::from(net.addr()) | six & u128::from(net.hostmask())).into(),
                Form::Public if wide => Ipv6Addr::from(six >> 3 | 1 << 125).into(),
                Form::Public => Ipv4Addr::from(four).into(),
            };
            if outer.covers(inner) && inner.allows(address) {
                prop_assert!(outer.allows(address), "{} covers {} but refuses {}", outer, inner, address);
            }
            prop_assert!(outer.covers(outer));
            prop_assert_eq!(outer.to_string().parse(), Ok(outer));
        }
    }
}
