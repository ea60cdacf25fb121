//! An open regular file: reading, and every change of content, size and times, reserved before it happens.
//!
//! Blocks; runs on the pool. Holds no cursor: every operation names its offset, and appending takes the end under the
//! lock of the file, so that appends of several calls never overwrite each other.

use super::fault::Fault;
use super::inode::{Held, Inode};
use super::meta::{Meta, Times};
use super::quota::Reservation;
use super::volume::Mount;
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{OFlags, fdatasync, fstat, fsync, ftruncate, futimens};
use rustix::io::{Errno, pread, pwrite, retry_on_intr};
use std::sync::Arc;

/// Most bytes that one read or write moves.
pub(crate) const CHUNK_MAX: usize = 64 * 1024;

/// What a file was opened for.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Mode {
    pub(crate) read: bool,
    pub(crate) write: bool,
    pub(crate) sync: Durability,
}

/// How durable each write is asked to be.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Durability {
    #[default]
    Cached,
    Data,
    File,
}

impl Mode {
    pub(super) const fn flags(self) -> OFlags {
        let access = match (self.read, self.write) {
            (_, false) => OFlags::RDONLY,
            (true, true) => OFlags::RDWR,
            (false, true) => OFlags::WRONLY,
        };
        match self.sync {
            Durability::Cached => access,
            Durability::Data => access.union(OFlags::DSYNC),
            Durability::File => access.union(OFlags::SYNC),
        }
    }
}

/// Where a write begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum At {
    Offset(u64),
    End,
}

/// An open file of a mount.
#[derive(Debug)]
pub(crate) struct FileHandle {
    // Closed before its record goes, which may give the bytes back.
    fd: OwnedFd,
    inode: Arc<Inode>,
    mount: Arc<Mount>,
    path: String,
    mode: Mode,
}

impl FileHandle {
    pub(super) fn new(
        mount: &Arc<Mount>,
        fd: OwnedFd,
        path: String,
        mode: Mode,
    ) -> Result<Self, Fault> {
        let inode = mount.volume.books.enter(&fd)?;
        Ok(Self { fd, inode, mount: Arc::clone(mount), path, mode })
    }

    pub(crate) const fn mount(&self) -> &Arc<Mount> {
        &self.mount
    }

    /// Where the guest found it when it opened it.
    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    pub(crate) const fn mode(&self) -> Mode {
        self.mode
    }

    pub(crate) fn inode(&self) -> &Inode {
        &self.inode
    }

    /// Both the grant and the way it was opened must allow reading.
    pub(crate) fn require_read(&self) -> Result<(), Fault> {
        self.mount.require_read()?;
        if self.mode.read { Ok(()) } else { Err(Fault::WrongMode) }
    }

    /// Both the grant and the way it was opened must allow writing.
    pub(crate) fn require_write(&self) -> Result<(), Fault> {
        self.mount.require_write()?;
        if self.mode.write { Ok(()) } else { Err(Fault::WrongMode) }
    }

    /// Up to `len` bytes from `offset`; fewer than asked for does not mean the end, none does.
    pub(crate) fn read(&self, len: u64, offset: u64) -> Result<Vec<u8>, Fault> {
        self.require_read()?;
        in_range(offset)?;
        let len = usize::try_from(len).unwrap_or(CHUNK_MAX).min(CHUNK_MAX);
        let mut buffer = vec![0; len];
        let n = retry_on_intr(|| pread(&self.fd, buffer.as_mut_slice(), offset))?;
        buffer.truncate(n);
        Ok(buffer)
    }

    /// Writes all of `bytes`, or as much as was possible before the first error.
    pub(crate) fn write(&self, bytes: &[u8], at: At) -> Result<u64, Fault> {
        self.require_write()?;
        let mut held = self.inode.hold(&self.fd)?;
        let start = match at {
            At::Offset(offset) => offset,
            At::End => held.size(),
        };
        if bytes.is_empty() {
            return Ok(0);
        }
        let end = in_range(start.saturating_add(bytes.len() as u64))?;
        let room = self.reserve(&held, end)?;
        let written = write_all(&self.fd, bytes, start);
        held.settle(&self.fd, room, end);
        written
    }

    /// Writes all of `bytes`, or fails though some of them may have been written.
    pub(crate) fn write_all(&self, bytes: &[u8], at: At) -> Result<u64, Fault> {
        let mut done = 0u64;
        while let Some(rest) = usize::try_from(done).ok().and_then(|from| bytes.get(from..)) {
            if rest.is_empty() {
                break;
            }
            let at = match at {
                At::Offset(offset) => At::Offset(offset.saturating_add(done)),
                At::End => At::End,
            };
            done += self.write(rest, at)?;
        }
        Ok(done)
    }

    /// Cuts the file or makes it longer; a longer one counts in full, though it has no blocks yet.
    pub(crate) fn set_size(&self, size: u64) -> Result<(), Fault> {
        self.require_write()?;
        in_range(size)?;
        let mut held = self.inode.hold(&self.fd)?;
        let room = self.reserve(&held, size)?;
        let done = retry_on_intr(|| ftruncate(&self.fd, size));
        held.settle(&self.fd, room, size);
        Ok(done?)
    }

    /// The grant must allow writing; as in POSIX the descriptor need not.
    pub(crate) fn set_times(&self, times: Times) -> Result<(), Fault> {
        self.mount.require_write()?;
        Ok(futimens(&self.fd, &times.to_system())?)
    }

    pub(crate) fn sync(&self, data_only: bool) -> Result<(), Fault> {
        let done = if data_only {
            retry_on_intr(|| fdatasync(&self.fd))
        } else {
            retry_on_intr(|| fsync(&self.fd))
        };
        Ok(done?)
    }

    pub(crate) fn meta(&self) -> Result<Meta, Fault> {
        Ok(Meta::of(&fstat(&self.fd)?))
    }

    fn reserve<'a>(&self, held: &Held<'a>, end: u64) -> Result<Reservation<'a>, Fault> {
        held.reserve(end, self.mount.quota)
    }
}

impl AsFd for FileHandle {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// Offsets of the operating system are signed.
const fn in_range(offset: u64) -> Result<u64, Fault> {
    if offset > i64::MAX as u64 {
        return Err(Fault::TooLarge);
    }
    Ok(offset)
}

fn write_all(fd: impl AsFd, bytes: &[u8], start: u64) -> Result<u64, Fault> {
    let fd = fd.as_fd();
    let mut done = 0usize;
    while let Some(rest) = bytes.get(done..).filter(|rest| !rest.is_empty()) {
        match pwrite(fd, rest, start + done as u64) {
            Ok(0) => return Err(Errno::IO.into()),
            Ok(n) => done += n,
            Err(Errno::INTR) => {}
            Err(_) if done > 0 => break,
            Err(errno) => return Err(errno.into()),
        }
    }
    Ok(done as u64)
}
