//! Making the next checkpoint: the one before it and the segments that were closed since, folded together.
//!
//! Done beside the writer, on a thread of its own, from files that nobody writes any more. What they hold is
//! followed link by link to the hash with which the active segment begins, which the writer knows: a file
//! that was changed meanwhile makes no checkpoint.

use soma_policy::{Digest, JournalEntry};

use super::Journal;
use super::checkpoint::{Checkpoint, Closed, Replay};
use super::error::{DiskError, What};
use super::record::Kind;
use super::recover::OpenStarts;
use super::walk::{Seen, Step, Walk};

/// Why no checkpoint was made. The one before stays, and a start only takes longer.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// The disk refused.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// The closed segments are not what was written.
    #[error("the closed segments are not what was written: {0}")]
    Changed(String),
    /// What came before was pruned, and the checkpoint that stood for it cannot be gone on with.
    #[error("records before {0} were pruned, and no checkpoint stands for them")]
    Lost(u64),
    /// What was learnt has no form to be kept in.
    #[error("the state of the replay cannot be kept: {0}")]
    State(String),
}

/// What is gathered from the closed segments.
struct Fold<'a> {
    replay: &'a mut dyn Replay,
    starts: OpenStarts,
    closed: Vec<Closed>,
    last: Option<Digest>,
    unread: Option<What>,
}

impl Fold<'_> {
    fn see(&mut self, seen: Seen<'_>) {
        match seen {
            Seen::Segment { header, body } => {
                self.closed.push(Closed { first: header.first, body, length: body });
            }
            Seen::Record(step) => self.record(&step),
        }
    }

    fn record(&mut self, step: &Step<'_>) {
        self.last = Some(step.link.hash);
        if let Some(closed) = self.closed.last_mut() {
            closed.length = step.end;
        }
        if step.link.kind == Kind::Head {
            return;
        }
        match serde_json::from_slice::<JournalEntry>(step.link.body) {
            Ok(entry) => {
                self.starts.see(&entry);
                self.replay.see(&entry);
            }
            Err(error) => self.unread = Some(What::Entry(error.to_string())),
        }
    }
}

impl Journal {
    /// Whether segments were closed since the last checkpoint.
    #[must_use]
    pub fn checkpoint_due(&self) -> bool {
        let active = self.shared.index.read().active();
        let upto = active.map_or(0, |(first, _)| first.saturating_sub(1));
        self.checkpoints.is_below(upto)
    }

    /// Folds what was closed since the last checkpoint into a new one. `replay` is as new. True if one was
    /// made. Reads and writes files on this thread; appending goes on meanwhile.
    ///
    /// # Errors
    /// [`CheckpointError`]; nothing depends on a checkpoint but the time that a start takes.
    pub fn checkpoint(&self, replay: &mut dyn Replay) -> Result<bool, CheckpointError> {
        let active = self.shared.index.read().active();
        let Some((active, hash)) = active else { return Ok(false) };
        let upto = active.saturating_sub(1);
        let folder = self.checkpoints.folder(&*self.shared.disk);
        let ours = |it: &Checkpoint| it.journal == self.id() && it.host == self.host();
        let before = folder.latest().filter(|it| ours(it) && it.seq <= upto);
        if upto == 0 || before.as_ref().is_some_and(|before| before.seq == upto) {
            self.checkpoints.reached(upto);
            return Ok(false);
        }
        let resumed = before.and_then(|Checkpoint { seq, closed, starts, state, .. }| {
            let went_on = replay.resume(state);
            went_on
                .inspect_err(|why| tracing::warn!(why, "a checkpoint is not gone on with"))
                .ok()?;
            Some((seq, closed, starts))
        });
        let first = self.shared.first();
        if resumed.is_none() && first > 1 {
            return Err(CheckpointError::Lost(first));
        }
        let (from, mut closed, starts) = resumed.unwrap_or_default();
        // What was pruned since the one before has no length any more.
        closed.retain(|closed| closed.first >= first);
        let mut fold = Fold { replay, starts, closed, last: None, unread: None };
        let walk = Walk {
            disk: &*self.shared.disk,
            dir: &self.shared.dir,
            key: &self.checkpoints.public,
            from: from.saturating_add(1),
            until: active,
            sealed: upto,
        };
        let walked = walk.run(&mut |seen| fold.see(seen))?;
        let Fold { starts, closed, last, unread, .. } = fold;
        if let Some(fault) = walked.fault {
            return Err(CheckpointError::Changed(fault.to_string()));
        }
        if let Some(unread) = unread {
            return Err(CheckpointError::Changed(unread.to_string()));
        }
        if last != Some(hash) {
            return Err(CheckpointError::Changed("another record ends them".to_owned()));
        }
        let state = replay.state().map_err(CheckpointError::State)?;
        let (journal, host) = (self.id(), self.host());
        let checkpoint = Checkpoint { journal, host, seq: upto, hash, closed, starts, state };
        folder
            .write(&checkpoint)
            .map_err(DiskError::of("write a checkpoint in", &self.checkpoints.dir))?;
        self.checkpoints.reached(upto);
        Ok(true)
    }
}
