//! Where installation files lie, and whose they are by their place alone.

use std::path::{Path, PathBuf};

use soma_policy::{Code, InstallationKey};

use super::{FileProblem, INSTALLATIONS_MAX};
use crate::home::{HomeError, names_in};

/// Installation files directly in a folder, sorted. Hidden files and other endings are not ours.
pub fn files_in(folder: &Path) -> Result<Vec<PathBuf>, HomeError> {
    let names = names_in(folder)?;
    let ours = |name: &String| name.ends_with(".toml") && !name.starts_with('.');
    Ok(names.into_iter().filter(ours).map(|name| folder.join(name)).collect())
}

/// All installation files under a root, with the key that their place gives them.
pub fn all_files(root: &Path) -> Result<Found, HomeError> {
    let mut found = Found::default();
    for tenant in folders_in(root)? {
        for environment in folders_in(&root.join(&tenant))? {
            let folder = root.join(&tenant).join(&environment);
            for path in files_in(&folder)? {
                found.add(&tenant, &environment, path);
            }
        }
    }
    Ok(found)
}

/// Files by key, and those that have none.
#[derive(Debug, Default)]
pub struct Found {
    /// Each file with the key that its place gives it.
    pub files: Vec<(InstallationKey, PathBuf)>,
    /// What lies where no installation can be.
    pub misplaced: Vec<FileProblem>,
}

impl Found {
    fn add(&mut self, tenant: &str, environment: &str, path: PathBuf) {
        if self.files.len() >= INSTALLATIONS_MAX {
            let what = format!("more than {INSTALLATIONS_MAX} installations");
            self.misplaced.push(FileProblem::new(Code::InstallationCount, &path, what));
            return;
        }
        let id = path.file_stem().map(|s| s.to_string_lossy().into_owned()).unwrap_or_default();
        match format!("{tenant}/{environment}/{id}").parse() {
            Ok(key) => self.files.push((key, path)),
            Err(e) => {
                let e: soma_policy::IdError = e;
                self.misplaced.push(FileProblem::new(
                    Code::InstallationPlace,
                    &path,
                    e.to_string(),
                ));
            }
        }
    }
}

fn folders_in(root: &Path) -> Result<Vec<String>, HomeError> {
    let names = names_in(root)?;
    Ok(names.into_iter().filter(|n| !n.starts_with('.') && root.join(n).is_dir()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_known_by_its_place_and_others_are_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("local/production");
        std::fs::create_dir_all(&place).unwrap();
        for name in ["issues.toml", ".issues.toml.7.new", "notes.md", "Bad Name.toml"] {
            std::fs::write(place.join(name), "").unwrap();
        }
        let found = all_files(folder.path()).unwrap();
        let keys: Vec<String> = found.files.iter().map(|(key, _)| key.to_string()).collect();
        assert_eq!(keys, ["local/production/issues"]);
        assert_eq!(found.misplaced.len(), 1, "{:?}", found.misplaced);
    }
}
