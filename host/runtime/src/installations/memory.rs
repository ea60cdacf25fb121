//! What is remembered of each installation over restarts: its revision number and its last good text.
//!
//! With it a host that starts beside a badly edited file still runs the revision that ran before. It is a
//! memory, not a source: the text is verified and compiled again like any file.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use soma_policy::{Digest, InstallationKey};

use crate::home::{HomeError, read_if_there, write_private};

const BYTES_MAX: u64 = 512 * 1024 * 1024;

/// What is remembered of one installation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Remembered {
    /// The number of the revision.
    pub(crate) revision: u64,
    /// The digest of `text`.
    pub(crate) digest: Digest,
    /// The file as it was when it was right.
    pub(crate) text: String,
}

/// All of them.
#[derive(Debug)]
pub(crate) struct Memory {
    path: PathBuf,
    content: Content,
    changed: bool,
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Content {
    schema: u32,
    load: u64,
    installations: BTreeMap<String, Remembered>,
    /// Numbers of installations that are gone: one that comes back goes on counting.
    #[serde(default)]
    retired: BTreeMap<String, u64>,
}

impl Memory {
    /// Reads what was remembered; nothing at all in a new home.
    pub(crate) fn load(path: PathBuf) -> Result<Self, HomeError> {
        let content = match read_if_there(&path, BYTES_MAX)? {
            None => Content { schema: 1, ..Content::default() },
            Some(bytes) => serde_json::from_slice(&bytes).map_err(|e| HomeError::Malformed {
                path: path.clone(),
                what: format!("{e}; remove the file to begin with new revision numbers"),
            })?,
        };
        Ok(Self { path, content, changed: false })
    }

    pub(crate) fn get(&self, key: &InstallationKey) -> Option<&Remembered> {
        self.content.installations.get(&key.to_string())
    }

    /// The number that a text would run under: the one it has, or the next.
    pub(crate) fn revision_of(&self, key: &InstallationKey, digest: &Digest) -> u64 {
        match self.get(key) {
            Some(known) if known.digest == *digest => known.revision,
            Some(known) => known.revision.saturating_add(1),
            None => {
                self.content.retired.get(&key.to_string()).map_or(1, |last| last.saturating_add(1))
            }
        }
    }

    /// Keeps a good text.
    pub(crate) fn keep(
        &mut self,
        key: &InstallationKey,
        revision: u64,
        digest: Digest,
        text: &str,
    ) {
        let new = Remembered { revision, digest, text: text.to_owned() };
        if self.get(key) != Some(&new) {
            self.content.retired.remove(&key.to_string());
            self.content.installations.insert(key.to_string(), new);
            self.changed = true;
        }
    }

    /// Forgets all but these; their numbers are not used again.
    pub(crate) fn retain(&mut self, is_there: impl Fn(&str) -> bool) {
        let gone: Vec<String> =
            self.content.installations.keys().filter(|k| !is_there(k)).cloned().collect();
        for key in gone {
            if let Some(old) = self.content.installations.remove(&key) {
                self.content.retired.insert(key, old.revision);
                self.changed = true;
            }
        }
    }

    /// The number of this load.
    pub(crate) fn next_load(&mut self) -> u64 {
        self.content.load = self.content.load.saturating_add(1);
        self.changed = true;
        self.content.load
    }

    /// Makes changes durable.
    pub(crate) fn save(&mut self) -> Result<(), HomeError> {
        if !self.changed {
            return Ok(());
        }
        let bytes = serde_json::to_vec(&self.content)
            .map_err(|e| HomeError::Malformed { path: self.path.clone(), what: e.to_string() })?;
        write_private(&self.path, &bytes)?;
        self.changed = false;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_revision_number_is_kept_raised_and_never_used_twice() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("installations.json");
        let key: InstallationKey = "local/production/issues".parse().unwrap();
        let mut memory = Memory::load(path.clone()).unwrap();
        let (one, two) = (Digest::of(b"one"), Digest::of(b"two"));
        assert_eq!(memory.revision_of(&key, &one), 1);
        memory.keep(&key, 1, one, "one");
        memory.save().unwrap();

        let mut memory = Memory::load(path.clone()).unwrap();
        assert_eq!(memory.get(&key).unwrap().text, "one");
        assert_eq!((memory.revision_of(&key, &one), memory.revision_of(&key, &two)), (1, 2));
        memory.keep(&key, 2, two, "two");
        memory.retain(|_| false);
        memory.save().unwrap();

        let memory = Memory::load(path).unwrap();
        assert_eq!(memory.get(&key), None);
        assert_eq!(memory.revision_of(&key, &one), 3);
    }

    #[test]
    fn a_broken_memory_says_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("installations.json");
        write_private(&path, b"{").unwrap();
        assert!(Memory::load(path).unwrap_err().to_string().contains("remove the file"));
    }
}
