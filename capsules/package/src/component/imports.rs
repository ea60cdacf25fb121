//! Which interfaces a component may import, and which capability each of them needs.
//!
//! This table is the whole list: what is not in it is refused. It says what an import *needs*;
//! whether the manifest declares that is judged in `check`, whether a tenant granted it by the
//! host.

use std::fmt;

use semver::Version;
use soma_policy::CapabilityKind;

/// One outermost import of a component.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Import {
    /// The name in the binary.
    pub name: String,
    /// What it takes to satisfy it.
    pub need: Need,
}

/// What it takes to satisfy an import.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// Part of the base world, linked for every capsule without a declaration.
    Base,
    /// Linked when the manifest declares that capability.
    Capability(CapabilityKind),
    /// A known interface in a version that is not offered; the text names those that are.
    Version(&'static str),
    /// An interface of WASI 0.3, which is not offered.
    Preview3,
    /// Sockets: never offered, HTTP is.
    Sockets,
    /// Not an interface that any host of ours offers.
    Unknown,
}

impl Import {
    /// Looks the import up. `serves` says whether the component is an HTTP handler, whose
    /// requests and responses are made of `wasi:http/types` without a capability.
    #[must_use]
    pub fn classify(name: &str, serves: bool) -> Self {
        Self { name: name.to_string(), need: need(name, serves) }
    }

    /// The nearest interface that is offered, if the name looks like a slip.
    #[must_use]
    pub fn suggestion(&self) -> Option<String> {
        let wanted = InterfaceName::parse(&self.name)?;
        let wanted = format!("{}/{}", wanted.package, wanted.interface);
        let offered = offered();
        let known: Vec<&str> = offered.iter().map(String::as_str).collect();
        soma_policy::suggest(&wanted, &known).map(ToString::to_string)
    }
}

/// A qualified interface name, `ns:package/interface@version`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InterfaceName {
    /// `ns:package`.
    pub package: String,
    /// The interface.
    pub interface: String,
    /// The version, where one is given.
    pub version: Option<Version>,
}

impl InterfaceName {
    /// Parses a qualified name; plain names and other forms give `None`.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        let (path, version) = match name.split_once('@') {
            Some((path, version)) => (path, Some(Version::parse(version).ok()?)),
            None => (name, None),
        };
        let (package, interface) = path.split_once('/')?;
        let plain = |text: &str| {
            !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
        };
        let (namespace, local) = package.split_once(':')?;
        (plain(namespace) && plain(local) && plain(interface)).then(|| Self {
            package: package.to_string(),
            interface: interface.to_string(),
            version,
        })
    }
}

impl fmt::Display for InterfaceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.package, self.interface)?;
        self.version.as_ref().map_or(Ok(()), |version| write!(f, "@{version}"))
    }
}

/// How versions of an interface match, as the engine matches them.
#[derive(Debug, Clone, Copy)]
enum Versions {
    /// Any release of one compatible track, older and newer.
    Track { major: u64, minor: u64, text: &'static str },
    /// These prereleases exactly; an empty text is the interface without a version.
    Exactly { versions: &'static [&'static str], text: &'static str },
}

#[derive(Debug)]
struct Offer {
    package: &'static str,
    interfaces: &'static [&'static str],
    versions: Versions,
    need: Need,
}

const WASI_02: Versions = Versions::Track { major: 0, minor: 2, text: "0.2.x" };
const SOMA_01: Versions = Versions::Track { major: 0, minor: 1, text: "0.1.x" };

const OFFERS: &[Offer] = &[
    Offer {
        package: "wasi:io",
        interfaces: &["error", "poll", "streams"],
        versions: WASI_02,
        need: Need::Base,
    },
    Offer {
        package: "wasi:cli",
        interfaces: &[
            "environment",
            "exit",
            "stdin",
            "stdout",
            "stderr",
            "terminal-input",
            "terminal-output",
            "terminal-stdin",
            "terminal-stdout",
            "terminal-stderr",
        ],
        versions: WASI_02,
        need: Need::Base,
    },
    Offer {
        package: "wasi:clocks",
        interfaces: &["monotonic-clock", "wall-clock"],
        versions: WASI_02,
        need: Need::Base,
    },
    Offer {
        package: "wasi:random",
        interfaces: &["random", "insecure", "insecure-seed"],
        versions: WASI_02,
        need: Need::Base,
    },
    // Toolchains import these whether files are used or not; without a granted directory there
    // is nothing to open.
    Offer {
        package: "wasi:filesystem",
        interfaces: &["types", "preopens"],
        versions: WASI_02,
        need: Need::Base,
    },
    Offer {
        package: "wasi:http",
        interfaces: &["types", "outgoing-handler"],
        versions: WASI_02,
        need: Need::Capability(CapabilityKind::Http),
    },
    Offer {
        package: "wasi:keyvalue",
        interfaces: &["store", "atomics", "batch"],
        versions: Versions::Exactly { versions: &["0.2.0-draft"], text: "0.2.0-draft" },
        need: Need::Capability(CapabilityKind::Kv),
    },
    Offer {
        package: "wasi:config",
        interfaces: &["store"],
        versions: Versions::Exactly { versions: &["0.2.0-rc.1"], text: "0.2.0-rc.1" },
        need: Need::Capability(CapabilityKind::Config),
    },
    Offer {
        package: "wasi:logging",
        interfaces: &["logging"],
        versions: Versions::Exactly {
            versions: &["", "0.1.0-draft"],
            text: "no version, or 0.1.0-draft",
        },
        need: Need::Capability(CapabilityKind::Logging),
    },
    Offer {
        package: "soma:secret",
        interfaces: &["secret"],
        versions: SOMA_01,
        need: Need::Capability(CapabilityKind::Secret),
    },
    Offer {
        package: "soma:tool",
        interfaces: &["tool"],
        versions: SOMA_01,
        need: Need::Capability(CapabilityKind::Tool),
    },
    Offer {
        package: "soma:emit",
        interfaces: &["emit"],
        versions: SOMA_01,
        need: Need::Capability(CapabilityKind::Emit),
    },
    Offer {
        package: "soma:budget",
        interfaces: &["budget"],
        versions: SOMA_01,
        need: Need::Capability(CapabilityKind::Budget),
    },
];

/// The names of all interfaces on offer, without versions.
pub(super) fn offered() -> Vec<String> {
    let names = |offer: &Offer| -> Vec<String> {
        offer.interfaces.iter().map(|name| format!("{}/{name}", offer.package)).collect()
    };
    OFFERS.iter().flat_map(names).collect()
}

fn need(name: &str, serves: bool) -> Need {
    let Some(wanted) = InterfaceName::parse(name) else { return Need::Unknown };
    if is_preview3(name) {
        return Need::Preview3;
    }
    if wanted.package == "wasi:sockets" {
        return Need::Sockets;
    }
    let offer = OFFERS.iter().find(|offer| {
        offer.package == wanted.package && offer.interfaces.contains(&wanted.interface.as_str())
    });
    let Some(offer) = offer else { return Need::Unknown };
    if let Err(versions) = offer.versions.matches(wanted.version.as_ref()) {
        return Need::Version(versions);
    }
    if serves && wanted.package == "wasi:http" && wanted.interface == "types" {
        return Need::Base;
    }
    offer.need
}

impl Versions {
    fn matches(self, wanted: Option<&Version>) -> Result<(), &'static str> {
        match self {
            Self::Track { major, minor, text } => wanted
                .filter(|v| v.major == major && v.minor == minor && v.pre.is_empty())
                .map(|_| ())
                .ok_or(text),
            Self::Exactly { versions, text } => {
                let wanted = wanted.map(ToString::to_string).unwrap_or_default();
                if versions.contains(&wanted.as_str()) { Ok(()) } else { Err(text) }
            }
        }
    }
}

/// Whether the import is of WASI 0.3, released or not.
pub(super) fn is_preview3(name: &str) -> bool {
    InterfaceName::parse(name).is_some_and(|wanted| {
        wanted.package.starts_with("wasi:")
            && wanted.version.is_some_and(|version| version.major == 0 && version.minor == 3)
    })
}
