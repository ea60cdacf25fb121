//! A group: the entries that become durable together, and those who wait for them.
//!
//! One allocation per group, none per entry. Knows nothing of disks.

use std::sync::{Arc, OnceLock};

use soma_policy::Digest;
use tokio::sync::Notify;

use super::error::JournalError;
use super::shared::Shared;

/// Where a durable record stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// Its number.
    pub seq: u64,
    /// Its hash, which the record after it names.
    pub hash: Digest,
}

/// What became of a group: the number of its first record, and each record's hash.
#[derive(Debug)]
pub(crate) struct Committed {
    pub(crate) first: u64,
    pub(crate) hashes: Vec<Digest>,
}

/// Entries that share one sync.
#[derive(Debug, Default)]
pub(crate) struct Group {
    outcome: OnceLock<Result<Committed, JournalError>>,
    done: Notify,
}

impl Group {
    /// Settles the group and wakes everyone who waits for it. The first settlement holds.
    pub(crate) fn settle(&self, outcome: Result<Committed, JournalError>) {
        let _ = self.outcome.set(outcome);
        self.done.notify_waiters();
    }

    fn position(&self, index: usize) -> Option<Result<Position, JournalError>> {
        let committed = match self.outcome.get()? {
            Ok(committed) => committed,
            Err(error) => return Some(Err(error.clone())),
        };
        let seq = committed.first.saturating_add(index as u64);
        let hash = committed.hashes.get(index).copied();
        Some(hash.map(|hash| Position { seq, hash }).ok_or(JournalError::Closed))
    }
}

/// An entry on its way to the disk.
#[derive(Clone)]
#[must_use = "an entry is recorded only once its ticket is durable"]
pub struct Ticket {
    group: Arc<Group>,
    index: usize,
    /// Where it lies unhurried until somebody waits for it.
    lies: Option<Arc<Shared>>,
}

impl Ticket {
    pub(crate) fn new(group: Arc<Group>, index: usize) -> Self {
        Self { group, index, lies: None }
    }

    /// The same for an entry that is hurried only when somebody waits for it.
    pub(crate) fn lying(self, at: &Arc<Shared>) -> Self {
        Self { lies: Some(Arc::clone(at)), ..self }
    }

    /// A ticket for an entry that was not taken.
    pub(crate) fn refused(error: JournalError) -> Self {
        let group = Arc::new(Group::default());
        group.settle(Err(error));
        Self { group, index: 0, lies: None }
    }

    /// Waits until the entry is on disk, chained, and at or below the head that was written elsewhere.
    /// Dropping the future, or the ticket, takes nothing back.
    ///
    /// # Errors
    /// Why the journal stopped; the entry then may or may not be found at the next start.
    pub async fn durable(&self) -> Result<Position, JournalError> {
        loop {
            let done = self.group.done.notified();
            tokio::pin!(done);
            done.as_mut().enable();
            if let Some(outcome) = self.group.position(self.index) {
                return outcome;
            }
            if let Some(shared) = &self.lies {
                shared.queue.hurry(&self.group);
            }
            done.await;
        }
    }

    /// The same for a thread that may block.
    ///
    /// # Errors
    /// As [`Ticket::durable`].
    pub fn wait(&self) -> Result<Position, JournalError> {
        futures::executor::block_on(self.durable())
    }

    /// The outcome, if it is known already.
    #[must_use]
    pub fn poll(&self) -> Option<Result<Position, JournalError>> {
        self.group.position(self.index)
    }
}

impl std::fmt::Debug for Ticket {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Ticket").field("index", &self.index).finish_non_exhaustive()
    }
}
