//! The operator's policy folder of a home. How it is read is soma-capsule's, what it means soma-policy's.

use std::path::Path;

use soma_capsule::policy_folder::{self, PolicyFolderError};
use soma_policy::{OperatorPolicy, PolicyError, PolicySources};

use crate::installations::FileProblem;

/// The policy in any folder, as a host would load it.
pub fn load_policy_folder(folder: &Path) -> Result<OperatorPolicy, Vec<FileProblem>> {
    load_policy(folder, &read_policy_folder(folder)?)
}

/// The texts of a policy folder.
pub(crate) fn read_policy_folder(folder: &Path) -> Result<PolicySources, Vec<FileProblem>> {
    policy_folder::read(folder).map_err(|error: PolicyFolderError| {
        vec![FileProblem::new(error.code(), error.path(), error.to_string())]
    })
}

/// Loads texts that stand in a folder, or in the place of its own.
pub(crate) fn load_policy(
    folder: &Path,
    sources: &PolicySources,
) -> Result<OperatorPolicy, Vec<FileProblem>> {
    OperatorPolicy::load(sources)
        .map_err(|faults| faults.iter().map(|fault| problem_of(folder, fault)).collect())
}

fn problem_of(folder: &Path, fault: &PolicyError) -> FileProblem {
    let path = folder.join(&fault.file);
    FileProblem { line: fault.line, ..FileProblem::new(fault.code, &path, fault.message.clone()) }
}

#[cfg(test)]
mod tests {
    use soma_policy::Code;

    use super::*;
    use crate::home::starter;

    fn starter_folder() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in starter::FILES {
            std::fs::write(folder.path().join(name), text).unwrap();
        }
        folder
    }

    #[test]
    fn the_starter_policy_loads_and_every_file_is_in_its_hash() {
        let folder = starter_folder();
        let first = load_policy_folder(folder.path()).unwrap().hash();
        assert_eq!(load_policy_folder(folder.path()).unwrap().hash(), first);
        let limits = folder.path().join("limits.toml");
        std::fs::write(&limits, "cpu = \"1 s\"\n").unwrap();
        assert_ne!(load_policy_folder(folder.path()).unwrap().hash(), first);
    }

    #[test]
    fn faults_name_their_file() {
        let folder = starter_folder();
        std::fs::write(folder.path().join("bad.cedar"), "permit (").unwrap();
        let faults = load_policy_folder(folder.path()).unwrap_err();
        assert!(faults.iter().any(|f| f.path.ends_with("bad.cedar")), "{faults:?}");
        std::fs::remove_file(folder.path().join("bad.cedar")).unwrap();
        std::fs::write(folder.path().join("peers.toml"), "[[pear]]\n").unwrap();
        let faults = load_policy_folder(folder.path()).unwrap_err();
        assert!(faults[0].what.contains("did you mean \"peer\"?"), "{faults:?}");
        let missing = load_policy_folder(&folder.path().join("none")).unwrap_err();
        assert_eq!(missing[0].code, Code::FileNotFound);
    }
}
