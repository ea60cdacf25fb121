//! What is installed at one moment: immutable, shared, swapped whole.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use soma_policy::{Installation, InstallationKey, OperatorPolicy};

use super::FileProblem;

/// All installations of a home together with the policy that they were compiled under.
#[derive(Debug)]
pub struct Snapshot {
    /// Which load of the home this is: the feed position of a host without a server.
    pub load: u64,
    /// The operator's policy.
    pub policy: Arc<OperatorPolicy>,
    /// What is wrong beside single installations: a bad policy edit, misplaced files.
    pub problems: Vec<FileProblem>,
    pub(crate) entries: HashMap<InstallationKey, Arc<Entry>>,
}

/// One installation and how it stands with its file.
#[derive(Debug)]
pub struct Entry {
    /// Whose it is.
    pub key: InstallationKey,
    /// Its file.
    pub path: PathBuf,
    /// What runs; `None` if it never was right.
    pub running: Option<Arc<Installation>>,
    /// What is wrong with the file now; the revision in `running` is then older than the file.
    pub problems: Vec<FileProblem>,
}

/// How an installation stands, in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// The file is right and runs.
    Active,
    /// The file is wrong; the revision before it still runs.
    KeptBack,
    /// The file is wrong and nothing runs.
    Invalid,
}

impl State {
    /// As lists show it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::KeptBack => "kept-back",
            Self::Invalid => "invalid",
        }
    }
}

impl Entry {
    /// How it stands.
    #[must_use]
    pub fn state(&self) -> State {
        match (&self.running, self.problems.is_empty()) {
            (Some(_), true) => State::Active,
            (Some(_), false) => State::KeptBack,
            (None, _) => State::Invalid,
        }
    }
}

impl Snapshot {
    /// The installation that a key names, if it runs.
    #[must_use]
    pub fn running(&self, key: &InstallationKey) -> Option<&Arc<Installation>> {
        self.entries.get(key)?.running.as_ref()
    }

    /// The entry of a key, running or not.
    #[must_use]
    pub fn entry(&self, key: &InstallationKey) -> Option<&Arc<Entry>> {
        self.entries.get(key)
    }

    /// All entries, in no order.
    pub fn entries(&self) -> impl Iterator<Item = &Arc<Entry>> {
        self.entries.values()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

/// What a reload changed: running calls of these are judged again.
#[derive(Debug, Clone)]
pub enum Change {
    /// New.
    Installed(Arc<Installation>),
    /// Another revision runs now.
    Replaced {
        /// The one before.
        old: Arc<Installation>,
        /// The one that runs now.
        new: Arc<Installation>,
    },
    /// The file is gone.
    Uninstalled(Arc<Installation>),
    /// A bad edit: what ran goes on.
    KeptBack(InstallationKey),
}
