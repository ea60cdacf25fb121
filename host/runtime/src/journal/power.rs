//! A disk that loses power, for tests: what was not synced is dropped, kept or torn, as chance has it.
//!
//! Writes reach the platter by sectors, in any order and any subset, until the file is synced; names
//! until the folder is. After a chosen number of changes the power goes, and every call fails.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::{Condvar, Mutex};

use super::disk::{Disk, DiskFile, Open};

const SECTOR: usize = 512;

#[derive(Clone, Default)]
pub(crate) struct PowerDisk(Arc<Mutex<World>>, Arc<Gate>);

/// Holds syncs up while it is closed.
#[derive(Default)]
struct Gate {
    closed: Mutex<bool>,
    opened: Condvar,
}

impl Gate {
    fn pass(&self) {
        let mut closed = self.closed.lock();
        while *closed {
            self.opened.wait(&mut closed);
        }
    }
}

#[derive(Default)]
struct World {
    files: BTreeMap<u64, Inode>,
    names: BTreeMap<PathBuf, u64>,
    durable_names: BTreeMap<PathBuf, u64>,
    locked: BTreeSet<PathBuf>,
    /// Changes until the power goes.
    left: Option<u64>,
    fault: Option<(Change, io::ErrorKind)>,
    panic: bool,
    changes: u64,
}

#[derive(Default, Clone)]
struct Inode {
    live: Vec<u8>,
    durable: Vec<u8>,
    pending: Vec<Op>,
}

#[derive(Clone)]
enum Op {
    Write { offset: usize, bytes: Vec<u8> },
    Cut(usize),
}

/// What a fault can be put on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    Write,
    Sync,
    Name,
}

/// A small generator for the choices of chance.
pub(crate) struct Chance(u64);

impl Chance {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

fn apply(bytes: &mut Vec<u8>, offset: usize, new: &[u8]) {
    if bytes.len() < offset + new.len() {
        bytes.resize(offset + new.len(), 0);
    }
    bytes[offset..offset + new.len()].copy_from_slice(new);
}

impl Inode {
    /// What the platter holds after the power came back.
    fn torn(&self, chance: &mut Chance) -> Vec<u8> {
        let mut bytes = self.durable.clone();
        for op in &self.pending {
            match op {
                Op::Cut(length) if chance.below(2) == 0 => bytes.resize(*length, 0),
                Op::Cut(_) => {}
                Op::Write { offset, bytes: new } => {
                    let kept = chance.below(3);
                    for (index, sector) in new.chunks(SECTOR).enumerate() {
                        if kept == 0 || (kept == 1 && chance.below(2) == 0) {
                            apply(&mut bytes, offset + index * SECTOR, sector);
                        }
                    }
                }
            }
        }
        bytes
    }
}

impl World {
    fn change(&mut self, what: Change) -> io::Result<()> {
        self.changes += 1;
        if let Some((on, kind)) = self.fault
            && on == what
        {
            return Err(kind.into());
        }
        match &mut self.left {
            Some(0) => Err(io::Error::other("the power is off")),
            Some(left) => {
                *left -= 1;
                Ok(())
            }
            None => Ok(()),
        }
    }
}

impl PowerDisk {
    /// The power goes after so many changes.
    pub(crate) fn power_lasts(&self, changes: u64) {
        self.0.lock().left = Some(changes);
    }

    /// Changes so far.
    pub(crate) fn changes(&self) -> u64 {
        self.0.lock().changes
    }

    /// Every change of a kind fails from here on.
    pub(crate) fn fail(&self, on: Change, kind: io::ErrorKind) {
        self.0.lock().fault = Some((on, kind));
    }

    /// The next sync panics.
    pub(crate) fn panic_on_sync(&self) {
        self.0.lock().panic = true;
    }

    /// Whether syncs wait.
    pub(crate) fn hold_syncs(&self, hold: bool) {
        *self.1.closed.lock() = hold;
        self.1.opened.notify_all();
    }

    /// The power comes back: what was not synced is what chance left of it.
    pub(crate) fn crash(&self, seed: u64) {
        let mut chance = Chance::new(seed);
        let mut world = self.0.lock();
        world.left = None;
        world.fault = None;
        world.locked.clear();
        for inode in world.files.values_mut() {
            let bytes = inode.torn(&mut chance);
            *inode = Inode { live: bytes.clone(), durable: bytes, pending: Vec::new() };
        }
        let changed: Vec<PathBuf> = world
            .names
            .keys()
            .chain(world.durable_names.keys())
            .filter(|path| world.names.get(*path) != world.durable_names.get(*path))
            .cloned()
            .collect();
        for path in changed {
            if chance.below(2) == 0 {
                match world.names.get(&path).copied() {
                    Some(inode) => world.durable_names.insert(path, inode),
                    None => world.durable_names.remove(&path),
                };
            }
        }
        world.names = world.durable_names.clone();
    }

    /// The bytes of a file, for tests that damage it.
    pub(crate) fn bytes(&self, path: &Path) -> Vec<u8> {
        let world = self.0.lock();
        world.files[&world.names[path]].live.clone()
    }

    /// Replaces the bytes of a file, durably.
    pub(crate) fn put(&self, path: &Path, bytes: &[u8]) {
        let mut world = self.0.lock();
        let next = world.files.len() as u64;
        let inode = *world.names.entry(path.to_path_buf()).or_insert(next);
        world.durable_names.insert(path.to_path_buf(), inode);
        let whole = Inode { live: bytes.to_vec(), durable: bytes.to_vec(), pending: Vec::new() };
        world.files.insert(inode, whole);
    }

    /// Removes a name, durably.
    pub(crate) fn lose(&self, path: &Path) {
        let mut world = self.0.lock();
        world.names.remove(path);
        world.durable_names.remove(path);
    }

    /// Another disk with the same content.
    pub(crate) fn copy(&self) -> Self {
        let world = self.0.lock();
        let copy = World {
            files: world.files.clone(),
            names: world.names.clone(),
            durable_names: world.durable_names.clone(),
            ..World::default()
        };
        Self(Arc::new(Mutex::new(copy)), Arc::default())
    }
}

impl Disk for PowerDisk {
    fn make_dir(&self, _: &Path) -> io::Result<()> {
        Ok(())
    }

    fn names(&self, dir: &Path) -> io::Result<Vec<String>> {
        let world = self.0.lock();
        let inside = world.names.keys().filter(|path| path.parent() == Some(dir));
        Ok(inside.map(|path| path.file_name().unwrap().to_str().unwrap().to_owned()).collect())
    }

    fn open(&self, path: &Path, how: Open) -> io::Result<Box<dyn DiskFile>> {
        let mut world = self.0.lock();
        let known = world.names.get(path).copied();
        let inode = match (how, known) {
            (Open::New, Some(_)) => return Err(io::ErrorKind::AlreadyExists.into()),
            (Open::New, None) => {
                world.change(Change::Name)?;
                let inode = world.files.len() as u64;
                world.files.insert(inode, Inode::default());
                world.names.insert(path.to_path_buf(), inode);
                inode
            }
            (_, Some(inode)) => inode,
            (_, None) => return Err(io::ErrorKind::NotFound.into()),
        };
        drop(world);
        Ok(Box::new(PowerFile {
            world: Arc::clone(&self.0),
            gate: Arc::clone(&self.1),
            inode,
            writable: how != Open::Read,
        }))
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        let mut world = self.0.lock();
        world.change(Change::Sync)?;
        let inside = |path: &PathBuf| path.parent() == Some(dir);
        let live: Vec<_> = world
            .names
            .iter()
            .filter(|(path, _)| inside(path))
            .map(|(p, i)| (p.clone(), *i))
            .collect();
        world.durable_names.retain(|path, _| !inside(path));
        world.durable_names.extend(live);
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut world = self.0.lock();
        world.change(Change::Name)?;
        world.names.remove(path).map(|_| ()).ok_or(io::ErrorKind::NotFound.into())
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn Send + Sync>> {
        let fresh = self.0.lock().locked.insert(path.to_path_buf());
        match fresh {
            true => Ok(Box::new(Held { world: Arc::clone(&self.0), path: path.to_path_buf() })),
            false => Err(io::ErrorKind::WouldBlock.into()),
        }
    }
}

struct Held {
    world: Arc<Mutex<World>>,
    path: PathBuf,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.world.lock().locked.remove(&self.path);
    }
}

struct PowerFile {
    world: Arc<Mutex<World>>,
    gate: Arc<Gate>,
    inode: u64,
    writable: bool,
}

impl PowerFile {
    fn with<T>(&self, change: Option<Change>, f: impl FnOnce(&mut Inode) -> T) -> io::Result<T> {
        let mut world = self.world.lock();
        if let Some(change) = change {
            assert!(self.writable, "a file opened for reading is not changed");
            world.change(change)?;
        }
        world.files.get_mut(&self.inode).map(f).ok_or(io::ErrorKind::NotFound.into())
    }
}

impl DiskFile for PowerFile {
    fn len(&self) -> io::Result<u64> {
        self.with(None, |inode| inode.live.len() as u64)
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
        self.with(None, |inode| {
            let from = inode.live.get(offset as usize..).unwrap_or_default();
            let length = from.len().min(buf.len());
            buf[..length].copy_from_slice(&from[..length]);
            length
        })
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.with(Some(Change::Write), |inode| {
            apply(&mut inode.live, offset as usize, bytes);
            inode.pending.push(Op::Write { offset: offset as usize, bytes: bytes.to_vec() });
        })
    }

    fn cut(&self, len: u64) -> io::Result<()> {
        self.with(Some(Change::Write), |inode| {
            inode.live.resize(len as usize, 0);
            inode.pending.push(Op::Cut(len as usize));
        })
    }

    fn sync(&self) -> io::Result<()> {
        self.gate.pass();
        let panics = self.world.lock().panic;
        assert!(!panics, "as the test asked");
        self.with(Some(Change::Sync), |inode| {
            inode.durable = inode.live.clone();
            inode.pending.clear();
        })
    }
}
