//! Whose signature counts: for each publisher, the keys that the operator pinned.
//!
//! A key that signs for one publisher says nothing about another. There is no default and no
//! fall-back: an empty store verifies nothing.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use soma_policy::{Code, PublisherName};

use crate::key::{KEY_FILE_BYTES_MAX, KeyError, PublicKey};

/// Most keys of one publisher.
pub const KEYS_PER_PUBLISHER_MAX: usize = 64;

/// Most publishers in one folder.
const PUBLISHERS_MAX: usize = 10_000;

/// Why pinned keys cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrustError {
    /// The file system refused.
    #[error("cannot read `{path}`")]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What it said.
        #[source]
        source: io::Error,
    },
    /// A folder is not named like a publisher.
    #[error("`{0}` is not the name of a publisher")]
    Name(PathBuf),
    /// A file is not a public key.
    #[error("`{path}` cannot be used")]
    Key {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: KeyError,
    },
    /// More than are accepted.
    #[error("`{path}` holds more than {max} entries")]
    TooMany {
        /// The folder.
        path: PathBuf,
        /// How many are accepted.
        max: usize,
    },
}

impl TrustError {
    /// The stable code of this refusal.
    #[must_use]
    pub fn code(&self) -> Code {
        Code::TrustStore
    }
}

/// Whether a signature counts everywhere, or only on the machine of the author.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trust {
    /// A key that the operator pinned for this publisher.
    Pinned,
    /// The development key of this machine.
    Development,
}

/// The pinned keys.
#[derive(Debug, Clone, Default)]
pub struct TrustStore {
    publishers: BTreeMap<PublisherName, Vec<PublicKey>>,
    development: Option<PublicKey>,
}

impl TrustStore {
    /// A store that trusts nobody.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Pins a key for a publisher. Pinning it twice changes nothing.
    ///
    /// # Errors
    /// When the publisher has the most keys already.
    pub fn pin(&mut self, publisher: PublisherName, key: PublicKey) -> Result<(), TrustError> {
        let path = PathBuf::from(publisher.as_str());
        let keys = self.publishers.entry(publisher).or_default();
        if keys.contains(&key) {
            return Ok(());
        }
        if keys.len() >= KEYS_PER_PUBLISHER_MAX {
            return Err(TrustError::TooMany { path, max: KEYS_PER_PUBLISHER_MAX });
        }
        keys.push(key);
        Ok(())
    }

    /// Accepts the development key of this machine for every publisher. What it signs is marked
    /// as [`Trust::Development`], and a host that serves others refuses it.
    #[must_use]
    pub fn with_development_key(mut self, key: PublicKey) -> Self {
        self.development = Some(key);
        self
    }

    /// The keys of a publisher.
    #[must_use]
    pub fn keys(&self, publisher: &PublisherName) -> &[PublicKey] {
        self.publishers.get(publisher).map_or(&[], Vec::as_slice)
    }

    /// All publishers with their keys.
    pub fn publishers(&self) -> impl Iterator<Item = (&PublisherName, &[PublicKey])> {
        self.publishers.iter().map(|(name, keys)| (name, keys.as_slice()))
    }

    /// The key that a hint names among those that may sign for the publisher.
    #[must_use]
    pub fn find(&self, publisher: &PublisherName, hint: &str) -> Option<(&PublicKey, Trust)> {
        let pinned = self.keys(publisher).iter().find(|key| key.hint() == hint);
        let development = || self.development.as_ref().filter(|key| key.hint() == hint);
        pinned
            .map(|key| (key, Trust::Pinned))
            .or_else(|| development().map(|key| (key, Trust::Development)))
    }

    /// The publisher for whom the hinted key is pinned, if there is one.
    #[must_use]
    pub fn owner_of(&self, hint: &str) -> Option<&PublisherName> {
        let holds = |keys: &[PublicKey]| keys.iter().any(|key| key.hint() == hint);
        self.publishers.iter().find(|(_, keys)| holds(keys)).map(|(name, _)| name)
    }

    /// Reads `FOLDER/PUBLISHER/*.pub`. A missing folder is an empty store; a file that is not a
    /// key is an error, as leaving it out in silence would hide a mistake.
    ///
    /// # Errors
    /// When a folder cannot be read, is not named like a publisher, or holds no valid key file.
    pub fn load(folder: &Path) -> Result<Self, TrustError> {
        let mut store = Self::new();
        for entry in entries(folder, PUBLISHERS_MAX)? {
            if !entry.is_dir() {
                continue;
            }
            let name = entry.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            let publisher: PublisherName =
                name.parse().map_err(|_| TrustError::Name(entry.clone()))?;
            for file in entries(&entry, KEYS_PER_PUBLISHER_MAX)? {
                if file.extension().is_some_and(|extension| extension == "pub") {
                    store.pin(publisher.clone(), read_key(&file)?)?;
                }
            }
        }
        Ok(store)
    }
}

fn read_key(path: &Path) -> Result<PublicKey, TrustError> {
    let io = |source| TrustError::Io { path: path.to_path_buf(), source };
    let mut bytes = Vec::new();
    let file = fs::File::open(path).map_err(io)?;
    file.take(KEY_FILE_BYTES_MAX as u64 + 1).read_to_end(&mut bytes).map_err(io)?;
    PublicKey::from_pem(&bytes)
        .map_err(|source| TrustError::Key { path: path.to_path_buf(), source })
}

/// The entries of a folder in the order of their names.
fn entries(folder: &Path, max: usize) -> Result<Vec<PathBuf>, TrustError> {
    let io = |source| TrustError::Io { path: folder.to_path_buf(), source };
    let listing = match fs::read_dir(folder) {
        Ok(listing) => listing,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(io(error)),
    };
    let mut found = Vec::new();
    for entry in listing {
        if found.len() >= max {
            return Err(TrustError::TooMany { path: folder.to_path_buf(), max });
        }
        found.push(entry.map_err(io)?.path());
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests;
