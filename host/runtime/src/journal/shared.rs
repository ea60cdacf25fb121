//! What the writer and everybody else share: the queue, and the view of what is durable.

use std::path::PathBuf;
use std::sync::Arc;

use parking_lot::RwLock;
use tokio::sync::watch;

use super::disk::Disk;
use super::index::Index;
use super::queue::Queue;

/// Shared between the writer and the handles.
pub(crate) struct Shared {
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) dir: PathBuf,
    pub(crate) queue: Queue,
    pub(crate) index: RwLock<Index>,
    /// The last durable record.
    pub(crate) durable: watch::Sender<u64>,
}

impl Shared {
    /// Extends what readers may see; only the writer calls this, and only after the sync.
    pub(crate) fn publish(&self, change: impl FnOnce(&mut Index)) {
        let last = {
            let mut index = self.index.write();
            change(&mut index);
            index.last()
        };
        self.durable.send_replace(last);
    }

    /// Forgets whole segments below `keep`, but for the last `spare` of them; returns their first records.
    pub(crate) fn forget_below(&self, keep: u64, spare: usize) -> Vec<u64> {
        self.index.write().forget_below(keep, spare)
    }

    /// The first record that is kept.
    pub(crate) fn first(&self) -> u64 {
        self.index.read().first()
    }
}
