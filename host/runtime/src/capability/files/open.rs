//! Opening a path: what a guest may hold, and under which conditions it comes to be.
//!
//! `O_CREAT` and `O_TRUNC` never reach the operating system together with an existing file: making is exclusive and
//! reserved before, truncation is a change of size like any other. What is opened is looked at before (so that a device
//! is never touched) and again after (so that what was looked at is what was opened).

use super::dir::DirHandle;
use super::fault::Fault;
use super::file::{FileHandle, Mode as FileMode};
use super::inode::FileId;
use super::meta::Meta;
use super::path::GuestPath;
use super::quota::Usage;
use super::volume::Mount;
use super::walk::{Kind, Place, SAFE, look, open_dir, walk};
use rustix::fd::OwnedFd;
use rustix::fs::{Mode, OFlags, fstat, openat};
use soma_policy::FileOp;
use std::sync::Arc;

/// What a guest asks for when it opens.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct How {
    pub(crate) create: bool,
    pub(crate) exclusive: bool,
    pub(crate) truncate: bool,
    pub(crate) directory: bool,
    pub(crate) mode: FileMode,
}

impl How {
    /// Whether it may change anything; then the grant must allow writing, whatever turns out to be there.
    pub(crate) const fn mutates(self) -> bool {
        self.create || self.truncate
    }

    const fn writes(self) -> bool {
        self.mutates() || self.mode.write
    }

    /// What the gate is asked.
    pub(crate) const fn op(self) -> FileOp {
        match self {
            Self { create: true, .. } => FileOp::Create,
            Self { mode: FileMode { write: true, .. }, .. } | Self { truncate: true, .. } => {
                FileOp::Write
            }
            Self { directory: true, .. } => FileOp::Stat,
            _ => FileOp::Read,
        }
    }
}

/// What a descriptor stands for.
#[derive(Debug, Clone)]
pub(crate) enum Node {
    File(Arc<FileHandle>),
    Dir(Arc<DirHandle>),
}

impl Node {
    /// The directory that a mount begins with.
    pub(crate) fn root(mount: &Arc<Mount>) -> Result<Self, Fault> {
        let volume = &mount.volume;
        let dir = open_dir(volume.root(), ".", volume.device())?;
        Ok(Self::Dir(Arc::new(DirHandle::new(mount, dir, mount.path.clone())?)))
    }

    pub(crate) fn dir(&self) -> Result<&Arc<DirHandle>, Fault> {
        match self {
            Self::Dir(dir) => Ok(dir),
            Self::File(_) => Err(Fault::NotDirectory),
        }
    }

    pub(crate) fn file(&self) -> Result<&Arc<FileHandle>, Fault> {
        match self {
            Self::File(file) => Ok(file),
            Self::Dir(_) => Err(Fault::IsDirectory),
        }
    }

    pub(crate) fn mount(&self) -> &Arc<Mount> {
        match self {
            Self::File(file) => file.mount(),
            Self::Dir(dir) => dir.mount(),
        }
    }

    /// Where the guest found it when it opened it.
    pub(crate) fn path(&self) -> &str {
        match self {
            Self::File(file) => file.path(),
            Self::Dir(dir) => dir.path(),
        }
    }

    pub(crate) fn id(&self) -> FileId {
        match self {
            Self::File(file) => file.inode().id(),
            Self::Dir(dir) => dir.inode().id(),
        }
    }

    pub(crate) fn meta(&self) -> Result<Meta, Fault> {
        match self {
            Self::File(file) => file.meta(),
            Self::Dir(dir) => dir.meta(),
        }
    }
}

impl DirHandle {
    /// Opens `path` below this directory.
    pub(crate) fn open_at(&self, path: &str, how: How) -> Result<Node, Fault> {
        let path = GuestPath::parse(path)?;
        if how.writes() {
            self.mount().require_write()?;
        }
        // Opening a directory reads nothing of it; listing it asks again.
        check(how)?;
        let whole = path.below(self.path());
        let names = &self.mount().volume.names;
        if how.create {
            let _changing = names.write();
            self.open_or_make(&path, whole, how)
        } else {
            let _still = names.read();
            let place = self.walk(&path)?;
            self.open_existing(&place, whole, how)
        }
    }

    fn open_or_make(&self, path: &GuestPath<'_>, whole: String, how: How) -> Result<Node, Fault> {
        let place = self.walk(path)?;
        match place.look() {
            Err(Fault::NotFound) if place.directory || how.directory => Err(Fault::IsDirectory),
            Err(Fault::NotFound) => self.make_file(&place, whole, how),
            Err(fault) => Err(fault),
            Ok(_) if how.exclusive => Err(Fault::Exists),
            Ok(_) => self.open_existing(&place, whole, how),
        }
    }

    fn make_file(&self, place: &Place<'_, '_>, whole: String, how: How) -> Result<Node, Fault> {
        let mount = self.mount();
        if how.mode.read {
            mount.require_read()?;
        }
        let name = place.named()?;
        let room = mount.volume.books.ledger.reserve(Usage::INODE, mount.quota)?;
        let flags = SAFE | OFlags::CREATE | OFlags::EXCL | how.mode.flags();
        let fd = openat(&place.parent, name, flags, Mode::RUSR | Mode::WUSR)?;
        room.keep(Usage::INODE);
        self.file(fd, whole, how)
    }

    fn open_existing(&self, place: &Place<'_, '_>, whole: String, how: How) -> Result<Node, Fault> {
        let (kind, _) = place.look()?;
        match kind {
            Kind::Directory if how.writes() => Err(Fault::IsDirectory),
            Kind::Directory => {
                let device = self.mount().volume.device();
                let dir = open_dir(&place.parent, place.name.unwrap_or("."), device)?;
                Ok(Node::Dir(Arc::new(DirHandle::new(self.mount(), dir, whole)?)))
            }
            Kind::File if place.directory || how.directory => Err(Fault::NotDirectory),
            Kind::File => self.open_file(place, whole, how),
        }
    }

    /// Opens what is a regular file, and makes sure that it still is.
    fn open_file(&self, place: &Place<'_, '_>, whole: String, how: How) -> Result<Node, Fault> {
        if how.mode.read {
            self.mount().require_read()?;
        }
        let name = place.named()?;
        let flags = SAFE | how.mode.flags();
        let fd = openat(&place.parent, name, flags, Mode::empty())?;
        let stat = fstat(&fd)?;
        if Kind::of(&stat)? != Kind::File {
            return Err(Fault::IsDirectory);
        }
        if stat.st_dev != self.mount().volume.device() {
            return Err(Fault::OtherDevice);
        }
        let node = self.file(fd, whole, how)?;
        if how.truncate {
            node.file()?.set_size(0)?;
        }
        Ok(node)
    }

    fn file(&self, fd: OwnedFd, whole: String, how: How) -> Result<Node, Fault> {
        let file = FileHandle::new(self.mount(), fd, whole, how.mode)?;
        Ok(Node::File(Arc::new(file)))
    }

    pub(super) fn walk<'a, 'p>(&'a self, path: &GuestPath<'p>) -> Result<Place<'a, 'p>, Fault> {
        walk(self.fd(), self.mount().volume.device(), path)
    }
}

/// Refuses combinations that say two things at once.
const fn check(how: How) -> Result<(), Fault> {
    let makes_directory = how.directory && how.create;
    let cuts_unwritable = how.truncate && !how.mode.write;
    if makes_directory || cuts_unwritable || (how.exclusive && !how.create) {
        return Err(Fault::Invalid);
    }
    Ok(())
}

/// Whether `name` in `parent` is there at all, of whatever kind.
pub(super) fn is_there(parent: impl rustix::fd::AsFd, name: &str) -> Result<bool, Fault> {
    match look(parent, name) {
        Err(Fault::NotFound) => Ok(false),
        Err(fault) => Err(fault),
        Ok(_) => Ok(true),
    }
}
