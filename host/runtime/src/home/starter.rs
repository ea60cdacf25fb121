//! The policy that a new home gets: commented, and such that the library runs under it.

/// File names under `policy/` and their texts.
pub(crate) const FILES: [(&str, &str); 3] = [
    ("starter.cedar", soma_policy::STARTER_POLICY),
    ("limits.toml", soma_policy::STARTER_LIMITS),
    ("peers.toml", PEERS),
];

const PEERS: &str = "\
# Origins that are reached at another address than DNS says, each with its own trust anchor.
# Only the socket address and the anchor change; name, SNI and Host header stay, and receipts say so.
#
# [[peer]]
# origin = \"https://api.github.com:443\"
# address = \"127.0.0.1:8443\"
# anchor = \"github-test-ca.pem\"
";
