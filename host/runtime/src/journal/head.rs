//! The head of the journal: how far it goes, and by which hash.
//!
//! A head is recorded in the journal, signed, and written to a file in another folder, sealed. The
//! file has two slots that are written in turn, each with one write and one sync: a torn write loses
//! the slot that was never relied upon, and the other one holds. Nothing here decides what a head
//! that disagrees with the segments means: that is `open.rs` and `verify.rs`.

use std::io;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use soma_policy::{Digest, HostId, JournalId};

use super::disk::{Disk, DiskFile, Open};
use super::key::{JournalKey, JournalPublicKey, KeyError};
use super::record::decimal;

/// One slot is one page, so that writing one cannot tear the other.
pub(crate) const SLOT: usize = 4096;

/// How far a journal goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// The journal.
    pub journal: JournalId,
    /// The host that writes it.
    pub host: HostId,
    /// The first record that is kept; what came before was pruned.
    pub first: u64,
    /// The last record that this head vouches for; zero when there is none yet.
    pub seq: u64,
    /// The hash of that record.
    pub hash: Digest,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Text {
    first: String,
    hash: Digest,
    host: HostId,
    journal: JournalId,
    seq: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Signed {
    head: Text,
    sig: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Sealed {
    head: Text,
    seal: String,
}

impl Head {
    /// Its canonical text: the fields in order, which the declaration of `Text` is in.
    pub(crate) fn text(&self) -> Vec<u8> {
        serde_json::to_vec(&Text::from(self)).unwrap_or_default()
    }

    /// The body of a head record.
    pub(crate) fn signed(&self, key: &JournalKey) -> Result<Vec<u8>, KeyError> {
        let sig = STANDARD.encode(key.sign(&self.text())?);
        serde_json::to_vec(&Signed { head: self.into(), sig }).map_err(|_| KeyError)
    }

    /// Reads the body of a head record; `None` unless the key signed exactly this.
    pub(crate) fn verified(body: &[u8], key: &JournalPublicKey) -> Option<Self> {
        let signed: Signed = serde_json::from_slice(body).ok()?;
        let signature = STANDARD.decode(&signed.sig).ok()?;
        let head = Self::try_from(&signed.head).ok()?;
        let canonical = serde_json::to_vec(&signed).ok()? == body;
        (canonical && key.verifies(&head.text(), &signature)).then_some(head)
    }

    fn slot(&self, key: &JournalKey) -> Vec<u8> {
        let seal = STANDARD.encode(key.seal(&self.text()));
        let text = serde_json::to_vec(&Sealed { head: self.into(), seal }).unwrap_or_default();
        let mut slot = format!("{:08x} ", crc32c::crc32c(&text)).into_bytes();
        slot.extend_from_slice(&text);
        slot.resize(SLOT.saturating_sub(1), b' ');
        slot.push(b'\n');
        slot
    }
}

impl From<&Head> for Text {
    fn from(head: &Head) -> Self {
        Self {
            first: head.first.to_string(),
            hash: head.hash,
            host: head.host,
            journal: head.journal,
            seq: head.seq.to_string(),
        }
    }
}

impl TryFrom<&Text> for Head {
    type Error = ();

    fn try_from(text: &Text) -> Result<Self, ()> {
        Ok(Self {
            first: decimal(text.first.as_bytes()).ok_or(())?,
            hash: text.hash,
            host: text.host,
            journal: text.journal,
            seq: decimal(text.seq.as_bytes()).ok_or(())?,
        })
    }
}

/// What the head file held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Found {
    /// There is no file.
    Missing,
    /// There is one, and neither slot can be read.
    Unreadable,
    /// The later of the slots that can be read, and where it lies.
    Head { head: Head, slot: usize },
}

/// Reads the head file. With a key, a slot counts only if the host sealed it; without, if it is whole.
pub(crate) fn load(disk: &dyn Disk, path: &Path, key: Option<&JournalKey>) -> io::Result<Found> {
    let file = match disk.open(path, Open::Read) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Found::Missing),
        Err(error) => return Err(error),
    };
    let mut found = Found::Unreadable;
    for slot in 0..2 {
        let mut bytes = vec![0; SLOT];
        let length = file.read_at((slot as u64).saturating_mul(SLOT as u64), &mut bytes)?;
        let Some(head) = bytes.get(..length).and_then(|bytes| read_slot(bytes, key)) else {
            continue;
        };
        match &found {
            Found::Head { head: best, .. } if (best.seq, best.first) >= (head.seq, head.first) => {}
            _ => found = Found::Head { head, slot },
        }
    }
    Ok(found)
}

fn read_slot(bytes: &[u8], key: Option<&JournalKey>) -> Option<Head> {
    let text = bytes.strip_suffix(b"\n")?.trim_ascii_end();
    let (crc, text) = text.split_at_checked(9)?;
    if crc != format!("{:08x} ", crc32c::crc32c(text)).as_bytes() || bytes.len() != SLOT {
        return None;
    }
    let sealed: Sealed = serde_json::from_slice(text).ok()?;
    let head = Head::try_from(&sealed.head).ok()?;
    let seal = STANDARD.decode(&sealed.seal).ok()?;
    key.is_none_or(|key| key.opens(&head.text(), &seal)).then_some(head)
}

/// The head file, open for writing.
pub(crate) struct HeadFile {
    file: Box<dyn DiskFile>,
    next: usize,
    path: PathBuf,
}

impl HeadFile {
    /// Makes the file with its first head.
    pub(crate) fn create(
        disk: &dyn Disk,
        path: &Path,
        head: &Head,
        key: &JournalKey,
    ) -> io::Result<Self> {
        let how = if matches!(load(disk, path, None)?, Found::Missing) {
            Open::New
        } else {
            Open::Existing
        };
        let mut this = Self { file: disk.open(path, how)?, next: 0, path: path.to_path_buf() };
        this.write(head, key)?;
        if let Some(dir) = path.parent() {
            disk.sync_dir(dir)?;
        }
        Ok(this)
    }

    /// Opens the file whose latest head lies in `slot`.
    pub(crate) fn open(disk: &dyn Disk, path: &Path, slot: usize) -> io::Result<Self> {
        let file = disk.open(path, Open::Existing)?;
        Ok(Self { file, next: 1_usize.saturating_sub(slot), path: path.to_path_buf() })
    }

    /// Where it lies.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Makes `head` the latest, durably.
    pub(crate) fn write(&mut self, head: &Head, key: &JournalKey) -> io::Result<()> {
        let offset = (self.next as u64).saturating_mul(SLOT as u64);
        self.file.write_at(offset, &head.slot(key))?;
        self.file.sync()?;
        self.next = 1_usize.saturating_sub(self.next);
        Ok(())
    }
}
