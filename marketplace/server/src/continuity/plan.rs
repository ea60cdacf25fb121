//! What of a home goes into a backup, and how: open, sealed, or not at all.
//!
//! What is known to hold no secret in clear goes in open, so that an archive can be proven without its
//! passphrase. Everything else is sealed: a new file is a secret until this list says otherwise.

use std::path::{Path, PathBuf};

use super::bound::{ENTRIES_MAX, Inside};
use super::error::ContinuityError;
use crate::config::ServerConfig;
use crate::store::Database;

/// What holds nothing secret in clear, with all that lies below it. `secrets/` is sealed by the host itself,
/// with a key that lies under `keys/`; of `state/` there is more that is not listed here, such as sessions.
const OPEN: &[&str] = &[
    "trust",
    "policy",
    "installations",
    "secrets",
    "store",
    "state/journal",
    "state/kill",
    "state/feed",
    "state/installations.json",
    "capsules",
    "home.toml",
    "orgs.toml",
    "host.toml",
    "server.toml",
];
/// Made anew by whoever needs it.
const NEVER: &[&str] = &["cache", "state/host.json"];

/// How a file is copied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    /// Whole, as it was at one moment.
    Still,
    /// As far as it was when it was opened: it only grows.
    Growing,
    /// Into the sealed box.
    Sealed,
}

/// A file of a home.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Planned {
    pub(super) path: Inside,
    pub(super) class: Class,
}

/// A home and where the server's parts lie in it.
#[derive(Debug)]
pub(super) struct Places {
    pub(super) home: PathBuf,
    pub(super) database: Inside,
    pub(super) checkpoints: Inside,
    pub(super) journal_head: Inside,
}

/// What a walk over a home found.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) folders: Vec<Inside>,
    pub(super) files: Vec<Planned>,
    /// Neither files nor folders.
    pub(super) left_out: Vec<String>,
}

impl Places {
    /// The parts of a configuration, which all lie in the home.
    pub(super) fn of(home: &Path, config: &ServerConfig) -> Result<Self, ContinuityError> {
        let Database::Sqlite { path } = &config.database else {
            return Err(ContinuityError::Configuration(
                "the data of this home is in PostgreSQL: back it up with the tools of PostgreSQL"
                    .to_owned(),
            ));
        };
        for part in [&config.keys, &config.capsules, &config.trust] {
            inside(home, part)?;
        }
        Ok(Self {
            home: home.to_owned(),
            database: inside(home, path)?,
            checkpoints: inside(home, &config.checkpoints)?,
            journal_head: Inside::parse("state/journal.head")?,
        })
    }

    /// Everything that is copied as it lies there. Database, signed heads and journal's head have been
    /// copied before: what is copied later reaches at least as far.
    pub(super) fn walk(&self) -> Result<Found, ContinuityError> {
        let mut found = Found::default();
        self.folder("", &mut found)?;
        found.files.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(found)
    }

    fn folder(&self, at: &str, found: &mut Found) -> Result<(), ContinuityError> {
        let folder = self.home.join(at);
        let listed =
            std::fs::read_dir(&folder).map_err(ContinuityError::disk("listed", &folder))?;
        for entry in listed {
            let entry = entry.map_err(ContinuityError::disk("listed", &folder))?;
            let name = entry.file_name();
            let Some(name) = name.to_str() else {
                let what = "holds a name that is not text".to_owned();
                return Err(ContinuityError::Unfit { path: at.to_owned(), what });
            };
            let path = if at.is_empty() { name.to_owned() } else { format!("{at}/{name}") };
            let kind = entry.file_type().map_err(ContinuityError::disk("read", &entry.path()))?;
            let path = Inside::parse(&path)?;
            if self.never(&path) {
                continue;
            }
            if kind.is_dir() {
                self.folder(path.as_str(), found)?;
                found.folders.push(path);
            } else if kind.is_file() {
                found.files.push(Planned { class: self.class(&path), path });
            } else {
                found.left_out.push(path.as_str().to_owned());
            }
            if (found.files.len() + found.folders.len()) as u64 >= ENTRIES_MAX {
                let what = format!("holds more than {ENTRIES_MAX} files");
                return Err(ContinuityError::Unfit { path: at.to_owned(), what });
            }
        }
        Ok(())
    }

    fn never(&self, path: &Inside) -> bool {
        let (text, database) = (path.as_str(), self.database.as_str());
        let beside = |end: &str| text.strip_prefix(database).is_some_and(|rest| rest == end);
        NEVER.contains(&text)
            || [&self.database, &self.checkpoints, &self.journal_head].contains(&path)
            || ["-wal", "-shm", "-journal"].into_iter().any(beside)
            || self.is_temporary(path)
    }

    /// Locks, and what a crash left of a file that was being written. What guests wrote is theirs to name.
    fn is_temporary(&self, path: &Inside) -> bool {
        let name = path.name();
        let ours = !path.as_str().starts_with("store/files/");
        ours && (name.ends_with(".lock")
            || name.ends_with(".tmp")
            || (name.starts_with('.') && name.ends_with(".new")))
    }

    fn class(&self, path: &Inside) -> Class {
        if path.as_str().starts_with("state/journal/") {
            Class::Growing
        } else if OPEN.iter().any(|open| path.is_at(open)) {
            Class::Still
        } else {
            Class::Sealed
        }
    }
}

fn inside(home: &Path, part: &Path) -> Result<Inside, ContinuityError> {
    let outside = || {
        let what = format!("`{}` lies outside of the home: back it up too", part.display());
        ContinuityError::Configuration(what)
    };
    let path = part.strip_prefix(home).map_err(|_| outside())?;
    Inside::parse(path.to_str().ok_or_else(outside)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_known_to_be_harmless_is_sealed() {
        let folder = tempfile::tempdir().unwrap();
        let home = folder.path();
        let config = ServerConfig::embedded(home);
        for path in [
            "server.db",
            "server.db-wal",
            "server.db-shm",
            "audit-checkpoints.jsonl",
            "home.toml",
            "keys/root.key",
            "keys/host/host.pem",
            "keys/server/seal.key",
            "state/journal/1.log",
            "state/journal.head",
            "state/kill/orders",
            "state/host.lock",
            "state/host.json",
            "cache/x",
            "state/sessions.json",
            "statement",
            "trusted/x",
            "store/files/o/e/i/n/x.lock",
            "novel.txt",
            "trust/root.pub",
            "capsules/a.wasm",
        ] {
            let path = home.join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "x").unwrap();
        }
        std::os::unix::fs::symlink("/etc/passwd", home.join("trust/link")).unwrap();
        let found = Places::of(home, &config).unwrap().walk().unwrap();
        let of = |class: Class| -> Vec<&str> {
            let files = found.files.iter().filter(|file| file.class == class);
            files.map(|file| file.path.as_str()).collect()
        };
        assert_eq!(of(Class::Growing), ["state/journal/1.log"]);
        let sealed = [
            "keys/host/host.pem",
            "keys/root.key",
            "keys/server/seal.key",
            "novel.txt",
            "state/sessions.json",
            "statement",
            "trusted/x",
        ];
        assert_eq!(of(Class::Sealed), sealed);
        let open = [
            "capsules/a.wasm",
            "home.toml",
            "state/kill/orders",
            "store/files/o/e/i/n/x.lock",
            "trust/root.pub",
        ];
        assert_eq!(of(Class::Still), open);
        assert_eq!(found.left_out, ["trust/link"]);
    }

    #[test]
    fn parts_outside_of_the_home_are_refused() {
        let mut config = ServerConfig::embedded(Path::new("/home"));
        config.keys = PathBuf::from("/etc/soma/keys");
        let said = Places::of(Path::new("/home"), &config).unwrap_err().to_string();
        assert!(said.contains("/etc/soma/keys"), "{said}");
    }
}
