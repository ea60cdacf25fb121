//! Where things lie in a home. Paths only: nothing here touches the disk.

use std::path::{Path, PathBuf};

use soma_policy::{InstallationKey, PublisherName};

/// The folders and files of a home.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    root: PathBuf,
}

/// Folders that a home consists of, in the order in which they are made.
pub(crate) const FOLDERS: [&str; 13] = [
    "keys",
    "keys/host",
    "trust",
    "trust/publishers",
    "policy",
    "installations",
    "installations/local",
    "installations/local/production",
    "secrets",
    "store",
    "state",
    "state/journal",
    "cache",
];

/// Names at the top of a home; anything else there means that the folder is not ours.
pub(crate) const TOP: [&str; 17] = [
    "keys",
    "trust",
    "policy",
    "installations",
    "secrets",
    "store",
    "state",
    "cache",
    "home.toml",
    "orgs.toml",
    "host.toml",
    // A server's own, beside the host's.
    "server.toml",
    "server.db",
    "server.db-shm",
    "server.db-wal",
    "audit-checkpoints.jsonl",
    "capsules",
];

impl Layout {
    /// The layout under `root`.
    #[must_use]
    pub fn new(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    /// The home itself.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Written last: its presence says that the home is finished.
    #[must_use]
    pub fn identity(&self) -> PathBuf {
        self.root.join("home.toml")
    }

    /// Orgs and environments of this host.
    #[must_use]
    pub fn orgs(&self) -> PathBuf {
        self.root.join("orgs.toml")
    }

    /// How this host is run.
    #[must_use]
    pub fn settings(&self) -> PathBuf {
        self.root.join("host.toml")
    }

    /// Key pairs of people: publishers, operators, the root.
    #[must_use]
    pub fn keys(&self) -> PathBuf {
        self.root.join("keys")
    }

    /// The host's own keys.
    #[must_use]
    pub fn host_keys(&self) -> PathBuf {
        self.root.join("keys/host")
    }

    /// The issuer's key (tokens).
    #[must_use]
    pub fn issuer_key(&self) -> PathBuf {
        self.host_keys().join("issuer.pem")
    }

    /// The host's key (journal heads, kill receipts).
    #[must_use]
    pub fn host_key(&self) -> PathBuf {
        self.host_keys().join("host.pem")
    }

    /// The key of the compiled-code cache.
    #[must_use]
    pub fn mac_key(&self) -> PathBuf {
        self.host_keys().join("mac.key")
    }

    /// The key that secrets are sealed with.
    #[must_use]
    pub fn sealing_key(&self) -> PathBuf {
        self.host_keys().join("seal.key")
    }

    /// The key that a server seals secrets to.
    #[must_use]
    pub fn unsealing_key(&self) -> PathBuf {
        self.host_keys().join("unseal.key")
    }

    /// What this home trusts.
    #[must_use]
    pub fn trust(&self) -> PathBuf {
        self.root.join("trust")
    }

    /// Public keys of token issuers.
    #[must_use]
    pub fn issuers(&self) -> PathBuf {
        self.root.join("trust/issuers.jwks")
    }

    /// The server that this home belongs to.
    #[must_use]
    pub fn server(&self) -> PathBuf {
        self.root.join("trust/server.toml")
    }

    /// Certificates that alone are trusted for the server's TLS.
    #[must_use]
    pub fn server_anchor(&self) -> PathBuf {
        self.root.join("trust/server.pem")
    }

    /// Tokens that were taken back.
    #[must_use]
    pub fn revoked(&self) -> PathBuf {
        self.root.join("trust/revoked.json")
    }

    /// The root public key, to which the operators are bound.
    #[must_use]
    pub fn root_public(&self) -> PathBuf {
        self.root.join("trust/root.pub")
    }

    /// Operators and their quorum.
    #[must_use]
    pub fn operators(&self) -> PathBuf {
        self.root.join("trust/operators.toml")
    }

    /// The root's signature over [`Self::operators`].
    #[must_use]
    pub fn operators_signature(&self) -> PathBuf {
        self.root.join("trust/operators.toml.sigstore.json")
    }

    /// The signature over a list that is about to be written.
    #[must_use]
    pub fn operators_next_signature(&self) -> PathBuf {
        self.root.join("trust/operators.toml.next.sigstore.json")
    }

    /// A folder for each trusted publisher.
    #[must_use]
    pub fn publishers(&self) -> PathBuf {
        self.root.join("trust/publishers")
    }

    /// The keys pinned for one publisher.
    #[must_use]
    pub fn publisher(&self, name: &PublisherName) -> PathBuf {
        self.publishers().join(name.to_string())
    }

    /// The constitution that holds, once a server brought one that enough operators signed.
    #[must_use]
    pub fn constitution(&self) -> PathBuf {
        self.root.join("trust/constitution.json")
    }

    /// The operator's policy.
    #[must_use]
    pub fn policy(&self) -> PathBuf {
        self.root.join("policy")
    }

    /// All installation files.
    #[must_use]
    pub fn installations(&self) -> PathBuf {
        self.root.join("installations")
    }

    /// One installation's file.
    #[must_use]
    pub fn installation(&self, key: &InstallationKey) -> PathBuf {
        self.installations()
            .join(key.org.to_string())
            .join(key.environment.to_string())
            .join(format!("{}.toml", key.id))
    }

    /// Sealed secrets.
    #[must_use]
    pub fn secrets(&self) -> PathBuf {
        self.root.join("secrets")
    }

    /// Components by digest, an OCI image layout each.
    #[must_use]
    pub fn store(&self) -> PathBuf {
        self.root.join("store")
    }

    /// The key-value entries of all installations.
    #[must_use]
    pub fn kv(&self) -> PathBuf {
        self.store().join("kv.redb")
    }

    /// The files of all installations.
    #[must_use]
    pub fn files(&self) -> PathBuf {
        self.store().join("files")
    }

    /// What the host remembers: journal, revisions, orders.
    #[must_use]
    pub fn state(&self) -> PathBuf {
        self.root.join("state")
    }

    /// The journal's segments; nothing else belongs there.
    #[must_use]
    pub fn journal(&self) -> PathBuf {
        self.root.join("state/journal")
    }

    /// The journal's head, apart from the folder of its segments.
    #[must_use]
    pub fn journal_head(&self) -> PathBuf {
        self.root.join("state/journal.head")
    }

    /// Kill orders and their receipts.
    #[must_use]
    pub fn kill(&self) -> PathBuf {
        self.root.join("state/kill")
    }

    /// Secrets that a server sent, sealed by this host's own key.
    #[must_use]
    pub fn feed_secrets(&self) -> PathBuf {
        self.root.join("state/feed-secrets")
    }

    /// What a server said: the snapshot, and what came after it.
    #[must_use]
    pub fn feed(&self) -> PathBuf {
        self.root.join("state/feed")
    }

    /// Compiled code; may be thrown away at any time.
    #[must_use]
    pub fn cache(&self) -> PathBuf {
        self.root.join("cache")
    }

    /// Where the running host says how to reach it.
    #[must_use]
    pub fn address(&self) -> PathBuf {
        self.root.join("state/host.json")
    }

    /// Folders that only the owner may enter.
    #[must_use]
    pub fn private_folders(&self) -> [PathBuf; 4] {
        [self.root.clone(), self.keys(), self.host_keys(), self.secrets()]
    }
}
