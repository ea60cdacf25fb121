//! Letting old segments go: those that a server has taken and a checkpoint stands for.
//!
//! Both are needed. What the server has not taken is nowhere else, and what no checkpoint stands for is what the
//! next start rebuilds leases and kill orders from. The active segment and a few before it always stay.

use super::Journal;
use super::error::JournalError;

impl Journal {
    /// The server has taken everything below `next`: what is not needed for a start may go. Returns at once; the
    /// writer removes it.
    ///
    /// # Errors
    /// Why the journal stopped.
    pub fn taken(&self, next: u64) -> Result<(), JournalError> {
        let keep = next.min(self.checkpoints.end().saturating_add(1));
        if self.shared.index.read().has_below(keep, self.spare) {
            return self.shared.queue.prune(keep);
        }
        Ok(())
    }
}
