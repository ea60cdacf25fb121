//! What somebody with a shell on the machine left in the folders of an installation before the host
//! came up, and a look at the disk after each attack: has anything got out, or in?
//!
//! In `work`, which the guest may write: symbolic links to files and a folder outside, a hard link
//! to a file outside, a pipe. In `docs`, which it may only read: one file.

use std::fs::{self, DirBuilder, File};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use soma_tests::TestHome;

/// What lies outside, for nobody's eyes.
pub(crate) const OUTSIDE: &str = "outside: not for guests";
/// The first words of any `/etc/passwd`.
pub(crate) const PASSWD: &str = "root:x:";
const FIXED: &[u8] = b"these words are fixed";
const PLANTED: [&str; 5] = ["planted", "planted-file", "planted-folder", "twin", "pipe"];
/// What the manifest of the guest asks for.
const QUOTA_BYTES: u64 = 64 << 10;
const QUOTA_INODES: u64 = 16;

/// The folders of one installation.
pub(crate) struct Plant {
    above: PathBuf,
    work: PathBuf,
    docs: PathBuf,
    outside: PathBuf,
}

impl Plant {
    /// Plants everything for the installation `id`, which no host serves yet.
    pub(crate) fn below(home: &TestHome, id: &str) -> Self {
        let volumes = home.path().join("store/files/local/production").join(id);
        let plant = Self {
            work: volumes.join("work"),
            docs: volumes.join("docs"),
            above: volumes,
            outside: home.beside("outside").join(id),
        };
        for folder in [&plant.work, &plant.docs, &plant.outside] {
            DirBuilder::new().recursive(true).mode(0o700).create(folder).unwrap();
        }
        let target = plant.outside.join("target.txt");
        fs::write(&target, OUTSIDE).unwrap();
        symlink("/etc/passwd", plant.work.join("planted")).unwrap();
        symlink(&target, plant.work.join("planted-file")).unwrap();
        symlink(&plant.outside, plant.work.join("planted-folder")).unwrap();
        fs::hard_link(&target, plant.work.join("twin")).unwrap();
        pipe(&plant.work.join("pipe"));
        let fixed = plant.docs.join("fixed.txt");
        fs::write(&fixed, FIXED).unwrap();
        File::open(&fixed).unwrap().set_modified(long_ago()).unwrap();
        fs::set_permissions(&fixed, fs::Permissions::from_mode(0o400)).unwrap();
        plant
    }

    /// What is not as it was, or not as the grant allows.
    pub(crate) fn spoilt(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        let mut check = |met: bool, what: &str| {
            if !met {
                wrong.push(what.to_owned());
            }
        };
        check(names(&self.above) == ["docs", "work"], "something was made above the folders");
        check(names(&self.outside) == ["target.txt"], "something was made outside of the folder");
        let target = self.outside.join("target.txt");
        check(text(&target) == OUTSIDE.as_bytes(), "a file outside of the folder was changed");
        check(names(&self.docs) == ["fixed.txt"], "the folder that may be read holds other names");
        let fixed = self.docs.join("fixed.txt");
        check(text(&fixed) == FIXED, "a file that may only be read was changed");
        let modified = fs::metadata(&fixed).and_then(|meta| meta.modified()).ok();
        check(modified == Some(long_ago()), "a file that may only be read was touched");
        let held = held(&self.work);
        check(held.foreign.is_empty(), &format!("the guest made {:?}", held.foreign));
        check(held.bytes <= QUOTA_BYTES, &format!("{} bytes lie in the folder", held.bytes));
        check(held.inodes <= QUOTA_INODES, &format!("{} names lie in the folder", held.inodes));
        wrong
    }
}

/// What a folder holds, all levels together.
#[derive(Default)]
struct Held {
    bytes: u64,
    inodes: u64,
    /// Neither planted nor a file with one name or a directory.
    foreign: Vec<String>,
}

fn held(folder: &Path) -> Held {
    let mut held = Held::default();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for name in names(&folder) {
            let path = folder.join(&name);
            let meta = fs::symlink_metadata(&path).unwrap();
            held.inodes += 1;
            if meta.is_dir() {
                folders.push(path);
            } else if meta.is_file() && meta.nlink() == 1 {
                held.bytes += meta.len();
            } else if !PLANTED.contains(&name.as_str()) {
                held.foreign.push(name);
            }
        }
    }
    held
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<String> =
        entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

fn text(path: &Path) -> Vec<u8> {
    fs::read(path).unwrap_or_default()
}

fn pipe(path: &Path) {
    use rustix::fs::{CWD, FileType, Mode, mknodat};
    mknodat(CWD, path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
}

/// A moment that no clock of today writes.
fn long_ago() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000)
}
