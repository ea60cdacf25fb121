//! What an archive says of itself: the signed manifest, and the list of files that it is signed over.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use soma_capsule::dsse::{self, Envelope};
use soma_capsule::{KeyPair, PublicKey};
use soma_policy::{Digest, Timestamp, decimal};

use super::bound::{ENTRIES_MAX, Inside};
use super::error::ContinuityError;

/// The kind of the signed document.
const KIND: &str = "backup-manifest";
/// The form of the archive that this version writes and reads.
const FORM: u32 = 1;

/// What a backup is, signed by the key that signs heads of the audit chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// When it was made.
    pub at: Timestamp,
    /// Bytes of all files.
    #[serde(with = "decimal")]
    pub bytes: u64,
    /// Which server.
    pub deployment: String,
    /// The epoch of its feed.
    #[serde(with = "decimal")]
    pub epoch: u64,
    /// Files, the sealed ones left out.
    #[serde(with = "decimal")]
    pub files: u64,
    /// The form of the archive.
    pub form: u32,
    /// The digest of the list of files.
    pub index: Digest,
    /// The program that made it.
    pub program: String,
    /// The digest of what is sealed.
    pub sealed: Digest,
    /// The step of the database's schema.
    #[serde(with = "decimal")]
    pub step: u64,
}

impl Manifest {
    /// The form that archives have now.
    pub(super) const fn form() -> u32 {
        FORM
    }

    pub(super) fn sign(&self, key: &KeyPair) -> Result<Vec<u8>, ContinuityError> {
        Ok(dsse::sign_document(KIND, self, &[key])?.to_json())
    }

    /// Reads a manifest that the key signed.
    pub(super) fn open(envelope: &[u8], key: &PublicKey) -> Result<Self, ContinuityError> {
        let bad = |error: dsse::DsseError| ContinuityError::Bad(format!("its manifest: {error}"));
        let read = Envelope::from_json(envelope).map_err(bad)?;
        let proven = dsse::verify(&read, KIND, std::slice::from_ref(key)).map_err(bad)?;
        if proven.proven().to_json() != envelope {
            return Err(ContinuityError::bad("its manifest is not in the form that was signed"));
        }
        let manifest: Self = proven.read().map_err(bad)?;
        if manifest.form != FORM {
            let form = manifest.form;
            return Err(ContinuityError::Bad(format!(
                "it has form {form}, this version reads {FORM}"
            )));
        }
        Ok(manifest)
    }
}

/// One line of the list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
pub(super) enum Line {
    /// A folder.
    Folder {
        /// Where.
        path: String,
    },
    /// The next entry is this file.
    File {
        /// Where.
        path: String,
        /// How long it is.
        bytes: u64,
        /// What it is.
        digest: Digest,
    },
    /// The next entry changed while it was copied; another one has the file.
    Void {
        /// How long it is.
        bytes: u64,
        /// What it is.
        digest: Digest,
    },
}

/// What an entry of the archive must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    /// None for what is void.
    pub(super) path: Option<Inside>,
    pub(super) bytes: u64,
    pub(super) digest: Digest,
}

/// The list of an archive, read.
#[derive(Debug, Default)]
pub(super) struct Index {
    pub(super) folders: Vec<Inside>,
    pub(super) entries: Vec<Entry>,
}

impl Index {
    pub(super) fn write(lines: &[Line]) -> Result<Vec<u8>, ContinuityError> {
        let mut text = Vec::new();
        for line in lines {
            let unfit = |error: serde_json::Error| ContinuityError::Bad(error.to_string());
            text.extend(serde_json::to_vec(line).map_err(unfit)?);
            text.push(b'\n');
        }
        Ok(text)
    }

    pub(super) fn read(text: &[u8]) -> Result<Self, ContinuityError> {
        let mut index = Self::default();
        let mut paths = BTreeSet::new();
        for (at, line) in
            text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).enumerate()
        {
            if at as u64 >= ENTRIES_MAX {
                return Err(ContinuityError::Bad(format!(
                    "it lists more than {ENTRIES_MAX} files"
                )));
            }
            let unfit = |error: serde_json::Error| {
                ContinuityError::Bad(format!("line {} of its list: {error}", at + 1))
            };
            match serde_json::from_slice(line).map_err(unfit)? {
                Line::Folder { path } => index.folders.push(once(&mut paths, &path)?),
                Line::File { path, bytes, digest } => {
                    let path = Some(once(&mut paths, &path)?);
                    index.entries.push(Entry { path, bytes, digest });
                }
                Line::Void { bytes, digest } => {
                    index.entries.push(Entry { path: None, bytes, digest });
                }
            }
        }
        Ok(index)
    }
}

fn once(paths: &mut BTreeSet<Inside>, path: &str) -> Result<Inside, ContinuityError> {
    let path = Inside::parse(path)?;
    if paths.insert(path.clone()) {
        return Ok(path);
    }
    Err(ContinuityError::Bad(format!("it lists `{}` twice", path.as_str())))
}
