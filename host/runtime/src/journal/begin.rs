//! The beginning of a journal's run: its folders and lock, what an earlier run left, the writer's thread, and what
//! a restart has to make up for.

use std::sync::Arc;

use parking_lot::{Mutex, RwLock};
use soma_policy::{JournalEntry, Timestamp};
use tokio::sync::watch;

use super::checkpoint::Checkpoints;
use super::denials::DenialTally;
use super::disk::Disk;
use super::open::{self, Rebuild};
use super::queue::Queue;
use super::recover::{self, OpenStarts};
use super::shared::Shared;
use super::writer::Writer;
use super::{
    DiskError, Journal, JournalError, JournalKey, JournalOptions, OpenError, Replay, SUMMARY_EVERY,
    Thread, Ticket,
};

impl Journal {
    pub(super) fn open_on(
        disk: Arc<dyn Disk>,
        options: JournalOptions,
        key: JournalKey,
        replay: &mut dyn Replay,
    ) -> Result<Self, OpenError> {
        let lock = prepare(&*disk, &options)?;
        let place = open::Place {
            disk: &*disk,
            dir: &options.dir,
            head_path: &options.head_file,
            key: &key,
        };
        let checkpoints = Checkpoints::new(&options, &key);
        let latest = checkpoints.folder(&*disk).latest();
        let mut rebuild = Rebuild { starts: OpenStarts::default(), replay, unread: None };
        let found = place.open(options.journal, options.host, latest, &mut rebuild)?;
        let Rebuild { starts, replay, unread } = rebuild;
        if let Some((seq, reason)) = unread {
            return Err(OpenError::Unknown { seq, reason });
        }
        checkpoints.reached(found.checkpoint);
        let (cut, now) = (found.cut, options.now);
        let journal = Self::start(disk, options, key, found, (lock, checkpoints))?;
        journal.make_up(cut, now, starts, &mut |entry| replay.see(entry))?;
        Ok(journal)
    }

    /// Records what the restart found: a cut tail, and calls without an end.
    fn make_up(
        &self,
        cut: u64,
        now: Timestamp,
        starts: OpenStarts,
        replay: &mut dyn FnMut(&JournalEntry),
    ) -> Result<(), JournalError> {
        let repaired = (cut > 0).then(|| recover::repaired(cut, now));
        let receipts = starts.interrupted().map(|receipt| JournalEntry::Receipt(Box::new(receipt)));
        let mut last = None;
        for entry in repaired.into_iter().chain(receipts) {
            last = Some(self.push_or_wait(&entry, last.as_ref())?);
            replay(&entry);
        }
        last.map_or(Ok(()), |ticket| ticket.wait().map(drop))
    }

    /// Appends; if the queue is full, waits for the entry before.
    fn push_or_wait(
        &self,
        entry: &JournalEntry,
        before: Option<&Ticket>,
    ) -> Result<Ticket, JournalError> {
        match (self.push(entry), before) {
            (Err(JournalError::Full), Some(before)) => {
                before.wait()?;
                self.push(entry)
            }
            (outcome, _) => outcome,
        }
    }

    fn start(
        disk: Arc<dyn Disk>,
        options: JournalOptions,
        key: JournalKey,
        found: open::Continued,
        (lock, checkpoints): (Box<dyn Send + Sync>, Checkpoints),
    ) -> Result<Self, DiskError> {
        let (journal, host) = (found.tail.header.journal, found.tail.header.host);
        let shared = Arc::new(Shared {
            disk,
            dir: options.dir.clone(),
            queue: Queue::new(options.queue_bytes),
            durable: watch::Sender::new(found.index.last()),
            index: RwLock::new(found.index),
        });
        let spare = options.spare_segments;
        let unsigned = found.tail.signed.saturating_add(1) < found.tail.next;
        let writer = Writer {
            shared: Arc::clone(&shared),
            tail: found.tail,
            head: found.head,
            key,
            sign_every: options.sign_every,
            segment_bytes: options.segment_bytes,
            spare,
            unsigned_since: unsigned.then(std::time::Instant::now),
            out: Vec::new(),
        };
        let handle = std::thread::Builder::new()
            .name("soma-journal".to_owned())
            .spawn(move || {
                writer.run();
                drop(lock);
            })
            .map_err(DiskError::of("start the writer of", &options.dir))?;
        let thread = Thread { shared: Arc::clone(&shared), handle: Mutex::new(Some(handle)) };
        let tally = Arc::new(DenialTally::new(SUMMARY_EVERY));
        let (thread, checkpoints) = (Arc::new(thread), Arc::new(checkpoints));
        Ok(Self { shared, thread, tally, checkpoints, journal, host, spare })
    }
}

/// Makes the folders and takes the journal for this process.
fn prepare(disk: &dyn Disk, options: &JournalOptions) -> Result<Box<dyn Send + Sync>, OpenError> {
    disk.make_dir(&options.dir).map_err(DiskError::of("create", &options.dir))?;
    if let Some(dir) = options.head_file.parent() {
        disk.make_dir(dir).map_err(DiskError::of("create", dir))?;
    }
    let path = options.dir.join("lock");
    disk.lock(&path).map_err(|error| match error.kind() {
        std::io::ErrorKind::WouldBlock => OpenError::Locked(options.dir.clone()),
        _ => DiskError::of("lock", &path)(error).into(),
    })
}
