//! One folder of the host with its ledger: what a files capability of one installation keeps.
//!
//! All calls of the installation share the volume. Its use is counted by one bounded scan when it is first opened and
//! kept in memory from then on, so that nothing on the disk can disagree with it for longer than a restart. The names
//! lock orders changes of the tree against opens: an inode number means the same file as long as it is held.

use super::fault::Fault;
use super::inode::{Books, FileId};
use super::path::DEPTH_MAX;
use super::quota::Quota;
#[cfg(test)]
use super::quota::Usage;
use super::tree::survey;
use cap_std::fs::Dir;
use parking_lot::RwLock;
use rustix::fd::AsFd;
use rustix::fs::{Mode, OFlags, fstat, openat};
use soma_policy::CapabilityName;
use std::sync::Arc;

/// Most files and directories that guests may make in a volume, whatever its grant says.
pub(crate) const INODES_MAX: u64 = 200_000;
/// Where the scan at open gives up: room for as much again that an operator put there.
const ENTRIES_MAX: u64 = 2 * INODES_MAX;

/// A folder of the host and the count of what is in it.
#[derive(Debug)]
pub(crate) struct Volume {
    root: Dir,
    id: FileId,
    pub(super) books: Arc<Books>,
    /// Held for reading to open a name, for writing to make, move or remove one.
    pub(super) names: RwLock<()>,
}

impl Volume {
    /// Counts what `root` holds. Blocks.
    pub(crate) fn open(root: Dir) -> Result<Self, Fault> {
        let id = FileId::of(&fstat(&root)?);
        let found = survey(&root, id.device, ENTRIES_MAX)?;
        Ok(Self { root, id, books: Books::new(found.used), names: RwLock::new(()) })
    }

    pub(crate) const fn root(&self) -> &Dir {
        &self.root
    }

    pub(crate) const fn device(&self) -> u64 {
        self.id.device
    }

    #[cfg(test)]
    pub(crate) fn used(&self) -> Usage {
        self.books.ledger.used()
    }

    /// How many directories lie between the root and `dir`; a directory that is no longer below the root is refused.
    pub(super) fn depth(&self, dir: impl AsFd) -> Result<usize, Fault> {
        let mut depth = 0;
        let mut id = FileId::of(&fstat(&dir)?);
        let mut above = None;
        while id != self.id {
            depth += 1;
            if depth > DEPTH_MAX {
                return Err(Fault::Escape);
            }
            let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
            let next = match &above {
                None => openat(&dir, "..", flags, Mode::empty())?,
                Some(fd) => openat(fd, "..", flags, Mode::empty())?,
            };
            id = FileId::of(&fstat(&next)?);
            above = Some(next);
        }
        Ok(depth)
    }
}

/// A volume as one call sees it: where, with which right and how much.
#[derive(Debug)]
pub(crate) struct Mount {
    /// The name of the capability, `N` of `files.N`.
    pub(crate) name: CapabilityName,
    /// Where the guest finds it.
    pub(crate) path: String,
    pub(crate) readable: bool,
    pub(crate) writable: bool,
    pub(crate) quota: Quota,
    pub(crate) volume: Arc<Volume>,
}

impl Mount {
    /// The second door after the gate: nothing changes through a read-only mount.
    pub(super) const fn require_write(&self) -> Result<(), Fault> {
        if self.writable { Ok(()) } else { Err(Fault::ReadOnly) }
    }

    pub(super) const fn require_read(&self) -> Result<(), Fault> {
        if self.readable { Ok(()) } else { Err(Fault::WriteOnly) }
    }
}
