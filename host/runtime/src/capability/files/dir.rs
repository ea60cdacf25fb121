//! An open directory: making, moving, removing and looking at names in it.
//!
//! Blocks; runs on the pool. Every change holds the names lock of its volume. Links of either sort are neither made nor
//! read, and a move stays inside its mount, at a depth that the scan of the volume can still walk.

use super::fault::Fault;
use super::inode::{FileId, Inode, counted};
use super::listing::Listing;
use super::meta::{Meta, Times};
use super::open::is_there;
use super::path::{DEPTH_MAX, GuestPath};
use super::quota::Usage;
use super::tree::survey;
use super::volume::Mount;
use super::walk::{Kind, Place, look, open_dir};
use cap_std::fs::Dir;
use rustix::fd::{AsFd, BorrowedFd};
use rustix::fs::{
    AtFlags, Mode, Stat, fdatasync, fstat, fsync, mkdirat, renameat, unlinkat, utimensat,
};
use std::sync::Arc;

/// Most entries below a directory that is moved deeper; a larger one has to be moved in parts.
const MOVED_MAX: u64 = 10_000;

/// An open directory of a mount.
#[derive(Debug)]
pub(crate) struct DirHandle {
    // Closed before its record goes, which may give the inode back.
    dir: Dir,
    inode: Arc<Inode>,
    mount: Arc<Mount>,
    path: String,
}

impl DirHandle {
    pub(super) fn new(mount: &Arc<Mount>, dir: Dir, path: String) -> Result<Self, Fault> {
        let inode = mount.volume.books.enter(&dir)?;
        Ok(Self { dir, inode, mount: Arc::clone(mount), path })
    }

    pub(crate) const fn mount(&self) -> &Arc<Mount> {
        &self.mount
    }

    pub(crate) fn inode(&self) -> &Inode {
        &self.inode
    }

    /// Where the guest found it when it opened it.
    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    pub(super) const fn fd(&self) -> &Dir {
        &self.dir
    }

    pub(crate) fn meta(&self) -> Result<Meta, Fault> {
        Ok(Meta::of(&fstat(&self.dir)?))
    }

    pub(crate) fn meta_at(&self, path: &str) -> Result<Meta, Fault> {
        let path = GuestPath::parse(path)?;
        let _still = self.mount.volume.names.read();
        let place = self.walk(&path)?;
        let (_, stat) = look_as_asked(&place)?;
        Ok(Meta::of(&stat))
    }

    pub(crate) fn list(&self) -> Result<Listing, Fault> {
        self.mount.require_read()?;
        Listing::open(&self.dir)
    }

    pub(crate) fn sync(&self, data_only: bool) -> Result<(), Fault> {
        let done = if data_only { fdatasync(&self.dir) } else { fsync(&self.dir) };
        Ok(done?)
    }

    pub(crate) fn set_times(&self, times: Times) -> Result<(), Fault> {
        self.mount.require_write()?;
        Ok(rustix::fs::futimens(&self.dir, &times.to_system())?)
    }

    pub(crate) fn set_times_at(&self, path: &str, times: Times) -> Result<(), Fault> {
        let path = GuestPath::parse(path)?;
        self.mount.require_write()?;
        let _still = self.mount.volume.names.read();
        let place = self.walk(&path)?;
        look_as_asked(&place)?;
        let flags = AtFlags::SYMLINK_NOFOLLOW;
        let name = place.name.unwrap_or(".");
        Ok(utimensat(&place.parent, name, &times.to_system(), flags)?)
    }

    pub(crate) fn make_dir(&self, path: &str) -> Result<(), Fault> {
        let path = GuestPath::parse(path)?;
        self.mount.require_write()?;
        let volume = &self.mount.volume;
        let _changing = volume.names.write();
        let place = self.walk(&path)?;
        let name = place.name.ok_or(Fault::Exists)?;
        if is_there(&place.parent, name)? {
            return Err(Fault::Exists);
        }
        if volume.depth(&place.parent)? >= DEPTH_MAX {
            return Err(Fault::TooDeep);
        }
        let room = volume.books.ledger.reserve(Usage::INODE, self.mount.quota)?;
        mkdirat(&place.parent, name, Mode::RWXU)?;
        room.keep(Usage::INODE);
        Ok(())
    }

    pub(crate) fn remove_dir(&self, path: &str) -> Result<(), Fault> {
        self.remove(path, Kind::Directory)
    }

    pub(crate) fn remove_file(&self, path: &str) -> Result<(), Fault> {
        self.remove(path, Kind::File)
    }

    fn remove(&self, path: &str, kind: Kind) -> Result<(), Fault> {
        let path = GuestPath::parse(path)?;
        self.mount.require_write()?;
        let _changing = self.mount.volume.names.write();
        let place = self.walk(&path)?;
        let name = place.named()?;
        let (found, stat) = place.look()?;
        match (kind, found) {
            (Kind::File, Kind::Directory) => return Err(Fault::IsDirectory),
            (Kind::Directory, Kind::File) => return Err(Fault::NotDirectory),
            (Kind::File, Kind::File) if place.directory => return Err(Fault::NotDirectory),
            _ => {}
        }
        let leaving = self.leaving(&place, name, &stat)?;
        let flags = match kind {
            Kind::File => AtFlags::empty(),
            Kind::Directory => AtFlags::REMOVEDIR,
        };
        unlinkat(&place.parent, name, flags)?;
        leaving.gone(&self.mount);
        Ok(())
    }

    /// Moves `from` here to `to` below `target`, replacing what a POSIX rename replaces.
    pub(crate) fn rename(&self, from: &str, target: &Self, to: &str) -> Result<(), Fault> {
        let (from, to) = (GuestPath::parse(from)?, GuestPath::parse(to)?);
        self.mount.require_write()?;
        target.mount.require_write()?;
        if !Arc::ptr_eq(&self.mount.volume, &target.mount.volume) {
            return Err(Fault::OtherMount);
        }
        let _changing = self.mount.volume.names.write();
        let (old, new) = (self.walk(&from)?, target.walk(&to)?);
        let (old_name, new_name) = (old.named()?, new.named()?);
        let (kind, stat) = look_as_asked(&old)?;
        if kind == Kind::File && new.directory {
            return Err(Fault::NotDirectory);
        }
        let replaced = match look(&new.parent, new_name) {
            Err(Fault::NotFound) => None,
            Err(fault) => return Err(fault),
            Ok((_, there)) if FileId::of(&there) == FileId::of(&stat) => return Ok(()),
            Ok((_, there)) => Some(target.leaving(&new, new_name, &there)?),
        };
        if kind == Kind::Directory {
            self.check_depth(&old, old_name, &new)?;
        }
        renameat(&old.parent, old_name, &new.parent, new_name)?;
        if let Some(replaced) = replaced {
            replaced.gone(&self.mount);
        }
        Ok(())
    }

    /// A directory that is moved deeper takes all that is below it along.
    fn check_depth(
        &self,
        old: &Place<'_, '_>,
        name: &str,
        new: &Place<'_, '_>,
    ) -> Result<(), Fault> {
        let volume = &self.mount.volume;
        let (before, after) = (volume.depth(&old.parent)?, volume.depth(&new.parent)?);
        if after <= before {
            return Ok(());
        }
        let moved = open_dir(&old.parent, name, volume.device())?;
        let height = survey(&moved, volume.device(), MOVED_MAX)?.height;
        if after + 1 + height > DEPTH_MAX {
            return Err(Fault::TooDeep);
        }
        Ok(())
    }

    /// What is about to lose its name. Under the names lock no new handle of it can appear; so if none is open now,
    /// its size no longer changes and is read again.
    fn leaving(&self, place: &Place<'_, '_>, name: &str, stat: &Stat) -> Result<Leaving, Fault> {
        if let Some(inode) = self.mount.volume.books.find(FileId::of(stat)) {
            return Ok(Leaving::Open(inode));
        }
        let (_, stat) = look(&place.parent, name)?;
        Ok(Leaving::Closed(Usage { bytes: counted(&stat), inodes: 1 }))
    }
}

impl AsFd for DirHandle {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.dir.as_fd()
    }
}

/// Something whose name goes: counted until its last handle closes, or given back at once.
enum Leaving {
    Open(Arc<Inode>),
    Closed(Usage),
}

impl Leaving {
    fn gone(self, mount: &Mount) {
        match self {
            Self::Open(inode) => inode.unlinked(),
            Self::Closed(usage) => mount.volume.books.ledger.release(usage),
        }
    }
}

/// What lies at a place; a path that says "directory" must find one.
fn look_as_asked(place: &Place<'_, '_>) -> Result<(Kind, Stat), Fault> {
    let found = place.look()?;
    if place.directory && found.0 != Kind::Directory {
        return Err(Fault::NotDirectory);
    }
    Ok(found)
}
