//! The folder of orders: each signed document in a file of its own, replaced as a whole.
//!
//! A file that is not exactly what was stored stops the host from starting. An order that is dropped
//! because its file was damaged would let run what somebody signed must not.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use soma_capsule::dsse::Envelope;
use soma_policy::{Digest, OrderId, Uptime, canonical};

use super::book::Line;
use super::error::KillOpenError;
use super::replay::Recorded;

const BYTES_MAX: u64 = 16 * 1024 * 1024;
const SUFFIX: &str = ".json";
const TEMPORARY: &str = ".tmp";

/// A stored document: the envelope as text, when it came, whether it was signed to its quorum, and a
/// checksum over all of it.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    check: Digest,
    complete: bool,
    envelope: String,
    since: Uptime,
}

/// The folder.
#[derive(Debug)]
pub(super) struct Folder {
    documents: PathBuf,
    receipts: PathBuf,
    /// Held while a file is replaced: two writers would share its temporary name.
    writing: Mutex<()>,
}

impl Folder {
    /// Makes the folders if they are not there.
    pub(super) fn open(dir: &Path) -> Result<Self, KillOpenError> {
        let receipts = dir.join("receipts");
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&receipts)
            .map_err(KillOpenError::disk("create", &receipts))?;
        let this = Self::at(dir);
        remove_temporaries(&this.documents)?;
        remove_temporaries(&this.receipts)?;
        Ok(this)
    }

    /// The folders as they are, for reading beside a host that may run.
    pub(super) fn at(dir: &Path) -> Self {
        let receipts = dir.join("receipts");
        Self { documents: dir.to_path_buf(), receipts, writing: Mutex::new(()) }
    }

    /// Every stored document.
    pub(super) fn documents(&self) -> Result<Vec<Recorded>, KillOpenError> {
        let mut documents = Vec::new();
        for path in files(&self.documents)? {
            let corrupt = |why: String| KillOpenError::Corrupt { path: path.clone(), why };
            let bytes = read(&path)?;
            let stored: Stored =
                serde_json::from_slice(&bytes).map_err(|error| corrupt(error.to_string()))?;
            let Stored { complete, since, .. } = stored;
            if stored.check != check(&stored.envelope, since, complete) {
                return Err(corrupt("its checksum does not match".to_owned()));
            }
            let envelope = Envelope::from_json(stored.envelope.as_bytes())
                .map_err(|error| corrupt(error.to_string()))?;
            documents.push(Recorded { envelope, since, complete });
        }
        Ok(documents)
    }

    /// Stores a document durably, in place of what was stored of it before.
    pub(super) fn store(&self, line: &Line) -> std::io::Result<()> {
        let Line { order, hash, since, complete, .. } = *line;
        let envelope = String::from_utf8(line.envelope.to_json()).unwrap_or_default();
        let check = check(&envelope, since, complete);
        let bytes = canonical::to_vec(&Stored { check, complete, envelope, since })
            .map_err(std::io::Error::other)?;
        let name = format!("{order}-{}{SUFFIX}", hash.short());
        let _writing = self.writing.lock();
        replace(&self.documents, &name, &bytes)
    }

    /// Every stored receipt. They are evidence, not orders: one that cannot be read is left out.
    pub(super) fn receipts(&self) -> Result<Vec<Envelope>, KillOpenError> {
        let mut receipts = Vec::new();
        for path in files(&self.receipts)? {
            match Envelope::from_json(&read(&path)?) {
                Ok(receipt) => receipts.push(receipt),
                Err(error) => {
                    tracing::warn!(path = %path.display(), %error, "a kill receipt cannot be read");
                }
            }
        }
        Ok(receipts)
    }

    /// Stores a receipt durably.
    pub(super) fn store_receipt(
        &self,
        order: OrderId,
        hash: Digest,
        receipt: &Envelope,
    ) -> std::io::Result<()> {
        let name = format!("{order}-{}{SUFFIX}", hash.short());
        let _writing = self.writing.lock();
        replace(&self.receipts, &name, &receipt.to_json())
    }
}

fn check(envelope: &str, since: Uptime, complete: bool) -> Digest {
    Digest::of(format!("soma kill v1 {since} {complete} {envelope}").as_bytes())
}

/// Removes what a crash left half written.
fn remove_temporaries(dir: &Path) -> Result<(), KillOpenError> {
    for entry in std::fs::read_dir(dir).map_err(KillOpenError::disk("list", dir))? {
        let path = entry.map_err(KillOpenError::disk("list", dir))?.path();
        if path.extension().is_some_and(|extension| extension == "tmp") {
            std::fs::remove_file(&path).map_err(KillOpenError::disk("remove", &path))?;
        }
    }
    Ok(())
}

/// The files of a folder in the order of their names; none if there is no folder.
fn files(dir: &Path) -> Result<Vec<PathBuf>, KillOpenError> {
    let mut files = Vec::new();
    let entries = match std::fs::read_dir(dir) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(files),
        entries => entries.map_err(KillOpenError::disk("list", dir))?,
    };
    for entry in entries {
        let path = entry.map_err(KillOpenError::disk("list", dir))?.path();
        match path.file_name().and_then(|name| name.to_str()) {
            Some(name) if name.ends_with(TEMPORARY) => {}
            _ if path.is_dir() => {}
            Some(name) if name.ends_with(SUFFIX) => files.push(path),
            _ => {
                let why = "it does not belong in this folder".to_owned();
                return Err(KillOpenError::Corrupt { path, why });
            }
        }
    }
    files.sort_unstable();
    Ok(files)
}

fn read(path: &Path) -> Result<Vec<u8>, KillOpenError> {
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(BYTES_MAX).read_to_end(&mut bytes))
        .map_err(KillOpenError::disk("read", path))?;
    Ok(bytes)
}

/// Writes beside, syncs, renames, and syncs the folder: afterwards it is there, whole.
fn replace(dir: &Path, name: &str, bytes: &[u8]) -> std::io::Result<()> {
    let temporary = dir.join(format!("{name}{TEMPORARY}"));
    let mut file =
        OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&temporary)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    std::fs::rename(&temporary, dir.join(name))?;
    File::open(dir)?.sync_all()
}
