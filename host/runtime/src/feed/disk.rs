//! What the server said, on disk: a signed snapshot, and the signed batches that came after it.
//!
//! The log's name says which snapshot it follows, so a crash between the two leaves a snapshot without a log,
//! never a log on the wrong one. Frames that are cut short are dropped: the server gives them again. Everything
//! is verified again when it is read; nothing that is read here makes anything fresh.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use soma_capsule::crash_point;
use soma_policy::feed::{Batch, FeedHead, Snapshot};

use super::FeedError;
use super::signed::{News, SNAPSHOT_BYTES_MAX, Signed};
use crate::home::{HomeError, make_folder, names_in, read_if_there, remove, write_private};

const SNAPSHOT: &str = "snapshot.json";
const LOG: &str = "log-";
/// Length and checksum before each frame.
const HEADER: usize = 8;
const FRAME_BYTES_MAX: u32 = 16 << 20;
/// A log that is longer is replaced by a new snapshot.
const LOG_BYTES_MAX: u64 = 64 << 20;
/// The same for the number of its batches: each is verified again at the next start.
const LOG_BATCHES_MAX: usize = 2000;

/// The folder of the feed.
#[derive(Debug)]
pub(super) struct Disk {
    folder: PathBuf,
    log: Option<File>,
    bytes: u64,
    batches: usize,
}

/// What was read: the snapshot, if there is one, and the batches in their order.
#[derive(Debug, Default)]
pub(super) struct Stored {
    pub(super) snapshot: Option<Snapshot>,
    pub(super) batches: Vec<Batch>,
}

impl Disk {
    /// Reads what an earlier run kept. What does not verify any more (another server, damage) is left behind.
    pub(super) fn open(folder: &Path, signed: &Signed) -> Result<(Self, Stored), FeedError> {
        make_folder(folder)?;
        let mut this = Self { folder: folder.to_owned(), log: None, bytes: 0, batches: 0 };
        let mut stored = Stored { snapshot: this.snapshot(signed)?, batches: Vec::new() };
        let Some(head) = stored.snapshot.as_ref().map(|snapshot| snapshot.head) else {
            this.forget(None)?;
            return Ok((this, stored));
        };
        stored.batches = this.read_log(&head, signed)?;
        this.forget(Some(&head))?;
        Ok((this, stored))
    }

    fn snapshot(&self, signed: &Signed) -> Result<Option<Snapshot>, FeedError> {
        let path = self.folder.join(SNAPSHOT);
        let Some(bytes) = read_if_there(&path, SNAPSHOT_BYTES_MAX as u64)? else { return Ok(None) };
        match signed.news(&bytes) {
            Ok(News::Snapshot(snapshot)) => Ok(Some(snapshot)),
            Ok(News::Batch(_)) => Ok(None),
            Err(error) => {
                tracing::warn!(%error, "the stored snapshot of the feed is not used");
                Ok(None)
            }
        }
    }

    /// Reads frames for as long as they are whole, verify, and follow one another; cuts off the rest.
    fn read_log(&mut self, start: &FeedHead, signed: &Signed) -> Result<Vec<Batch>, FeedError> {
        let path = self.log_of(start);
        let mut file = append_to(&path)?;
        let failed = |e| HomeError::io("read", &path, e);
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(failed)?;
        let (mut batches, mut here, mut at) = (Vec::new(), *start, 0_usize);
        while let Some((frame, next)) = frame(&bytes, at) {
            let Ok(News::Batch(batch)) = signed.news(frame) else { break };
            if batch.check(&here).is_err() {
                break;
            }
            (here, at) = (batch.head, next);
            batches.push(batch);
        }
        if at < bytes.len() {
            tracing::warn!(dropped = bytes.len() - at, "the end of the feed's log is not used");
            file.set_len(at as u64).and_then(|()| file.sync_all()).map_err(failed)?;
        }
        file.seek(SeekFrom::End(0)).map_err(failed)?;
        (self.log, self.bytes, self.batches) = (Some(file), at as u64, batches.len());
        Ok(batches)
    }

    /// Keeps a batch. Without a snapshot there is nothing that it follows, and it is not kept.
    pub(super) fn append(&mut self, envelope: &[u8]) -> Result<(), FeedError> {
        let Some(log) = &mut self.log else { return Ok(()) };
        let length = u32::try_from(envelope.len()).ok().filter(|it| *it <= FRAME_BYTES_MAX);
        let length = length.ok_or(FeedError::TooLarge(FRAME_BYTES_MAX as usize))?;
        let mut frame = Vec::with_capacity(envelope.len() + HEADER);
        frame.extend_from_slice(&length.to_le_bytes());
        frame.extend_from_slice(&crc32c::crc32c(envelope).to_le_bytes());
        frame.extend_from_slice(envelope);
        let (start, path) = (self.bytes, self.folder.join(LOG));
        let written = log.write_all(&frame).and_then(|()| log.sync_data());
        if let Err(error) = written {
            // What stands there in part must not come before what is written next.
            let _ = log.set_len(start).and_then(|()| log.seek(SeekFrom::Start(start)).map(drop));
            return Err(HomeError::io("write", &path, error).into());
        }
        crash_point!("host.feed.kept");
        self.bytes = start.saturating_add(frame.len() as u64);
        self.batches = self.batches.saturating_add(1);
        Ok(())
    }

    /// Keeps a snapshot in the place of everything before it.
    pub(super) fn replace(&mut self, envelope: &[u8], head: &FeedHead) -> Result<(), FeedError> {
        // Should a log of this name be there, it follows a snapshot of another feed.
        remove(&self.log_of(head))?;
        write_private(&self.folder.join(SNAPSHOT), envelope)?;
        crash_point!("host.feed.replaced");
        self.log = Some(append_to(&self.log_of(head))?);
        (self.bytes, self.batches) = (0, 0);
        self.forget(Some(head))
    }

    /// Whether a new snapshot should take the place of the log.
    pub(super) const fn is_long(&self) -> bool {
        self.bytes > LOG_BYTES_MAX || self.batches > LOG_BATCHES_MAX
    }

    /// Removes logs that follow no snapshot that is here.
    fn forget(&self, keep: Option<&FeedHead>) -> Result<(), FeedError> {
        let keep = keep.map(|head| self.log_of(head));
        for name in names_in(&self.folder)? {
            let path = self.folder.join(&name);
            if name.starts_with(LOG) && Some(&path) != keep.as_ref() {
                remove(&path)?;
            }
        }
        Ok(())
    }

    fn log_of(&self, head: &FeedHead) -> PathBuf {
        self.folder.join(format!("{LOG}{}-{}-{}", head.epoch, head.n, head.hash.short()))
    }
}

fn append_to(path: &Path) -> Result<File, FeedError> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).mode(0o600);
    Ok(options.open(path).map_err(|e| HomeError::io("open", path, e))?)
}

/// The frame at a place, and where the next one begins; none if it is cut short or damaged.
fn frame(bytes: &[u8], at: usize) -> Option<(&[u8], usize)> {
    let rest = bytes.get(at..)?;
    let (length, rest) = rest.split_first_chunk::<4>()?;
    let (check, rest) = rest.split_first_chunk::<4>()?;
    let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
    let body = rest.get(..length)?;
    let whole = crc32c::crc32c(body) == u32::from_le_bytes(*check);
    whole.then_some((body, at.checked_add(HEADER)?.checked_add(length)?))
}
