//! The entries of a directory, a page at a time.
//!
//! Never the whole directory in memory. Entries that are neither file nor directory are named with their kind, so that
//! a guest sees why its operation on them is refused; names that are not UTF-8 cannot be said and are an error each.

use super::fault::Fault;
use super::tree::list;
use rustix::fd::AsFd;
use rustix::fs::{AtFlags, Dir, DirEntry, FileType, statat};
use std::collections::VecDeque;

/// Entries read at once.
const PAGE: usize = 64;
/// What a listing may take of the host's memory: a page of the longest names, and what the system reads at once.
pub(crate) const ROOM: usize = 32 * 1024;

/// One name in a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) name: String,
    pub(crate) kind: FileType,
}

/// A place in a directory.
#[derive(Debug)]
pub(crate) struct Listing {
    dir: Dir,
    page: VecDeque<Result<Entry, Fault>>,
    ended: bool,
}

impl Listing {
    pub(super) fn open(dir: impl AsFd) -> Result<Self, Fault> {
        Ok(Self { dir: list(dir)?, page: VecDeque::new(), ended: false })
    }

    /// The next entry if it has been read already. `None`: read a page first, unless `ended`.
    pub(crate) fn ready(&mut self) -> Option<Result<Entry, Fault>> {
        self.page.pop_front()
    }

    pub(crate) const fn ended(&self) -> bool {
        self.ended
    }

    /// Reads the next page. Blocks.
    pub(crate) fn read_page(&mut self) {
        while self.page.len() < PAGE {
            match self.dir.read() {
                None => {
                    self.ended = true;
                    return;
                }
                Some(Err(errno)) => {
                    self.page.push_back(Err(errno.into()));
                    self.ended = true;
                    return;
                }
                Some(Ok(entry)) => {
                    if !matches!(entry.file_name().to_bytes(), b"." | b"..") {
                        let entry = self.entry(&entry);
                        self.page.push_back(entry);
                    }
                }
            }
        }
    }

    fn entry(&self, entry: &DirEntry) -> Result<Entry, Fault> {
        let name = entry.file_name();
        let kind = match entry.file_type() {
            FileType::Unknown => {
                let stat = statat(self.dir.fd()?, name, AtFlags::SYMLINK_NOFOLLOW)?;
                FileType::from_raw_mode(stat.st_mode)
            }
            kind => kind,
        };
        Ok(Entry { name: name.to_str().map_err(|_| Fault::NotText)?.to_owned(), kind })
    }
}
