//! Removing all volumes of one installation.

use std::io;
use std::path::Path;

use soma_policy::InstallationKey;

use super::{Volumes, in_use};

impl Volumes {
    /// Removes every volume of an installation, if no call uses one; whether there were any. Blocks.
    pub(crate) fn purge(&self, key: &InstallationKey) -> io::Result<bool> {
        let mut open = self.open.lock();
        if open.iter().any(|((of, _), shared)| of == key && in_use(shared)) {
            return Err(io::Error::from(io::ErrorKind::ResourceBusy));
        }
        open.retain(|(of, _), _| of != key);
        // Under the map's lock, so that nobody opens anew what is going.
        let path = Path::new(key.org.as_str()).join(key.environment.as_str()).join(key.id.as_str());
        match self.folder.remove_dir_all(path) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use cap_std::ambient_authority;
    use cap_std::fs::Dir;

    use super::*;

    #[test]
    fn an_installation_s_folders_go_and_those_of_its_neighbours_stay() {
        let folder = tempfile::tempdir().unwrap();
        for path in [
            "local/production/notes/docs/a",
            "local/production/notes2/docs",
            "local/staging/notes/docs",
        ] {
            std::fs::create_dir_all(folder.path().join(path)).unwrap();
        }
        std::os::unix::fs::symlink("/etc", folder.path().join("local/production/notes/out"))
            .unwrap();
        let volumes =
            Volumes::new(Dir::open_ambient_dir(folder.path(), ambient_authority()).unwrap());
        let key: InstallationKey = "local/production/notes".parse().unwrap();
        assert!(volumes.purge(&key).unwrap());
        assert!(!volumes.purge(&key).unwrap());
        assert!(!folder.path().join("local/production/notes").exists());
        assert!(folder.path().join("local/production/notes2/docs").is_dir());
        assert!(folder.path().join("local/staging/notes/docs").is_dir());
        assert!(Path::new("/etc").is_dir());
    }
}
