//! The policy that a new home gets: commented, and such that the library runs under it.

/// File names under `policy/` and their texts.
pub(crate) const FILES: [(&str, &str); 2] = [
    ("limits.toml", LIMITS),
    ("peers.toml", PEERS),
];

const LIMITS: &str = "\
# The most that any capsule gets on this host, whatever its manifest asks for.
# Lines that are commented out show the built-in ceiling.
";

const PEERS: &str = "\
# Origins that are reached at another address than DNS says, each with its own trust anchor.
# Only the socket address and the anchor change; name, SNI and Host header stay, and receipts say so.
#
# [[peer]]
# origin = \"https://api.github.com:443\"
# address = \"127.0.0.1:8443\"
# anchor = \"github-test-ca.pem\"
";
