//! A segment: one file of frames, named by its first record, opened by a header that says whose it is.
//!
//! The header is no record: it repeats what the chain proves (where the segment starts and on which
//! hash), so that a segment can be read without those that were pruned.

use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use soma_policy::{Digest, HostId, JournalId};

use super::disk::{Disk, DiskFile, Open};
use super::frame;
use super::record::decimal;

const SUFFIX: &str = ".journal";
const FORMAT: u32 = 1;

/// What the first frame of a segment says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) journal: JournalId,
    pub(crate) host: HostId,
    /// The first record of the segment.
    pub(crate) first: u64,
    /// The hash of the record before it, or the anchor of the journal.
    pub(crate) prev: Digest,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Text {
    first: String,
    format: u32,
    host: HostId,
    journal: JournalId,
    prev: Digest,
}

impl Header {
    /// The header of a journal's very first segment: its chain hangs on the names of journal and host.
    pub(crate) fn genesis(journal: JournalId, host: HostId) -> Self {
        let prev = Digest::of(format!("soma journal v{FORMAT} {journal} {host}").as_bytes());
        Self { journal, host, first: 1, prev }
    }

    fn text(&self) -> Vec<u8> {
        let text = Text {
            first: self.first.to_string(),
            format: FORMAT,
            host: self.host,
            journal: self.journal,
            prev: self.prev,
        };
        serde_json::to_vec(&text).unwrap_or_default()
    }

    /// Reads a header; `None` if it is not exactly one.
    pub(crate) fn read(payload: &[u8]) -> Option<Self> {
        let text: Text = serde_json::from_slice(payload).ok()?;
        let first = decimal(text.first.as_bytes())?;
        let header = Self { journal: text.journal, host: text.host, first, prev: text.prev };
        (header.text() == payload).then_some(header)
    }

    /// Makes the segment's file, durably; returns it and its length.
    pub(crate) fn create(
        &self,
        disk: &dyn Disk,
        dir: &Path,
    ) -> io::Result<(Box<dyn DiskFile>, u64)> {
        let file = disk.open(&path(dir, self.first), Open::New)?;
        let mut bytes = Vec::new();
        let at = frame::begin(&mut bytes);
        bytes.extend_from_slice(&self.text());
        frame::finish(&mut bytes, at);
        file.write_at(0, &bytes)?;
        file.sync()?;
        disk.sync_dir(dir)?;
        Ok((file, bytes.len() as u64))
    }
}

/// The file of the segment that starts with record `first`.
pub(crate) fn path(dir: &Path, first: u64) -> PathBuf {
    dir.join(format!("{first:020}{SUFFIX}"))
}

/// First records of the segments in a folder, in order. Other files are not ours to judge.
pub(crate) fn list(disk: &dyn Disk, dir: &Path) -> io::Result<Vec<u64>> {
    let mut firsts: Vec<u64> = disk.names(dir)?.iter().filter_map(|name| first(name)).collect();
    firsts.sort_unstable();
    Ok(firsts)
}

fn first(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(SUFFIX)?;
    let whole = digits.len() == 20 && digits.bytes().all(|byte| byte.is_ascii_digit());
    whole.then(|| digits.parse().ok()).flatten()
}
