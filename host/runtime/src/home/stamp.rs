//! A cheap look at whether files of a home may have changed: names, sizes, inodes and times, not contents.
//!
//! Looking at everything each few seconds must not cost what loading everything costs. A stamp that was
//! taken just after a write proves nothing, because two writes may share one tick of the file system's
//! clock; such a stamp equals none.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rustix::time::{ClockId, clock_gettime};
use soma_policy::Digest;

use super::{HomeError, Layout, file};

/// Writes closer to the stamp than this may share a tick with a later one.
const SETTLED_SECONDS: i64 = 2;

/// How the files looked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stamp {
    digest: Digest,
    newest: i64,
}

impl Stamp {
    /// Looks at everything that decides what runs.
    pub(crate) fn of(layout: &Layout) -> Result<Self, HomeError> {
        let mut seen = Seen { text: String::new(), newest: 0 };
        seen.file(&layout.orgs());
        for folder in [layout.installations(), layout.policy(), layout.trust()] {
            seen.folder(&folder, 0)?;
        }
        Ok(Self { digest: Digest::of(seen.text.as_bytes()), newest: seen.newest })
    }

    /// Whether nothing can have changed since the earlier stamp.
    pub(crate) fn proves_unchanged(&self, earlier: &Self, earlier_was_settled: bool) -> bool {
        earlier_was_settled && self.digest == earlier.digest
    }

    /// Whether the newest write is long enough ago that a later one must show.
    pub(crate) fn is_settled(&self) -> bool {
        // The file system's own time, never the host's clock: it is compared with times of files.
        let now = clock_gettime(ClockId::Realtime).tv_sec;
        now.saturating_sub(self.newest) >= SETTLED_SECONDS
    }
}

/// How one file looked: enough to say that it was not replaced or written since.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FileLook(Option<[i64; 6]>);

impl FileLook {
    /// Looks at a file; one that is not there looks like nothing.
    pub(crate) fn of(path: &Path) -> Self {
        let look = |meta: std::fs::Metadata| {
            let (inode, length) = (meta.ino().cast_signed(), meta.len().cast_signed());
            [inode, length, meta.mtime(), meta.mtime_nsec(), meta.ctime(), meta.ctime_nsec()]
        };
        Self(std::fs::metadata(path).ok().map(look))
    }

    /// Whether its last write is long enough ago that a later one must show.
    pub(crate) fn is_settled(&self) -> bool {
        let Some([_, _, modified, _, changed, _]) = self.0 else { return true };
        let now = clock_gettime(ClockId::Realtime).tv_sec;
        now.saturating_sub(modified.max(changed)) >= SETTLED_SECONDS
    }
}

struct Seen {
    text: String,
    newest: i64,
}

impl Seen {
    fn folder(&mut self, folder: &Path, depth: u8) -> Result<(), HomeError> {
        self.file(folder);
        for name in file::names_in(folder)? {
            let path = folder.join(&name);
            // Tenant, environment, file: nothing of ours lies deeper.
            if depth < 3 && path.is_dir() {
                self.folder(&path, depth + 1)?;
            } else {
                self.file(&path);
            }
        }
        Ok(())
    }

    fn file(&mut self, path: &Path) {
        use std::fmt::Write;
        let Ok(meta) = std::fs::metadata(path) else { return };
        self.newest = self.newest.max(meta.mtime()).max(meta.ctime());
        let _ = writeln!(
            self.text,
            "{}\0{} {} {}.{} {}.{}",
            path.display(),
            meta.len(),
            meta.ino(),
            meta.mtime(),
            meta.mtime_nsec(),
            meta.ctime(),
            meta.ctime_nsec(),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_is_the_same_until_a_file_is_written_made_or_removed() {
        let folder = tempfile::tempdir().unwrap();
        let layout = Layout::new(folder.path());
        let policy = layout.policy();
        file::make_folder(&policy).unwrap();
        let mut before = Stamp::of(&layout).unwrap();
        assert_eq!(Stamp::of(&layout).unwrap(), before);
        for (name, text) in [("a.cedar", "1"), ("b.cedar", "1"), ("a.cedar", "22")] {
            file::write_private(&policy.join(name), text.as_bytes()).unwrap();
            let after = Stamp::of(&layout).unwrap();
            assert_ne!(after.digest, before.digest, "{name}");
            before = after;
        }
        file::remove(&policy.join("a.cedar")).unwrap();
        assert_ne!(Stamp::of(&layout).unwrap().digest, before.digest);
    }

    #[test]
    fn a_stamp_that_is_too_fresh_proves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let layout = Layout::new(folder.path());
        file::make_folder(&layout.policy()).unwrap();
        let stamp = Stamp::of(&layout).unwrap();
        assert!(!stamp.is_settled());
        assert!(!stamp.proves_unchanged(&stamp, false));
        assert!(stamp.proves_unchanged(&stamp, true));
    }
}
