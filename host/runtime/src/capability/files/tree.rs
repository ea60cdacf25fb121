//! Counts what a directory tree holds, within bounds: the ledger's start value and the height of a moved directory.
//!
//! Never follows a link and never leaves the file system it began on. It holds one open directory per level, and there
//! are at most `DEPTH_MAX` levels.

use super::fault::Fault;
use super::inode::counted;
use super::path::DEPTH_MAX;
use super::quota::Usage;
use super::walk::{SAFE, open_dir};
use rustix::fd::AsFd;
use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, openat, statat};
use rustix::io::Errno;

/// What a tree holds, its root not counted.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Survey {
    pub(crate) used: Usage,
    /// Levels of directories below the root.
    pub(crate) height: usize,
}

/// Counts the tree below `root`, which lies on `device`; gives up beyond `entries_max`.
pub(crate) fn survey(root: impl AsFd, device: u64, entries_max: u64) -> Result<Survey, Fault> {
    let mut survey = Survey::default();
    let mut open = vec![list(root)?];
    loop {
        let depth = open.len();
        let Some(level) = open.last_mut() else {
            return Ok(survey);
        };
        let Some(entry) = level.read() else {
            open.pop();
            continue;
        };
        let entry = entry?;
        let name = entry.file_name();
        if matches!(name.to_bytes(), b"." | b"..") {
            continue;
        }
        if survey.used.inodes >= entries_max {
            return Err(Fault::TooMany);
        }
        let stat = match statat(level.fd()?, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => stat,
            Err(Errno::NOENT) => continue,
            Err(errno) => return Err(errno.into()),
        };
        survey.used.inodes += 1;
        survey.used.bytes = survey.used.bytes.saturating_add(counted(&stat));
        if FileType::from_raw_mode(stat.st_mode) == FileType::Directory {
            if depth > DEPTH_MAX {
                return Err(Fault::TooDeep);
            }
            let next = match open_dir(level.fd()?, name, device) {
                Ok(dir) => list(dir)?,
                // Something an operator mounted: no guest gets in, so there is nothing to count.
                Err(Fault::OtherDevice) => continue,
                Err(fault) => return Err(fault),
            };
            survey.height = survey.height.max(depth);
            open.push(next);
        }
    }
}

/// The entries of an open directory, from the beginning, independent of other readers.
pub(crate) fn list(dir: impl AsFd) -> Result<Dir, Fault> {
    let flags = SAFE | OFlags::DIRECTORY | OFlags::RDONLY;
    Ok(Dir::new(openat(dir, ".", flags, Mode::empty())?)?)
}
