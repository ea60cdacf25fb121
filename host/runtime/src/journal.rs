//! The journal: what happened, in order, durable, chained by hash and signed by the host.
//!
//! Append-only segments of frames, written by one thread that commits groups: many entries, one sync,
//! then the head in another folder, then everyone who waits is woken. Whoever was told that an entry
//! is durable finds it at every later start, or the host does not start (docs/reference/journal.md).
//!
//! It deliberately knows nothing of calls, leases or kills: entries are soma-policy's, and what they
//! mean at a restart is asked of those who know (`recover.rs`, `lease`, `kill`).

mod advance;
mod begin;
mod chain;
mod checkpoint;
mod denials;
mod disk;
mod error;
mod frame;
mod group;
mod head;
mod index;
mod key;
mod open;
#[cfg(test)]
mod power;
mod prune;
mod queue;
mod read;
mod record;
mod recover;
mod segment;
mod shared;
#[cfg(test)]
mod tests;
mod verify;
mod walk;
mod writer;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use soma_policy::{Denial, HostId, InstallationKey, JournalEntry, JournalId, Millis, Timestamp};
use tokio::sync::watch;

pub use advance::CheckpointError;
pub use chain::ChainFault;
pub use checkpoint::Replay;
pub use error::{DiskError, Fault, JournalError, OpenError, What};
pub use frame::FrameFault;
pub use group::{Position, Ticket};
pub use head::Head;
pub use key::{JournalKey, JournalPublicKey, KeyError};
#[cfg(test)]
pub(crate) use key::{test_key, test_pkcs8};
pub use read::{Line, Page};
pub use verify::{VerifyError, VerifyReport, verify};

use checkpoint::{Checkpoints, Whole};
use denials::DenialTally;
use disk::OsDisk;
use shared::Shared;

/// Denials of one kind are summarised at most this often.
const SUMMARY_EVERY: Millis = Millis(10_000);

/// Where a journal lies, whose it is, and its bounds.
#[derive(Debug, Clone)]
pub struct JournalOptions {
    /// The folder of the segments; nothing else belongs there.
    pub dir: PathBuf,
    /// The file of the head: in another folder, better on another disk.
    pub head_file: PathBuf,
    /// The journal's name if a new one is begun; an existing one keeps its own.
    pub journal: JournalId,
    /// The host.
    pub host: HostId,
    /// The folder of checkpoints: beside the head.
    pub checkpoints: PathBuf,
    /// When it is opened, for the record of a repair.
    pub now: Timestamp,
    /// A segment is closed when it reaches this length.
    pub segment_bytes: u64,
    /// Segments that are kept though a server has taken them, for readers here and a server that was restored.
    pub spare_segments: usize,
    /// Entries that wait may take this many bytes; a quarter of it is where [`Journal::room`] waits.
    pub queue_bytes: usize,
    /// So long after it was written is an entry covered by a recorded signature. Every group is sealed
    /// by the host's key at once; a signature costs ten times as much, so that a burst shares one.
    pub sign_every: Duration,
}

impl JournalOptions {
    /// The defaults for a journal at these places.
    #[must_use]
    pub fn new(
        dir: PathBuf,
        head_file: PathBuf,
        journal: JournalId,
        host: HostId,
        now: Timestamp,
    ) -> Self {
        Self {
            dir,
            checkpoints: head_file.with_extension("checkpoints"),
            head_file,
            journal,
            host,
            now,
            segment_bytes: 64 * 1024 * 1024,
            spare_segments: 4,
            queue_bytes: 64 * 1024 * 1024,
            sign_every: Duration::from_millis(10),
        }
    }
}

/// The journal of this host, open. Clones share it; the last one to go closes it.
#[derive(Clone)]
pub struct Journal {
    shared: Arc<Shared>,
    thread: Arc<Thread>,
    tally: Arc<DenialTally>,
    checkpoints: Arc<Checkpoints>,
    journal: JournalId,
    host: HostId,
    /// Segments that are kept though a server has taken them.
    spare: usize,
}

impl std::fmt::Debug for Journal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Journal").field("journal", &self.journal).finish_non_exhaustive()
    }
}

impl Journal {
    /// Opens the journal, or begins one. Calls that a crash cut off get their `interrupted` receipts.
    /// `replay` sees every durable entry in order, those receipts too.
    ///
    /// # Errors
    /// [`OpenError`]: each one says what to do. A journal that lost acknowledged records is refused.
    pub fn open(
        options: JournalOptions,
        key: JournalKey,
        replay: &mut dyn FnMut(&JournalEntry),
    ) -> Result<Self, OpenError> {
        Self::open_on(Arc::new(OsDisk), options, key, &mut Whole(replay))
    }

    /// The same, but `replay` goes on from the latest checkpoint, if there is one that fits, and sees only
    /// the entries after it.
    ///
    /// # Errors
    /// As [`Self::open`]: what is wrong with a checkpoint is no error.
    pub fn resume(
        options: JournalOptions,
        key: JournalKey,
        replay: &mut dyn Replay,
    ) -> Result<Self, OpenError> {
        Self::open_on(Arc::new(OsDisk), options, key, replay)
    }

    /// Its name.
    #[must_use]
    pub fn id(&self) -> JournalId {
        self.journal
    }

    /// The host that writes it.
    #[must_use]
    pub fn host(&self) -> HostId {
        self.host
    }

    /// Records an entry. Returns at once; the ticket tells when it is durable, or why it never will
    /// be. Entries are numbered in the order in which this is called.
    pub fn append(&self, entry: &JournalEntry) -> Ticket {
        self.push(entry).unwrap_or_else(Ticket::refused)
    }

    /// Records an entry that nobody may ever wait for: it is written with whatever comes next, or within
    /// milliseconds, or at once when its ticket is waited for. So a short call that shows nothing outside has its
    /// start and its receipt in one sync.
    pub fn append_soon(&self, entry: &JournalEntry) -> Ticket {
        let pushed = self.body(entry).and_then(|body| self.shared.queue.push_soon(&body));
        pushed.map_or_else(Ticket::refused, |ticket| ticket.lying(&self.shared))
    }

    fn push(&self, entry: &JournalEntry) -> Result<Ticket, JournalError> {
        self.shared.queue.push(&self.body(entry)?)
    }

    fn body(&self, entry: &JournalEntry) -> Result<Vec<u8>, JournalError> {
        let body = soma_policy::canonical::to_vec(entry)
            .map_err(|error| JournalError::Form(error.to_string()))?;
        let bound = frame::MAX_PAYLOAD.saturating_sub(record::overhead());
        if body.len() > bound {
            return Err(JournalError::TooLong { length: body.len(), bound });
        }
        Ok(body)
    }

    /// Counts a denial towards the next summary. Cheap, and bounded whatever is denied.
    pub fn denied(&self, installation: &InstallationKey, denial: &Denial) {
        self.tally.note(installation, denial);
    }

    /// Records the denials that are due to be summarised. Asked about once a second.
    pub fn summarise(&self, now: Timestamp) {
        for summary in self.tally.due(now) {
            // Whether it is kept is the journal's to say at the next entry that somebody waits for.
            drop(self.append(&JournalEntry::Denials(summary)));
        }
    }

    /// Waits until the queue has room for the entries of one more call. Admission asks this before it
    /// starts one, so that the receipts of those that run always find room.
    ///
    /// # Errors
    /// Why the journal stopped: then nothing may start.
    pub async fn room(&self) -> Result<(), JournalError> {
        self.shared.queue.room().await
    }

    /// Whether entries are still recorded.
    ///
    /// # Errors
    /// Why they are not.
    pub fn health(&self) -> Result<(), JournalError> {
        self.shared.queue.health()
    }

    /// Up to `limit` durable records from `cursor` on (zero: from the first that is kept). Reads files
    /// on this thread.
    ///
    /// # Errors
    /// [`JournalError::Pruned`] if they are gone, or what the disk said.
    pub fn read(&self, cursor: u64, limit: usize) -> Result<Page, JournalError> {
        read::page(&self.shared, cursor, limit)
    }

    /// The last durable record, and a way to wait for more.
    #[must_use]
    pub fn durable(&self) -> watch::Receiver<u64> {
        self.shared.durable.subscribe()
    }

    /// Writes and signs what waits, and ends the writer. Further appends are refused.
    ///
    /// # Errors
    /// Why not everything was written.
    pub fn close(&self) -> Result<(), JournalError> {
        self.thread.join();
        match self.health() {
            Err(JournalError::Closed) | Ok(()) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

/// The writer's thread; dropping it closes the queue and waits for the rest to be written.
struct Thread {
    shared: Arc<Shared>,
    handle: Mutex<Option<std::thread::JoinHandle<()>>>,
}

impl Thread {
    fn join(&self) {
        self.shared.queue.close();
        if let Some(handle) = self.handle.lock().take() {
            // The writer does not panic; if it did, what waits for it is told by the queue.
            if handle.join().is_err() {
                tracing::error!("the journal's writer panicked");
            }
        }
    }
}

impl Drop for Thread {
    fn drop(&mut self) {
        self.join();
    }
}
