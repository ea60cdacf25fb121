//! The writer: the one thread that puts groups on the disk.
//!
//! It takes all that waits, writes it with one write and one sync, writes the head elsewhere, and only
//! then wakes those who wait. The first error ends it: a failed sync says nothing of what is on the
//! disk, and asking the same file again could report a success that never was.

use std::sync::Arc;
use std::time::{Duration, Instant};

use soma_capsule::crash_point;
use soma_policy::Digest;

use super::chain;
use super::disk::DiskFile;
use super::error::{DiskError, JournalError};
use super::frame;
use super::group::{Committed, Group};
use super::head::{Head, HeadFile};
use super::key::JournalKey;
use super::queue::{Batch, Queue};
use super::record::{self, Kind};
use super::segment::{self, Header};
use super::shared::Shared;

/// Where the next record goes.
pub(crate) struct Tail {
    /// The journal and host; `first` and `prev` are those of the active segment.
    pub(crate) header: Header,
    pub(crate) file: Box<dyn DiskFile>,
    /// Length of the active segment.
    pub(crate) length: u64,
    pub(crate) next: u64,
    pub(crate) prev: Digest,
    /// The last recorded signature: every record up to it is covered.
    pub(crate) signed: u64,
}

/// The writer's own state.
pub(crate) struct Writer {
    pub(crate) shared: Arc<Shared>,
    pub(crate) tail: Tail,
    pub(crate) head: HeadFile,
    pub(crate) key: JournalKey,
    pub(crate) sign_every: Duration,
    pub(crate) segment_bytes: u64,
    /// Segments that are kept though the server has taken them.
    pub(crate) spare: usize,
    /// When the first entry came that no recorded signature covers.
    pub(crate) unsigned_since: Option<Instant>,
    pub(crate) out: Vec<u8>,
}

/// A record of the group being written: its number, and where its frame lies in the buffer.
struct Laid {
    seq: u64,
    at: usize,
    end: usize,
}

impl Writer {
    /// Writes until the queue is closed and empty, or something fails.
    pub(crate) fn run(mut self) {
        let shared = Arc::clone(&self.shared);
        let mut last = Last { shared: Arc::clone(&shared), group: None };
        let mut spare = Batch::default();
        while let Some(batch) = shared.queue.take(spare, self.owed()) {
            last.group = Some(Arc::clone(&batch.group));
            let outcome = self.commit(&batch);
            let failed = outcome.as_ref().err().cloned();
            if let Some(error) = &failed {
                // Before anyone is told, so that whoever is told finds the queue refusing.
                shared.queue.stop(error);
            }
            batch.group.settle(outcome);
            let failed = failed.or_else(|| self.after(&batch).err());
            if let Some(error) = failed {
                tracing::error!(%error, "the journal stopped");
                return shared.queue.stop(&error);
            }
            spare = batch;
        }
    }

    /// When a signature must be recorded though nothing else is; `None` if none is owed.
    fn owed(&self) -> Option<Instant> {
        let since = self.unsigned_since?;
        Some(since.checked_add(self.sign_every).unwrap_or(since))
    }

    fn commit(&mut self, batch: &Batch) -> Result<Committed, JournalError> {
        self.out.clear();
        let first = self.tail.next;
        let mut laid = Vec::with_capacity(batch.ends.len().saturating_add(1));
        let mut hashes = Vec::with_capacity(batch.ends.len());
        for body in batch.bodies() {
            laid.push(self.lay(Kind::Entry, body));
            hashes.push(self.tail.prev);
        }
        if self.tail.signed.saturating_add(1) < self.tail.next {
            self.unsigned_since.get_or_insert_with(Instant::now);
        }
        if self.must_sign(batch) {
            let body = self.current_head().signed(&self.key)?;
            laid.push(self.lay(Kind::Head, &body));
            self.tail.signed = self.tail.next.saturating_sub(1);
            self.unsigned_since = None;
        }
        if !laid.is_empty() {
            self.store(&laid)?;
        }
        Ok(Committed { first, hashes })
    }

    /// Lays one record into the buffer, on the end of the chain.
    fn lay(&mut self, kind: Kind, body: &[u8]) -> Laid {
        let at = frame::begin(&mut self.out);
        let seq = self.tail.next;
        record::write(&mut self.out, kind, body, &self.tail.prev, seq);
        frame::finish(&mut self.out, at);
        let payload = self.out.get(at.saturating_add(frame::HEADER)..).unwrap_or_default();
        self.tail.prev = chain::hash(payload);
        self.tail.next = seq.saturating_add(1);
        Laid { seq, at, end: self.out.len() }
    }

    /// A signature is due some time after the first entry that it covers, so that a burst shares one,
    /// at the end of a segment, and at the end of all.
    fn must_sign(&self, batch: &Batch) -> bool {
        let full = self.tail.length.saturating_add(self.out.len() as u64) >= self.segment_bytes;
        self.unsigned_since
            .is_some_and(|since| since.elapsed() >= self.sign_every || full || batch.closing)
    }

    /// The order that everything else relies on: records, sync, head, and then the readers.
    fn store(&mut self, laid: &[Laid]) -> Result<(), JournalError> {
        let path = segment::path(&self.shared.dir, self.tail.header.first);
        let start = self.tail.length;
        self.tail.file.write_at(start, &self.out).map_err(DiskError::of("append to", &path))?;
        crash_point!("host.journal.written");
        self.tail.file.sync().map_err(DiskError::of("sync", &path))?;
        crash_point!("host.journal.synced");
        self.tail.length = start.saturating_add(self.out.len() as u64);
        self.write_head()?;
        crash_point!("host.journal.headed");
        self.shared.publish(|index| {
            for record in laid {
                let place = |at: usize| start.saturating_add(at as u64);
                index.add(record.seq, place(record.at), place(record.end));
            }
        });
        Ok(())
    }

    fn current_head(&self) -> Head {
        Head {
            journal: self.tail.header.journal,
            host: self.tail.header.host,
            first: self.shared.first(),
            seq: self.tail.next.saturating_sub(1),
            hash: self.tail.prev,
        }
    }

    fn write_head(&mut self) -> Result<(), JournalError> {
        let head = self.current_head();
        let written = self.head.write(&head, &self.key);
        Ok(written.map_err(DiskError::of("write the head", self.head.path()))?)
    }

    /// What is done between groups, when nobody waits.
    fn after(&mut self, batch: &Batch) -> Result<(), JournalError> {
        if self.tail.length >= self.segment_bytes {
            self.rotate()?;
        }
        if let Some(keep) = batch.prune {
            self.prune(keep)?;
        }
        self.out.shrink_to(Queue::KEPT);
        Ok(())
    }

    fn rotate(&mut self) -> Result<(), JournalError> {
        let header =
            Header { first: self.tail.next, prev: self.tail.prev, ..self.tail.header.clone() };
        let path = segment::path(&self.shared.dir, header.first);
        let (file, length) = header
            .create(&*self.shared.disk, &self.shared.dir)
            .map_err(DiskError::of("create", &path))?;
        crash_point!("host.journal.rotated");
        self.shared.publish(|index| index.open(header.first, length, header.prev));
        self.tail.file = file;
        self.tail.length = length;
        self.tail.header = header;
        Ok(())
    }
}

impl Writer {
    /// The head says what is kept before anything is removed, so that a removed segment is either named as
    /// pruned or missed.
    fn prune(&mut self, keep: u64) -> Result<(), JournalError> {
        let gone = self.shared.forget_below(keep, self.spare);
        if gone.is_empty() {
            return Ok(());
        }
        self.write_head()?;
        crash_point!("host.journal.forgotten");
        let Shared { disk, dir, .. } = &*self.shared;
        for first in gone {
            let path = segment::path(dir, first);
            disk.remove(&path).map_err(DiskError::of("remove", &path))?;
            crash_point!("host.journal.pruned");
        }
        Ok(disk.sync_dir(dir).map_err(DiskError::of("sync", dir))?)
    }
}

/// Tells those who wait if the writer goes down in a panic: nobody may wait for ever.
struct Last {
    shared: Arc<Shared>,
    group: Option<Arc<Group>>,
}

impl Drop for Last {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.shared.queue.stop(&JournalError::Closed);
            if let Some(group) = &self.group {
                group.settle(Err(JournalError::Closed));
            }
        }
    }
}
