//! Who may use a home: one running host, and one edit at a time.
//!
//! The locks are the kernel's (`flock`): they end with the process, so that nothing is left to clean
//! up after a crash.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rustix::fs::{FlockOperation, flock};

use super::{HomeError, Layout, file};

/// Held by the process that is the host of a home.
#[derive(Debug)]
pub struct HostLock {
    _file: File,
}

/// Held while files of a home are changed.
#[derive(Debug)]
pub struct EditLock {
    _file: File,
}

impl HostLock {
    /// Takes the lock or says who holds it; never waits.
    pub(crate) fn take(layout: &Layout) -> Result<Self, HomeError> {
        let path = layout.state().join("host.lock");
        let mut file = open(&path)?;
        if flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
            let holder = holder(&mut file);
            return Err(HomeError::InUse { path: layout.root().to_owned(), holder });
        }
        let note = format!("process {}\n", std::process::id());
        file.set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| file.write_all(note.as_bytes()))
            .map_err(|e| HomeError::io("write", &path, e))?;
        Ok(Self { _file: file })
    }
}

impl EditLock {
    /// Takes the lock; waits for another edit to end (they are short).
    pub(crate) fn take(layout: &Layout) -> Result<Self, HomeError> {
        let path = layout.state().join("edit.lock");
        Self::take_at(&path)
    }

    /// The same on a folder that is only being made: the folder itself is the lock.
    pub(crate) fn take_folder(folder: &Path) -> Result<Self, HomeError> {
        file::make_folder(folder)?;
        let file = File::open(folder).map_err(|e| HomeError::io("lock", folder, e))?;
        flock(&file, FlockOperation::LockExclusive)
            .map_err(|e| HomeError::io("lock", folder, e.into()))?;
        Ok(Self { _file: file })
    }

    fn take_at(path: &Path) -> Result<Self, HomeError> {
        let file = open(path)?;
        flock(&file, FlockOperation::LockExclusive)
            .map_err(|e| HomeError::io("lock", path, e.into()))?;
        Ok(Self { _file: file })
    }
}

fn open(path: &Path) -> Result<File, HomeError> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
        .map_err(|e| HomeError::io("lock", path, e))
}

fn holder(file: &mut File) -> String {
    let mut text = String::new();
    match file.take(64).read_to_string(&mut text) {
        Ok(_) if !text.trim().is_empty() => text.trim().to_owned(),
        _ => "another process".to_owned(),
    }
}
