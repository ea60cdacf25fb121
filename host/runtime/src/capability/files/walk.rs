//! Walks a guest path, one name at a time, without ever following a symbolic link.
//!
//! Each step opens exactly one name in a directory that is already open, so there is nothing to resolve and nothing
//! to race. A step onto another file system is refused, whatever an operator mounted there.

use super::fault::Fault;
use super::inode::FileId;
use super::path::GuestPath;
use cap_std::fs::Dir;
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{AtFlags, FileType, Mode, OFlags, Stat, fstat, openat, statat};
use rustix::io::Errno;
use rustix::path::Arg;

/// Flags of every open: never follow, never block on a pipe, never adopt a terminal, never leak into a child.
pub(crate) const SAFE: OFlags =
    OFlags::NOFOLLOW.union(OFlags::NONBLOCK).union(OFlags::NOCTTY).union(OFlags::CLOEXEC);

/// The directory in which a path ends.
#[derive(Debug)]
pub(crate) enum Parent<'a> {
    Base(&'a Dir),
    Below(Dir),
}

impl AsFd for Parent<'_> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Base(dir) => dir.as_fd(),
            Self::Below(dir) => dir.as_fd(),
        }
    }
}

/// Where a path leads: a name in an open directory, or that directory itself.
#[derive(Debug)]
pub(crate) struct Place<'a, 'p> {
    pub(crate) parent: Parent<'a>,
    pub(crate) name: Option<&'p str>,
    /// The text says that it means a directory.
    pub(crate) directory: bool,
}

impl<'p> Place<'_, 'p> {
    /// The name, for operations that make no sense on the directory itself.
    pub(crate) fn named(&self) -> Result<&'p str, Fault> {
        self.name.ok_or(Fault::Invalid)
    }

    /// What lies there: a regular file or a directory, else a refusal.
    pub(crate) fn look(&self) -> Result<(Kind, Stat), Fault> {
        match self.name {
            Some(name) => look(&self.parent, name),
            None => Ok((Kind::Directory, fstat(&self.parent)?)),
        }
    }
}

/// The only two things there are for a guest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    File,
    Directory,
}

impl Kind {
    /// Refuses symbolic links, pipes, sockets and devices, and files that are reachable by another name as well.
    pub(crate) fn of(stat: &Stat) -> Result<Self, Fault> {
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::Directory => Ok(Self::Directory),
            FileType::RegularFile if stat.st_nlink > 1 => Err(Fault::HardLinked),
            FileType::RegularFile => Ok(Self::File),
            FileType::Symlink => Err(Fault::Symlink),
            _ => Err(Fault::Special),
        }
    }
}

/// What `name` in `parent` is, without opening it.
pub(crate) fn look(parent: impl AsFd, name: impl Arg) -> Result<(Kind, Stat), Fault> {
    let stat = statat(parent, name, AtFlags::SYMLINK_NOFOLLOW)?;
    Ok((Kind::of(&stat)?, stat))
}

/// Walks `path` from `base`, which lies on `device`.
pub(crate) fn walk<'a, 'p>(
    base: &'a Dir,
    device: u64,
    path: &GuestPath<'p>,
) -> Result<Place<'a, 'p>, Fault> {
    let (lead, name) = path.split();
    let mut parent = Parent::Base(base);
    for name in lead {
        parent = Parent::Below(open_dir(&parent, *name, device)?);
    }
    Ok(Place { parent, name, directory: path.directory() })
}

/// Opens the directory `name` in `parent`, where `.` is the directory itself.
pub(crate) fn open_dir(
    parent: impl AsFd,
    name: impl Arg + Copy,
    device: u64,
) -> Result<Dir, Fault> {
    let parent = parent.as_fd();
    let flags = SAFE | OFlags::DIRECTORY | OFlags::RDONLY;
    let fd: OwnedFd = match openat(parent, name, flags, Mode::empty()) {
        Ok(fd) => fd,
        // With `O_DIRECTORY` a link and a file look the same: say which it was.
        Err(Errno::NOTDIR | Errno::LOOP) => {
            return Err(look(parent, name).err().unwrap_or(Fault::NotDirectory));
        }
        Err(errno) => return Err(errno.into()),
    };
    if FileId::of(&fstat(&fd)?).device != device {
        return Err(Fault::OtherDevice);
    }
    Ok(Dir::from(fd))
}
