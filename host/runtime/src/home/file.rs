//! Reading and writing files of a home: bounded reads, whole writes, private modes.
//!
//! A file is written beside its place under a temporary name, synced, and renamed: a reader sees the
//! old bytes or the new ones, never a part.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::{HomeError, folder_of};

/// Reads at most `limit` bytes; more is an error, not a cut.
pub fn read_bounded(path: &Path, limit: u64) -> Result<Vec<u8>, HomeError> {
    let file = File::open(path).map_err(|e| HomeError::io("read", path, e))?;
    let mut bytes = Vec::new();
    file.take(limit.saturating_add(1))
        .read_to_end(&mut bytes)
        .map_err(|e| HomeError::io("read", path, e))?;
    if bytes.len() as u64 > limit {
        return Err(HomeError::TooLarge { path: path.to_owned(), limit });
    }
    Ok(bytes)
}

/// Like [`read_bounded`], but a file that is not there is `None`.
pub(crate) fn read_if_there(path: &Path, limit: u64) -> Result<Option<Vec<u8>>, HomeError> {
    match read_bounded(path, limit) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(HomeError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(other) => Err(other),
    }
}

/// Text of a file that may not be there.
pub(crate) fn read_text_if_there(path: &Path, limit: u64) -> Result<Option<String>, HomeError> {
    read_if_there(path, limit)?.map(|bytes| utf8(path, bytes)).transpose()
}

/// Text of a file.
pub(crate) fn read_text(path: &Path, limit: u64) -> Result<String, HomeError> {
    utf8(path, read_bounded(path, limit)?)
}

fn utf8(path: &Path, bytes: Vec<u8>) -> Result<String, HomeError> {
    String::from_utf8(bytes).map_err(|_| HomeError::Malformed {
        path: path.to_owned(),
        what: "the file is not UTF-8 text".to_owned(),
    })
}

/// Writes a file whole, readable by its owner alone, and makes it durable.
pub fn write_private(path: &Path, bytes: &[u8]) -> Result<(), HomeError> {
    let temporary = temporary_beside(path);
    let written = write_synced(&temporary, bytes)
        .and_then(|()| fs::rename(&temporary, path))
        .and_then(|()| sync_folder(&folder_of(path)));
    written.map_err(|e| {
        // Nothing may stay behind; if this fails too, the first error is the one to tell.
        let _ = fs::remove_file(&temporary);
        HomeError::io("write", path, e)
    })
}

/// Writes a file only if there is none: two writers cannot both believe that theirs won.
pub(crate) fn write_private_new(path: &Path, bytes: &[u8]) -> Result<(), HomeError> {
    let temporary = temporary_beside(path);
    let written = write_synced(&temporary, bytes)
        .and_then(|()| fs::hard_link(&temporary, path))
        .and_then(|()| sync_folder(&folder_of(path)));
    // The temporary name goes in both cases; the linked file stays.
    let _ = fs::remove_file(&temporary);
    written.map_err(|e| HomeError::io("write", path, e))
}

fn write_synced(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn temporary_beside(path: &Path) -> PathBuf {
    use std::sync::atomic::{AtomicU64, Ordering};
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    folder_of(path).join(format!(".{name}.{}.{number}.new", std::process::id()))
}

/// Makes a rename or removal in `folder` durable.
pub(crate) fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Removes a file; whether it was there.
pub fn remove(path: &Path) -> Result<bool, HomeError> {
    match fs::remove_file(path) {
        Ok(()) => {
            let folder = folder_of(path);
            sync_folder(&folder).map_err(|e| HomeError::io("sync", folder, e))?;
            Ok(true)
        }
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(e) => Err(HomeError::io("remove", path, e)),
    }
}

/// Makes a folder, and those above it, that only the owner may enter.
pub fn make_folder(path: &Path) -> Result<(), HomeError> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(|e| HomeError::io("create", path, e))
}

/// Refuses a file or folder that others than its owner may read, write or enter.
pub(crate) fn refuse_shared(path: &Path) -> Result<(), HomeError> {
    let meta = fs::metadata(path).map_err(|e| HomeError::io("look at", path, e))?;
    let mode = meta.permissions().mode() & 0o7777;
    if mode & 0o077 != 0 {
        return Err(HomeError::Shared { path: path.to_owned(), mode });
    }
    Ok(())
}

/// Names in a folder, sorted; names that are not text are left out, as none of ours is one.
pub fn names_in(folder: &Path) -> Result<Vec<String>, HomeError> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(HomeError::io("list", folder, e)),
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry.map_err(|e| HomeError::io("list", folder, e))?;
        if let Ok(name) = entry.file_name().into_string() {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_written_file_is_private_and_leaves_no_temporary_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.key");
        write_private(&path, b"one").unwrap();
        write_private(&path, b"two").unwrap();
        assert_eq!(read_bounded(&path, 10).unwrap(), b"two");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(names_in(folder.path()).unwrap(), ["x.key"]);
    }

    #[test]
    fn a_file_over_its_bound_is_refused_and_not_cut() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("big");
        write_private(&path, &[0; 11]).unwrap();
        assert!(matches!(read_bounded(&path, 10), Err(HomeError::TooLarge { limit: 10, .. })));
        assert_eq!(read_bounded(&path, 11).unwrap().len(), 11);
    }

    #[test]
    fn a_new_file_never_replaces_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x");
        write_private_new(&path, b"one").unwrap();
        assert!(write_private_new(&path, b"two").is_err());
        assert_eq!(read_bounded(&path, 10).unwrap(), b"one");
        assert_eq!(names_in(folder.path()).unwrap(), ["x"]);
    }

    #[test]
    fn a_folder_that_others_may_enter_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o750)).unwrap();
        let refused = refuse_shared(folder.path()).unwrap_err();
        assert!(refused.to_string().contains("chmod go="), "{refused}");
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o700)).unwrap();
        refuse_shared(folder.path()).unwrap();
    }
}
