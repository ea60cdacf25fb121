//! The queue between those who append and the writer: one buffer, swapped whole.
//!
//! Bodies are laid end to end, so that appending allocates nothing once the buffer has grown. It is
//! bounded: beyond the bound an append is refused, and well before it [`Queue::room`] makes callers
//! that can wait do so.
//!
//! An entry that nobody waits for yet may lie a moment ([`Queue::SOON`]), so that the start of a short call and its
//! receipt share one sync. Whoever comes to wait for it makes it urgent.

use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};
use tokio::sync::Notify;

use super::error::JournalError;
use super::group::{Group, Ticket};

/// What one group writes.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    bytes: Vec<u8>,
    /// Where each body ends.
    pub(crate) ends: Vec<usize>,
    /// Segments wholly below this record may go.
    pub(crate) prune: Option<u64>,
    pub(crate) group: Arc<Group>,
    /// Nothing comes after this.
    pub(crate) closing: bool,
}

impl Batch {
    /// The bodies, in order.
    pub(crate) fn bodies(&self) -> impl Iterator<Item = &[u8]> {
        let mut start = 0;
        self.ends.iter().map(move |end| {
            let body = self.bytes.get(start..*end).unwrap_or_default();
            start = *end;
            body
        })
    }

    /// Empties it, keeping its buffers within bounds.
    fn renewed(mut self) -> Self {
        self.bytes.clear();
        self.bytes.shrink_to(Queue::KEPT);
        self.ends.clear();
        Self { bytes: self.bytes, ends: self.ends, ..Self::default() }
    }
}

#[derive(Debug, Default)]
struct State {
    batch: Batch,
    /// Somebody waits for this batch.
    urgent: bool,
    /// By when the batch is written though nobody waits for it.
    due: Option<Instant>,
    /// The writer sleeps without an hour to wake at.
    parked: bool,
    closing: bool,
    /// The last signature of a closing journal was handed out.
    closed: bool,
    stopped: Option<JournalError>,
}

/// The queue.
#[derive(Debug)]
pub(crate) struct Queue {
    state: Mutex<State>,
    filled: Condvar,
    emptied: Notify,
    bound: usize,
}

impl Queue {
    /// Buffers are kept up to this many bytes.
    pub(crate) const KEPT: usize = 4 * 1024 * 1024;
    /// The longest that an entry lies which nobody waits for.
    pub(crate) const SOON: Duration = Duration::from_millis(5);

    pub(crate) fn new(bound: usize) -> Self {
        let (state, filled, emptied) = Default::default();
        Self { state, filled, emptied, bound }
    }

    /// Adds an entry's body, to be written at once.
    pub(crate) fn push(&self, body: &[u8]) -> Result<Ticket, JournalError> {
        self.add(body, true)
    }

    /// Adds an entry's body, to be written with what comes next, or soon.
    pub(crate) fn push_soon(&self, body: &[u8]) -> Result<Ticket, JournalError> {
        self.add(body, false)
    }

    /// Somebody waits for this group: if it still lies here, it is written at once.
    pub(crate) fn hurry(&self, group: &Arc<Group>) {
        let mut state = self.state.lock();
        if Arc::ptr_eq(&state.batch.group, group) && !state.urgent {
            state.urgent = true;
            drop(state);
            self.filled.notify_one();
        }
    }

    fn add(&self, body: &[u8], urgent: bool) -> Result<Ticket, JournalError> {
        let mut state = self.state.lock();
        refused(&state)?;
        if state.batch.bytes.len().saturating_add(body.len()) > self.bound {
            return Err(JournalError::Full);
        }
        let batch = &mut state.batch;
        batch.bytes.extend_from_slice(body);
        batch.ends.push(batch.bytes.len());
        let ticket = Ticket::new(Arc::clone(&batch.group), batch.ends.len().saturating_sub(1));
        // A writer that will wake anyway is left alone.
        let wake = if urgent {
            !std::mem::replace(&mut state.urgent, true)
        } else {
            state.due.get_or_insert_with(|| Instant::now() + Self::SOON);
            std::mem::take(&mut state.parked)
        };
        drop(state);
        if wake {
            self.filled.notify_one();
        }
        Ok(ticket)
    }

    /// Waits until less than a quarter of the bound is taken.
    pub(crate) async fn room(&self) -> Result<(), JournalError> {
        loop {
            let emptied = self.emptied.notified();
            tokio::pin!(emptied);
            emptied.as_mut().enable();
            {
                let state = self.state.lock();
                refused(&state)?;
                if state.batch.bytes.len() <= self.bound / 4 {
                    return Ok(());
                }
            }
            emptied.await;
        }
    }

    /// For the writer: all that waits, or an empty batch at `owed`; `None` once closed and empty.
    /// `spare` is the batch taken before, whose buffers are used again.
    pub(crate) fn take(&self, spare: Batch, owed: Option<Instant>) -> Option<Batch> {
        let spare = spare.renewed();
        let mut state = self.state.lock();
        while !(state.urgent || state.batch.prune.is_some()) {
            let empty = state.batch.ends.is_empty();
            if empty && (state.closed || (state.closing && owed.is_none())) {
                return None;
            }
            if state.closing {
                break;
            }
            let until = [owed, state.due].into_iter().flatten().min();
            state.parked = until.is_none();
            match until {
                None => self.filled.wait(&mut state),
                Some(at) if self.filled.wait_until(&mut state, at).timed_out() => break,
                Some(_) => {}
            }
        }
        (state.urgent, state.due, state.parked) = (false, None, false);
        let mut batch = std::mem::replace(&mut state.batch, spare);
        batch.closing = state.closing;
        state.closed = state.closing;
        drop(state);
        self.emptied.notify_waiters();
        Some(batch)
    }

    /// Nothing is taken from here on; what waits is still written.
    pub(crate) fn close(&self) {
        self.state.lock().closing = true;
        self.filled.notify_one();
        self.emptied.notify_waiters();
    }

    /// Asks the writer to prune after the next group.
    pub(crate) fn prune(&self, keep: u64) -> Result<(), JournalError> {
        let mut state = self.state.lock();
        refused(&state)?;
        let prune = &mut state.batch.prune;
        *prune = (*prune).max(Some(keep));
        drop(state);
        self.filled.notify_one();
        Ok(())
    }

    /// Refuses everything from here on, what waits too.
    pub(crate) fn stop(&self, error: &JournalError) {
        let waiting = {
            let mut state = self.state.lock();
            state.stopped = Some(error.clone());
            std::mem::take(&mut state.batch)
        };
        waiting.group.settle(Err(error.clone()));
        self.emptied.notify_waiters();
    }

    /// Why nothing is taken any more.
    pub(crate) fn health(&self) -> Result<(), JournalError> {
        refused(&self.state.lock())
    }
}

fn refused(state: &State) -> Result<(), JournalError> {
    match &state.stopped {
        Some(error) => Err(error.clone()),
        None if state.closing => Err(JournalError::Closed),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bodies(batch: &Batch) -> Vec<Vec<u8>> {
        batch.bodies().map(<[u8]>::to_vec).collect()
    }

    #[test]
    fn an_entry_that_nobody_waits_for_goes_with_the_next_one() {
        let queue = Queue::new(1024);
        let _start = queue.push_soon(b"start").unwrap();
        assert!(!queue.state.lock().urgent, "nobody waits yet");
        let _receipt = queue.push(b"receipt").unwrap();
        let batch = queue.take(Batch::default(), None).unwrap();
        assert_eq!(bodies(&batch), [b"start".to_vec(), b"receipt".to_vec()]);
        assert!(!queue.state.lock().urgent, "what comes next may lie again");
    }

    #[test]
    fn an_entry_that_nobody_ever_waits_for_is_written_soon() {
        let queue = Queue::new(1024);
        let _start = queue.push_soon(b"start").unwrap();
        // Returns by itself, or this test never ends.
        assert_eq!(bodies(&queue.take(Batch::default(), None).unwrap()), [b"start".to_vec()]);
    }

    #[test]
    fn whoever_waits_for_an_entry_hurries_it_and_nothing_else() {
        let queue = Queue::new(1024);
        let _start = queue.push_soon(b"start").unwrap();
        let group = Arc::clone(&queue.state.lock().batch.group);
        queue.hurry(&group);
        assert!(queue.state.lock().urgent);
        let _written = queue.take(Batch::default(), None).unwrap();
        let _other = queue.push_soon(b"other").unwrap();
        queue.hurry(&group);
        assert!(!queue.state.lock().urgent, "its group is on its way already");
    }
}
