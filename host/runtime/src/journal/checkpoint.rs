//! Checkpoints: what a replay came to at the end of a closed segment, so that a start reads only what is
//! after it.
//!
//! A checkpoint is the host's own word to itself. It is sealed with a key that only the host has, it names
//! the record that it ends with by number and hash, and the segment after it must hang on that hash; so it
//! can be lost or damaged, but not exchanged. Whatever is wrong with it, the journal is read from its
//! beginning instead: nothing depends on a checkpoint but time.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use soma_capsule::crash_point;
use soma_policy::{Digest, HostId, JournalEntry, JournalId};

use super::JournalOptions;
use super::disk::{Disk, Open};
use super::key::{JournalKey, JournalPublicKey, Sealer};
use super::recover::OpenStarts;

const SUFFIX: &str = ".checkpoint";
/// Separates these seals from those of heads.
const LABEL: &[u8] = b"soma journal checkpoint v1\n";
const BYTES_MAX: u64 = 512 * 1024 * 1024;

/// What learns from the journal while it is replayed, and can go on where it was.
pub trait Replay {
    /// Takes the next entry into account.
    fn see(&mut self, entry: &JournalEntry);

    /// Everything that it knows so far.
    ///
    /// # Errors
    /// Why there is no such form; no checkpoint is then made.
    fn state(&mut self) -> Result<serde_json::Value, String>;

    /// Goes on from such a state, instead of from nothing.
    ///
    /// # Errors
    /// Why it cannot; it is then as new, and the journal is read from its beginning.
    fn resume(&mut self, state: serde_json::Value) -> Result<(), String>;
}

/// A replay that sees everything and keeps nothing.
pub(crate) struct Whole<'a>(pub(crate) &'a mut dyn FnMut(&JournalEntry));

impl Replay for Whole<'_> {
    fn see(&mut self, entry: &JournalEntry) {
        (self.0)(entry);
    }

    fn state(&mut self) -> Result<serde_json::Value, String> {
        Err("it keeps nothing".to_owned())
    }

    fn resume(&mut self, _: serde_json::Value) -> Result<(), String> {
        Err("every entry is asked for".to_owned())
    }
}

/// Where checkpoints lie, how they are sealed, and how far the latest goes.
pub(crate) struct Checkpoints {
    pub(crate) dir: PathBuf,
    sealer: Sealer,
    pub(crate) public: JournalPublicKey,
    latest: AtomicU64,
}

impl Checkpoints {
    pub(crate) fn new(options: &JournalOptions, key: &JournalKey) -> Self {
        let (sealer, public) = (key.sealer(), key.public());
        Self { dir: options.checkpoints.clone(), sealer, public, latest: AtomicU64::new(0) }
    }

    pub(crate) fn folder<'a>(&'a self, disk: &'a dyn Disk) -> Folder<'a> {
        Folder { disk, dir: &self.dir, sealer: &self.sealer }
    }

    /// The latest checkpoint ends with this record.
    pub(crate) fn reached(&self, seq: u64) {
        self.latest.store(seq, Ordering::Release);
    }

    /// The record that the latest checkpoint ends with.
    pub(crate) fn end(&self) -> u64 {
        self.latest.load(Ordering::Acquire)
    }

    /// Whether records up to `seq` are more than the latest checkpoint holds.
    pub(crate) fn is_below(&self, seq: u64) -> bool {
        self.latest.load(Ordering::Acquire) < seq
    }
}

/// A closed segment: its first record, where its records begin, and its length.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Closed {
    pub(crate) first: u64,
    pub(crate) body: u64,
    pub(crate) length: u64,
}

/// What a replay came to.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Checkpoint {
    pub(crate) journal: JournalId,
    pub(crate) host: HostId,
    /// The last record that is in it, and its hash.
    pub(crate) seq: u64,
    pub(crate) hash: Digest,
    /// The segments that it stands for, in order.
    pub(crate) closed: Vec<Closed>,
    /// Calls that had not ended.
    pub(crate) starts: OpenStarts,
    /// Whatever [`Replay`] says.
    pub(crate) state: serde_json::Value,
}

/// The folder of checkpoints.
pub(crate) struct Folder<'a> {
    pub(crate) disk: &'a dyn Disk,
    pub(crate) dir: &'a Path,
    pub(crate) sealer: &'a Sealer,
}

impl Folder<'_> {
    /// The latest checkpoint that this host sealed; those that do not open are passed over and said.
    pub(crate) fn latest(&self) -> Option<Checkpoint> {
        let mut seqs = self.list().unwrap_or_default();
        seqs.reverse();
        seqs.into_iter().find_map(|seq| match self.read(seq) {
            Ok(checkpoint) => Some(checkpoint),
            Err(why) => {
                let path = self.path(seq);
                tracing::warn!(path = %path.display(), why, "a checkpoint of the journal is not used");
                None
            }
        })
    }

    fn list(&self) -> io::Result<Vec<u64>> {
        let seq = |name: &String| name.strip_suffix(SUFFIX)?.parse::<u64>().ok();
        let mut seqs: Vec<u64> = self.disk.names(self.dir)?.iter().filter_map(seq).collect();
        seqs.sort_unstable();
        Ok(seqs)
    }

    fn path(&self, seq: u64) -> PathBuf {
        self.dir.join(format!("{seq:020}{SUFFIX}"))
    }

    fn read(&self, seq: u64) -> Result<Checkpoint, String> {
        let file = self.disk.open(&self.path(seq), Open::Read).map_err(|e| e.to_string())?;
        let length = file.len().map_err(|e| e.to_string())?;
        let room = usize::try_from(length).ok().filter(|_| length <= BYTES_MAX);
        let mut bytes = vec![0; room.ok_or("it is too long")?];
        let got = file.read_at(0, &mut bytes).map_err(|e| e.to_string())?;
        bytes.truncate(got);
        let end = bytes.iter().position(|byte| *byte == b'\n').ok_or("it is not whole")?;
        let (seal, text) = bytes.split_at(end);
        let text = text.get(1..).unwrap_or_default();
        let seal = STANDARD.decode(seal).map_err(|_| "it is not whole")?;
        if !self.sealer.opens(&[LABEL, text].concat(), &seal) {
            return Err("its seal does not fit".to_owned());
        }
        let checkpoint: Checkpoint = serde_json::from_slice(text).map_err(|e| e.to_string())?;
        if checkpoint.seq != seq {
            return Err("it has another's name".to_owned());
        }
        Ok(checkpoint)
    }

    /// Writes a checkpoint durably, and only then removes those before it.
    pub(crate) fn write(&self, checkpoint: &Checkpoint) -> io::Result<()> {
        let text = serde_json::to_vec(checkpoint).map_err(io::Error::other)?;
        let mut bytes = STANDARD.encode(self.sealer.seal(&[LABEL, &text].concat())).into_bytes();
        bytes.push(b'\n');
        bytes.extend_from_slice(&text);
        self.disk.make_dir(self.dir)?;
        let path = self.path(checkpoint.seq);
        if self.list()?.contains(&checkpoint.seq) {
            self.disk.remove(&path)?;
        }
        let file = self.disk.open(&path, Open::New)?;
        crash_point!("host.checkpoint.begun");
        file.write_at(0, &bytes)?;
        file.sync()?;
        self.disk.sync_dir(self.dir)?;
        crash_point!("host.checkpoint.kept");
        for older in self.list()?.into_iter().filter(|seq| *seq < checkpoint.seq) {
            self.disk.remove(&self.path(older))?;
        }
        self.disk.sync_dir(self.dir)
    }
}
