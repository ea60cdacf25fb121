//! The operator's policy, by which installations are judged: the constitution that holds, or else the same folder
//! that a host reads, read the same way.
//!
//! The folder is looked at before each judgement and taken over when it changed. What cannot be taken over whole
//! leaves the one before in force, and is told. Where there is no folder the starter policy holds, as in a new
//! home. Beside a constitution only the folder's `peers.toml` counts.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;
use soma_capsule::constitution::Constitution;
use soma_capsule::policy_folder::{self, PolicyFolderError};
use soma_policy::{Digest, OperatorPolicy, PolicySources};

use crate::config::ConfigError;

/// A folder of policy, and what was last taken over from it.
#[derive(Debug)]
pub(crate) struct PolicyFolder {
    folder: PathBuf,
    taken: Mutex<Taken>,
}

#[derive(Debug)]
struct Taken {
    own: PolicySources,
    /// With its digest.
    constitution: Option<(Digest, Arc<Constitution>)>,
    policy: Arc<OperatorPolicy>,
}

impl PolicyFolder {
    /// Reads the folder for the first time.
    ///
    /// # Errors
    /// When it cannot be taken over.
    pub(crate) fn open(folder: &Path) -> Result<Self, ConfigError> {
        let own = read(folder)?;
        let policy = load(folder, &own, None)?;
        let taken = Mutex::new(Taken { own, constitution: None, policy });
        Ok(Self { folder: folder.to_owned(), taken })
    }

    /// The policy that was taken over last.
    pub(crate) fn last(&self) -> Arc<OperatorPolicy> {
        Arc::clone(&self.taken.lock().policy)
    }

    /// The digest of the constitution that holds; none while the folder does.
    pub(crate) fn constitution(&self) -> Option<Digest> {
        self.taken.lock().constitution.as_ref().map(|(digest, _)| *digest)
    }

    /// From now on this constitution holds. It takes time: not for a thread that serves requests.
    pub(crate) fn follow(&self, constitution: Arc<Constitution>) {
        let mut taken = self.taken.lock();
        match load(&self.folder, &taken.own, Some(&constitution)) {
            Ok(policy) => {
                let digest = constitution.digest();
                (taken.constitution, taken.policy) = (Some((digest, constitution)), policy);
            }
            Err(error) => {
                tracing::error!(%error, "the constitution was not taken over; what held before goes on");
            }
        }
    }

    /// The policy that holds now. It reads files: not for a thread that serves requests.
    pub(crate) fn now(&self) -> Arc<OperatorPolicy> {
        let mut taken = self.taken.lock();
        let fresh = read(&self.folder).and_then(|own| {
            if own == taken.own {
                return Ok(None);
            }
            let constitution = taken.constitution.as_ref().map(|(_, it)| &**it);
            let policy = load(&self.folder, &own, constitution)?;
            Ok(Some((own, policy)))
        });
        match fresh {
            Ok(Some((own, policy))) => (taken.own, taken.policy) = (own, policy),
            Ok(None) => {}
            Err(error) => {
                tracing::error!(%error, "the operator's policy was not taken over; the one before holds");
            }
        }
        Arc::clone(&taken.policy)
    }
}

fn load(
    folder: &Path,
    own: &PolicySources,
    constitution: Option<&Constitution>,
) -> Result<Arc<OperatorPolicy>, ConfigError> {
    let over = constitution.map(|it| it.over(own));
    let loaded = OperatorPolicy::load(over.as_ref().unwrap_or(own));
    loaded.map(Arc::new).map_err(|faults| {
        let said: Vec<String> = faults.iter().map(ToString::to_string).collect();
        ConfigError::new(folder.display().to_string(), said.join("; "))
    })
}

fn read(folder: &Path) -> Result<PolicySources, ConfigError> {
    match policy_folder::read(folder) {
        Err(PolicyFolderError::Missing(_)) => Ok(PolicySources::starter()),
        read => read.map_err(|error| {
            ConfigError::new(error.path().display().to_string(), error.to_string())
        }),
    }
}

#[cfg(test)]
mod tests {
    use soma_policy::Timestamp;

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

    #[test]
    fn a_constitution_takes_the_place_of_the_folders_policies_for_good() {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join("policy");
        let policy = PolicyFolder::open(&folder).unwrap();
        let mut sources = PolicySources::starter();
        sources.limits = Some("cpu = \"3 s\"\n".to_owned());
        let document = Constitution::of(&sources, String::new(), "d", None, Timestamp(1));
        policy.follow(Arc::new(document.clone()));
        assert_eq!(policy.constitution(), Some(document.digest()));
        assert_eq!(policy.last().ceiling().cpu.0, 3000);
        std::fs::create_dir(&folder).unwrap();
        std::fs::write(folder.join("a.cedar"), soma_policy::STARTER_POLICY).unwrap();
        std::fs::write(folder.join("limits.toml"), "cpu = \"9 s\"\n").unwrap();
        assert_eq!(policy.now().ceiling().cpu.0, 3000);
        // One by which nobody could judge leaves the one before in force.
        let mut bad = document.clone();
        bad.policies.clear();
        policy.follow(Arc::new(bad));
        assert_eq!(policy.constitution(), Some(document.digest()));
    }
}
