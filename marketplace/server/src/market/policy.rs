//! The operator's policy, by which installations are judged: the same folder that a host reads, read the same way.
//!
//! It is looked at before each judgement and taken over when it changed. What cannot be taken over whole leaves
//! the one before in force, and is told. Where there is no folder the starter policy holds, as in a new home.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;
use soma_policy::{OperatorPolicy, PolicySources, PolicyText};

use crate::config::ConfigError;

const FILE_BYTES_MAX: u64 = 256 * 1024;
const FILES_MAX: usize = 256;

/// A folder of policy, and what was last taken over from it.
#[derive(Debug)]
pub(crate) struct PolicyFolder {
    folder: PathBuf,
    taken: Mutex<(PolicySources, Arc<OperatorPolicy>)>,
}

impl PolicyFolder {
    /// Reads the folder for the first time.
    ///
    /// # Errors
    /// When it cannot be taken over.
    pub(crate) fn open(folder: &Path) -> Result<Self, ConfigError> {
        let sources = read(folder)?;
        let policy = Arc::new(load(folder, &sources)?);
        Ok(Self { folder: folder.to_owned(), taken: Mutex::new((sources, policy)) })
    }

    /// The policy that was taken over last.
    pub(crate) fn last(&self) -> Arc<OperatorPolicy> {
        Arc::clone(&self.taken.lock().1)
    }

    /// The policy that holds now. It reads files: not for a thread that serves requests.
    pub(crate) fn now(&self) -> Arc<OperatorPolicy> {
        let mut taken = self.taken.lock();
        let fresh = read(&self.folder).and_then(|sources| {
            if sources == taken.0 {
                return Ok(None);
            }
            let policy = load(&self.folder, &sources)?;
            Ok(Some((sources, Arc::new(policy))))
        });
        match fresh {
            Ok(Some(fresh)) => *taken = fresh,
            Ok(None) => {}
            Err(error) => {
                tracing::error!(%error, "the operator's policy was not taken over; the one before holds");
            }
        }
        Arc::clone(&taken.1)
    }
}

fn load(folder: &Path, sources: &PolicySources) -> Result<OperatorPolicy, ConfigError> {
    OperatorPolicy::load(sources).map_err(|faults| {
        let said: Vec<String> = faults.iter().map(ToString::to_string).collect();
        ConfigError::new(folder.display().to_string(), said.join("; "))
    })
}

fn read(folder: &Path) -> Result<PolicySources, ConfigError> {
    let bad = |what: String| ConfigError::new(folder.display().to_string(), what);
    let listed = match std::fs::read_dir(folder) {
        Ok(listed) => listed,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Ok(PolicySources::starter());
        }
        Err(error) => return Err(bad(error.to_string())),
    };
    let mut names = Vec::new();
    for entry in listed {
        let entry = entry.map_err(|error| bad(error.to_string()))?;
        names.extend(entry.file_name().into_string().ok().filter(|name| !name.starts_with('.')));
        if names.len() > FILES_MAX {
            return Err(bad("more than 256 files".to_owned()));
        }
    }
    names.sort();
    let mut sources = PolicySources::default();
    for name in names {
        let end = Path::new(&name).extension().and_then(|end| end.to_str()).unwrap_or_default();
        match (end, name.as_str()) {
            ("cedar", _) => {
                let text = text(&folder.join(&name))?;
                sources.policies.push(PolicyText { name, text });
            }
            ("pem", _) => {
                let text = text(&folder.join(&name))?;
                sources.anchors.insert(name, text);
            }
            (_, "limits.toml") => sources.limits = Some(text(&folder.join(&name))?),
            (_, "peers.toml") => sources.peers = Some(text(&folder.join(&name))?),
            _ => {}
        }
    }
    Ok(sources)
}

fn text(path: &Path) -> Result<String, ConfigError> {
    let bad = |what: String| ConfigError::new(path.display().to_string(), what);
    let size = std::fs::metadata(path).map_err(|error| bad(error.to_string()))?.len();
    if size > FILE_BYTES_MAX {
        return Err(bad("it has more than 256 KiB".to_owned()));
    }
    std::fs::read_to_string(path).map_err(|error| bad(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_folder_is_taken_over_and_a_broken_one_is_not() {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join("policy");
        let policy = PolicyFolder::open(&folder).unwrap();
        let starter = policy.now().hash();
        std::fs::create_dir(&folder).unwrap();
        std::fs::write(folder.join("a.cedar"), soma_policy::STARTER_POLICY).unwrap();
        let own = policy.now().hash();
        assert_ne!(own, starter);
        std::fs::write(folder.join("a.cedar"), "permit (").unwrap();
        assert_eq!(policy.now().hash(), own);
        assert!(PolicyFolder::open(&folder).is_err());
    }
}
