//! Folders in which an archive or a home is made, beside the place that it gets.
//!
//! Whoever makes something holds the kernel's lock of its folder for as long as it lives, and no longer: `kill -9` ends
//! it too. So a folder of ours that can be locked was left by somebody who is dead, and whoever comes next beside it
//! removes it: one of a restore holds opened keys. A folder of somebody else, one that others may enter and one that is
//! no folder are not touched, whatever their names are.

use std::fs::{File, Metadata, Permissions};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::error::ContinuityError;

/// How the names of such folders begin.
pub(super) const RESTORE: &str = ".soma-restore-";
pub(super) const BACKUP: &str = ".soma-backup-";
/// How often a folder is made again that somebody took for a dead one before it was locked.
const TRIES: u32 = 16;

/// A folder that something is made in. Dropped, it is gone.
#[derive(Debug)]
pub(super) struct Staging {
    // Fields go in their order: the folder is removed while it is still locked.
    folder: TempDir,
    _lock: File,
}

impl Staging {
    /// Makes one in a folder that nobody else can enter, after what the dead left beside it is gone.
    pub(super) fn make(prefix: &'static str, beside: &Path) -> Result<Self, ContinuityError> {
        let failed = || ContinuityError::disk("made", beside);
        for _ in 0..TRIES {
            // Nobody else enters it, now or when it has its name.
            let closed = Permissions::from_mode(0o700);
            let mut builder = tempfile::Builder::new();
            let folder = builder.prefix(prefix).permissions(closed).tempdir_in(beside);
            let folder = folder.map_err(failed())?;
            let lock = File::open(folder.path());
            let Some(lock) = lock.ok().filter(|lock| is_held(lock, folder.path())) else {
                continue;
            };
            clear(beside, lock.metadata().map_err(failed())?.uid());
            return Ok(Self { folder, _lock: lock });
        }
        Err(failed()(std::io::Error::other("somebody removes what is made here")))
    }

    pub(super) fn path(&self) -> &Path {
        self.folder.path()
    }
}

/// Whether it could be locked, and is still what its name means.
fn is_held(lock: &File, path: &Path) -> bool {
    let now = path.symlink_metadata().ok().zip(lock.metadata().ok());
    lock.try_lock().is_ok() && now.is_some_and(|(named, locked)| same(&named, &locked))
}

fn same(one: &Metadata, other: &Metadata) -> bool {
    one.is_dir() && (one.dev(), one.ino()) == (other.dev(), other.ino())
}

/// Removes what backups and restores left beside a home when they were cut off, and says what that was. What cannot be
/// removed is logged: nothing waits for it.
#[must_use]
pub fn clear_beside(home: &Path) -> Vec<PathBuf> {
    let Ok(own) = home.metadata().or_else(|_| parent(home).metadata()) else { return Vec::new() };
    clear(&parent(home), own.uid())
}

/// The folder that something lies in.
pub(super) fn parent(path: &Path) -> PathBuf {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    parent.map_or_else(|| PathBuf::from("."), Path::to_owned)
}

fn clear(beside: &Path, owner: u32) -> Vec<PathBuf> {
    let Ok(listed) = std::fs::read_dir(beside) else { return Vec::new() };
    let ours = listed.flatten().filter(|entry| {
        let name = entry.file_name();
        let name = name.as_encoded_bytes();
        [RESTORE, BACKUP].iter().any(|prefix| name.starts_with(prefix.as_bytes()))
    });
    ours.map(|entry| entry.path()).filter(|path| remove(path, owner)).collect()
}

/// Removes a folder whose maker is dead; whether it did.
fn remove(path: &Path, owner: u32) -> bool {
    let closed = |it: &Metadata| it.is_dir() && it.uid() == owner && it.mode() & 0o077 == 0;
    if !path.symlink_metadata().is_ok_and(|it| closed(&it)) {
        return false;
    }
    // Held until it is gone: nobody makes anything in it meanwhile.
    let Some(_lock) = File::open(path).ok().filter(|lock| is_held(lock, path)) else {
        return false;
    };
    match std::fs::remove_dir_all(path) {
        Ok(()) => true,
        Err(error) => {
            tracing::warn!(path = %path.display(), %error, "what was left of a backup or restore stays");
            false
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn left(beside: &Path, name: &str) -> PathBuf {
        let path = beside.join(name);
        std::fs::create_dir(&path).unwrap();
        std::fs::set_permissions(&path, Permissions::from_mode(0o700)).unwrap();
        std::fs::write(path.join("seal.key"), "opened").unwrap();
        path
    }

    #[test]
    fn what_the_dead_left_goes_and_what_the_living_hold_stays() {
        let place = tempfile::tempdir().unwrap();
        let living = Staging::make(RESTORE, place.path()).unwrap();
        std::fs::write(living.path().join("seal.key"), "opened").unwrap();
        let mut dead =
            [left(place.path(), ".soma-restore-a"), left(place.path(), ".soma-backup-b")];
        let mut gone = clear_beside(&place.path().join("home"));
        gone.sort();
        dead.sort();
        assert_eq!(gone, dead);
        assert!(dead.iter().all(|path| !path.exists()));
        assert!(living.path().join("seal.key").is_file(), "it is being made");
        assert_eq!(clear_beside(&place.path().join("home")), [] as [PathBuf; 0]);
        let path = living.path().to_owned();
        drop(living);
        assert!(!path.exists());
    }

    #[test]
    fn the_next_one_beside_it_removes_what_was_left() {
        let place = tempfile::tempdir().unwrap();
        let dead = left(place.path(), ".soma-restore-a");
        let living = Staging::make(BACKUP, place.path()).unwrap();
        assert!(!dead.exists() && living.path().is_dir());
    }

    #[test]
    fn what_only_has_such_a_name_is_not_touched() {
        let place = tempfile::tempdir().unwrap();
        let target = left(place.path(), "target");
        let link = place.path().join(".soma-restore-link");
        std::os::unix::fs::symlink(&target, &link).unwrap();
        let file = place.path().join(".soma-restore-file");
        std::fs::write(&file, "mine").unwrap();
        let open = left(place.path(), ".soma-restore-open");
        std::fs::set_permissions(&open, Permissions::from_mode(0o755)).unwrap();
        let other = left(place.path(), "soma-restore-other");
        assert_eq!(clear_beside(&place.path().join("home")), [] as [PathBuf; 0]);
        // Whoever does not own it is not its maker.
        let foreign = left(place.path(), ".soma-restore-foreign");
        let owner = foreign.metadata().unwrap().uid();
        assert_eq!(clear(place.path(), owner.wrapping_add(1)), [] as [PathBuf; 0]);
        for path in [target.join("seal.key"), link, file, open, other, foreign] {
            assert!(path.exists(), "{}", path.display());
        }
    }
}
