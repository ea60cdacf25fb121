//! Signed heads of the chain: in the database, and line by line in a file outside of it.

use std::io::{BufRead as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use serde::{Deserialize, Serialize};
use soma_capsule::dsse::{self, Envelope};
use soma_capsule::{KeyPair, PublicKey};
use soma_policy::{Digest, HostId, JournalId, Timestamp};

/// The kind of the signed document.
const KIND: &str = "audit-checkpoint";
/// Longest line of the file.
const LINE_BYTES_MAX: usize = 8 << 20;

/// What is signed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Signed {
    pub(super) at: Timestamp,
    pub(super) deployment: String,
    pub(super) head: Digest,
    /// The journals that hosts have pushed so far, each with its head.
    pub(super) hosts: Vec<HostHead>,
    #[serde(with = "soma_policy::decimal")]
    pub(super) seq: u64,
}

/// The head of a host's journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct HostHead {
    pub(super) head: Digest,
    pub(super) host: HostId,
    pub(super) journal: JournalId,
    #[serde(with = "soma_policy::decimal")]
    pub(super) seq: u64,
}

/// Signs a head; one line of JSON.
pub(super) fn sign(document: &Signed, key: &KeyPair) -> Option<String> {
    let envelope = dsse::sign_document(KIND, document, &[key]).ok()?;
    String::from_utf8(envelope.to_json()).ok()
}

/// Reads a signed head, if this key signed it.
pub(super) fn open(line: &str, key: &PublicKey) -> Option<Signed> {
    let envelope = Envelope::from_json(line.as_bytes()).ok()?;
    dsse::verify(&envelope, KIND, std::slice::from_ref(key)).ok()?.read().ok()
}

/// Adds a line to the file and waits until it is on the disk.
pub(super) fn keep(path: &Path, line: &str) -> std::io::Result<()> {
    let mut file = std::fs::OpenOptions::new().create(true).append(true).mode(0o600).open(path)?;
    file.write_all(format!("{line}\n").as_bytes())?;
    file.sync_data()
}

/// Every line of the file; none if there is no file.
pub(super) fn kept(path: &Path) -> std::io::Result<Vec<String>> {
    let file = match std::fs::File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let lines = std::io::BufReader::new(file).lines();
    lines.filter(|line| line.as_ref().map_or(true, |line| line.len() <= LINE_BYTES_MAX)).collect()
}
