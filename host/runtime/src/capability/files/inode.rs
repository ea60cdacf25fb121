//! What the ledger knows of each open file: one record per inode, shared by all handles of all calls.
//!
//! A file's size is changed only under its record's lock, and the size is read from the disk again each time the lock
//! is taken, so the ledger follows the disk. A file that is removed while open stays counted until its last handle
//! closes, because its blocks do.

use super::fault::Fault;
use super::quota::{Ledger, Quota, Reservation, Usage};
use parking_lot::{Mutex, MutexGuard};
use rustix::fd::AsFd;
use rustix::fs::{FileType, Stat, fstat};
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};

/// Which file it is, as long as it exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct FileId {
    pub(crate) device: u64,
    pub(crate) inode: u64,
}

impl FileId {
    pub(crate) const fn of(stat: &Stat) -> Self {
        Self { device: stat.st_dev, inode: stat.st_ino }
    }
}

/// The bytes that a file or directory counts for.
pub(crate) fn counted(stat: &Stat) -> u64 {
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => u64::try_from(stat.st_size).unwrap_or(0),
        _ => 0,
    }
}

/// The ledger of a volume and the records of its open files.
#[derive(Debug)]
pub(crate) struct Books {
    pub(crate) ledger: Ledger,
    live: Mutex<HashMap<FileId, Weak<Inode>>>,
}

impl Books {
    pub(crate) fn new(used: Usage) -> Arc<Self> {
        Arc::new(Self { ledger: Ledger::new(used), live: Mutex::new(HashMap::new()) })
    }

    /// The record of an open file, made if no other handle has one. The size is read under the lock: while another
    /// handle lives its record is found, and once it is gone the file no longer changes.
    pub(crate) fn enter(self: &Arc<Self>, file: impl AsFd) -> Result<Arc<Inode>, Fault> {
        let mut live = self.live.lock();
        let stat = fstat(file)?;
        let id = FileId::of(&stat);
        if let Some(inode) = live.get(&id).and_then(Weak::upgrade) {
            return Ok(inode);
        }
        let inode = Arc::new(Inode {
            id,
            books: Arc::clone(self),
            size: Mutex::new(counted(&stat)),
            unlinked: AtomicBool::new(false),
        });
        live.insert(id, Arc::downgrade(&inode));
        Ok(inode)
    }

    /// The record of a file if a handle of it is open.
    pub(crate) fn find(&self, id: FileId) -> Option<Arc<Inode>> {
        self.live.lock().get(&id).and_then(Weak::upgrade)
    }

    #[cfg(test)]
    pub(crate) fn open_count(&self) -> usize {
        self.live.lock().len()
    }
}

/// The record of one file or directory that is open.
#[derive(Debug)]
pub(crate) struct Inode {
    id: FileId,
    books: Arc<Books>,
    size: Mutex<u64>,
    unlinked: AtomicBool,
}

impl Inode {
    pub(crate) const fn id(&self) -> FileId {
        self.id
    }

    /// Leaves the counting of a removed file to its last handle.
    pub(crate) fn unlinked(&self) {
        self.unlinked.store(true, Ordering::Release);
    }

    /// Holds the size still while it is changed, after bringing the ledger up to date with the disk.
    pub(crate) fn hold(&self, file: impl AsFd) -> Result<Held<'_>, Fault> {
        let mut size = self.size.lock();
        let actual = counted(&fstat(file)?);
        self.books.ledger.add(Usage::bytes(actual.saturating_sub(*size)));
        self.books.ledger.release(Usage::bytes(size.saturating_sub(actual)));
        *size = actual;
        Ok(Held { size, ledger: &self.books.ledger })
    }
}

impl Drop for Inode {
    fn drop(&mut self) {
        let mut live = self.books.live.lock();
        // The inode number may have been given to a new file since: remove only our own record.
        if live.get(&self.id).is_some_and(|weak| std::ptr::eq(weak.as_ptr(), self)) {
            live.remove(&self.id);
        }
        drop(live);
        if *self.unlinked.get_mut() {
            self.books.ledger.release(Usage { bytes: *self.size.get_mut(), inodes: 1 });
        }
    }
}

/// A file whose size nobody else changes.
#[derive(Debug)]
pub(crate) struct Held<'a> {
    size: MutexGuard<'a, u64>,
    ledger: &'a Ledger,
}

impl<'a> Held<'a> {
    pub(crate) fn size(&self) -> u64 {
        *self.size
    }

    /// Room for the file to reach `end`; nothing if it is that long already.
    pub(crate) fn reserve(&self, end: u64, quota: Quota) -> Result<Reservation<'a>, Fault> {
        let growth = end.saturating_sub(*self.size);
        self.ledger.reserve(Usage::bytes(growth), quota)
    }

    /// Books what the disk says after a change. If it says nothing, all that was reserved counts as used.
    pub(crate) fn settle(&mut self, file: impl AsFd, room: Reservation<'a>, end: u64) {
        let actual = fstat(file).map_or(end.max(*self.size), |stat| counted(&stat));
        room.keep(Usage::bytes(actual.saturating_sub(*self.size)));
        self.ledger.release(Usage::bytes(self.size.saturating_sub(actual)));
        *self.size = actual;
    }
}
