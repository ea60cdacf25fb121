//! Reading the operator's policy folder. Its meaning is soma-policy's.
//!
//! Every `*.cedar` file counts; `limits.toml`, `peers.toml` and its `*.pem` anchors are read if they are there. A file that is
//! too large or not text is a fault like any other: nothing is taken over in part.

use std::path::Path;

use soma_policy::{Code, OperatorPolicy, PolicyError, PolicySources, PolicyText};

use super::{HomeError, Layout, file};
use crate::installations::FileProblem;

/// Largest file of a policy folder.
const FILE_BYTES_MAX: u64 = 256 * 1024;
/// Most files of a policy folder.
const FILES_MAX: usize = 256;

/// The operator's policy of a home.
pub fn load_policy(layout: &Layout) -> Result<OperatorPolicy, Vec<FileProblem>> {
    load_policy_folder(&layout.policy())
}

/// The policy in any folder, as a host would load it.
pub fn load_policy_folder(folder: &Path) -> Result<OperatorPolicy, Vec<FileProblem>> {
    let sources = read(folder).map_err(|problem| vec![problem])?;
    OperatorPolicy::load(&sources)
        .map_err(|faults| faults.iter().map(|fault| problem_of(folder, fault)).collect::<Vec<_>>())
}

fn read(folder: &Path) -> Result<PolicySources, FileProblem> {
    let failed = |error: HomeError| {
        let source =
            std::error::Error::source(&error).map(|s| format!(": {s}")).unwrap_or_default();
        FileProblem::new(Code::PolicySyntax, folder, format!("{error}{source}"))
    };
    if !folder.is_dir() {
        return Err(FileProblem::new(Code::FileNotFound, folder, "there is no such folder"));
    }
    let names = file::names_in(folder).map_err(failed)?;
    if names.len() > FILES_MAX {
        return Err(FileProblem::new(Code::PolicyTooLarge, folder, "more than 256 files"));
    }
    let mut sources = PolicySources::default();
    for name in names.iter().filter(|n| n.ends_with(".cedar") && !n.starts_with('.')) {
        let text = file::read_text(&folder.join(name), FILE_BYTES_MAX).map_err(failed)?;
        sources.policies.push(PolicyText { name: name.clone(), text });
    }
    for name in names.iter().filter(|n| n.ends_with(".pem") && !n.starts_with('.')) {
        let text = file::read_text(&folder.join(name), FILE_BYTES_MAX).map_err(failed)?;
        sources.anchors.insert(name.clone(), text);
    }
    let optional = |name: &str| file::read_text_if_there(&folder.join(name), FILE_BYTES_MAX);
    sources.limits = optional("limits.toml").map_err(failed)?;
    sources.peers = optional("peers.toml").map_err(failed)?;
    Ok(sources)
}

fn problem_of(folder: &Path, fault: &PolicyError) -> FileProblem {
    let path = folder.join(&fault.file);
    FileProblem { line: fault.line, ..FileProblem::new(fault.code, &path, fault.message.clone()) }
}

#[cfg(test)]
mod tests {
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
