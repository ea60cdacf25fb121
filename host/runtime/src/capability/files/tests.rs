//! The engine against a real folder: what a guest may do, what it may not, and what the ledger says afterwards.
#![cfg(test)]

use super::dir::DirHandle;
use super::fault::Fault;
use super::file::{At, FileHandle, Mode};
use super::open::{How, Node};
use super::quota::{Quota, Usage};
use super::volume::{Mount, Volume};
use cap_std::ambient_authority;
use cap_std::fs::Dir;
use std::sync::Arc;

mod accounting;
mod call;
mod ends;
mod escapes;
mod guest;
mod races;
mod read_only;
mod streams;
mod view;
mod volumes;

pub(super) const READ: Mode =
    Mode { read: true, write: false, sync: super::file::Durability::Cached };
pub(super) const WRITE: Mode = Mode { write: true, ..READ };
pub(super) const LOOK: How =
    How { create: false, exclusive: false, truncate: false, directory: false, mode: READ };
pub(super) const CHANGE: How = How { mode: WRITE, ..LOOK };
pub(super) const MAKE: How = How { create: true, ..CHANGE };

/// A host folder with a volume in it.
pub(super) struct Bench {
    /// The folder above the volume: what no guest may reach.
    pub(super) outside: Dir,
    /// The host's own way into the volume's folder.
    pub(super) host: Dir,
    pub(super) volume: Arc<Volume>,
    _folder: tempfile::TempDir,
}

impl Bench {
    pub(super) fn new() -> Self {
        Self::prepared(|_| {})
    }

    /// Lets the host put something into the folder before the volume is opened.
    pub(super) fn prepared(prepare: impl FnOnce(&Dir)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let outside = Dir::open_ambient_dir(folder.path(), ambient_authority()).unwrap();
        outside.write("secret", "not for guests").unwrap();
        outside.create_dir("volume").unwrap();
        let host = outside.open_dir("volume").unwrap();
        prepare(&host);
        let volume = Arc::new(Volume::open(outside.open_dir("volume").unwrap()).unwrap());
        Self { outside, host, volume, _folder: folder }
    }

    pub(super) fn mount(&self, writable: bool, bytes: u64, inodes: u64) -> Arc<Mount> {
        Arc::new(Mount {
            name: "data".parse().unwrap(),
            path: "/data".to_owned(),
            readable: true,
            writable,
            quota: Quota { bytes, inodes },
            volume: Arc::clone(&self.volume),
        })
    }

    /// A writable root with the given quota.
    pub(super) fn root(&self, bytes: u64, inodes: u64) -> Arc<DirHandle> {
        root(&self.mount(true, bytes, inodes))
    }

    pub(super) fn read_only(&self) -> Arc<DirHandle> {
        root(&self.mount(false, 1_000_000, 1_000))
    }

    pub(super) fn used(&self) -> Usage {
        self.volume.used()
    }

    /// What a fresh scan of the disk says; must agree with the ledger whenever nothing is open.
    pub(super) fn rescan(&self) -> Usage {
        Volume::open(self.outside.open_dir("volume").unwrap()).unwrap().used()
    }
}

pub(super) fn root(mount: &Arc<Mount>) -> Arc<DirHandle> {
    Arc::clone(Node::root(mount).unwrap().dir().unwrap())
}

pub(super) fn used(bytes: u64, inodes: u64) -> Usage {
    Usage { bytes, inodes }
}

pub(super) fn file(dir: &DirHandle, path: &str, how: How) -> Result<Arc<FileHandle>, Fault> {
    Ok(Arc::clone(dir.open_at(path, how)?.file()?))
}

pub(super) fn put(dir: &DirHandle, path: &str, bytes: &[u8]) -> Result<(), Fault> {
    file(dir, path, MAKE)?.write(bytes, At::Offset(0)).map(drop)
}

pub(super) fn get(dir: &DirHandle, path: &str) -> Result<Vec<u8>, Fault> {
    file(dir, path, LOOK)?.read(1 << 20, 0)
}
