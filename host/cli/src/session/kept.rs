//! Sessions on disk: a file of 0600 in a folder of 0700, written whole.

use std::fs::File;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use soma_host::home::{make_folder, read_bounded, write_private};
use soma_policy::{Code, OrgId, Timestamp};

use crate::failure::Failure;

const FILE_BYTES_MAX: u64 = 1024 * 1024;
/// Sessions that are kept; older ones go.
const SESSIONS_MAX: usize = 64;

/// One session.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Kept {
    /// The server's address.
    pub(crate) server: String,
    /// The org that the token names.
    pub(crate) org: OrgId,
    /// The token.
    pub(crate) token: String,
    /// Good once, for the next token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) refresh: Option<String>,
    /// When the token ends.
    pub(crate) ends: Timestamp,
}

impl std::fmt::Debug for Kept {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Kept({} at {})", self.org, self.server)
    }
}

#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Sessions {
    sessions: Vec<Kept>,
}

/// A file of sessions.
#[derive(Debug)]
pub(crate) struct Store {
    path: PathBuf,
}

/// Held while a session is renewed: its refresh code is good once.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
}

impl Store {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self { path }
    }

    /// Waits for other commands that renew a session of this file.
    pub(crate) fn lock(&self) -> Result<Lock, Failure> {
        self.folder()?;
        let path = self.path.with_extension("lock");
        let failed = |e: std::io::Error| {
            Failure::new(Code::HomeIo, format!("cannot lock {}: {e}", path.display()))
        };
        let file = File::options().create(true).append(true).open(&path).map_err(failed)?;
        file.lock().map_err(failed)?;
        Ok(Lock { _file: file })
    }

    pub(crate) fn find(&self, server: &str, org: &OrgId) -> Result<Option<Kept>, Failure> {
        Ok(self.load()?.sessions.into_iter().find(|it| it.server == server && it.org == *org))
    }

    /// Keeps a session in the place of an earlier one for the same server and org.
    pub(crate) fn put(&self, kept: &Kept) -> Result<(), Failure> {
        let mut all = self.load()?;
        all.sessions.retain(|it| it.server != kept.server || it.org != kept.org);
        all.sessions.insert(0, kept.clone());
        all.sessions.truncate(SESSIONS_MAX);
        self.save(&all)
    }

    pub(crate) fn forget(&self, server: &str, org: &OrgId) -> Result<(), Failure> {
        let mut all = self.load()?;
        all.sessions.retain(|it| it.server != server || it.org != *org);
        self.save(&all)
    }

    fn load(&self) -> Result<Sessions, Failure> {
        if !self.path.exists() {
            return Ok(Sessions::default());
        }
        let bytes = read_bounded(&self.path, FILE_BYTES_MAX)?;
        serde_json::from_slice(&bytes).map_err(|e| {
            Failure::new(Code::ConfigurationBad, format!("`{}`: {e}", self.path.display()))
                .fix(format!("remove {} and log in again", self.path.display()))
        })
    }

    fn save(&self, all: &Sessions) -> Result<(), Failure> {
        self.folder()?;
        let text = serde_json::to_vec(all)
            .map_err(|e| Failure::new(Code::HomeIo, format!("no sessions: {e}")))?;
        Ok(write_private(&self.path, &text)?)
    }

    fn folder(&self) -> Result<(), Failure> {
        match self.path.parent() {
            Some(folder) => Ok(make_folder(folder)?),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn kept(server: &str, org: &str, token: &str) -> Kept {
        let (server, token) = (server.to_owned(), token.to_owned());
        Kept { server, org: org.parse().unwrap(), token, refresh: None, ends: Timestamp(1) }
    }

    #[test]
    fn a_session_is_found_by_server_and_org_and_nobody_else_reads_it() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::new(folder.path().join("deep/sessions.json"));
        store.put(&kept("http://a", "local", "1")).unwrap();
        store.put(&kept("http://b", "local", "2")).unwrap();
        store.put(&kept("http://a", "local", "3")).unwrap();
        let org = "local".parse().unwrap();
        assert_eq!(store.find("http://a", &org).unwrap().unwrap().token, "3");
        assert_eq!(store.find("http://b", &org).unwrap().unwrap().token, "2");
        assert_eq!(store.find("http://a", &"acme".parse().unwrap()).unwrap(), None);
        let mode = std::fs::metadata(&store.path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        store.forget("http://a", &org).unwrap();
        assert_eq!(store.find("http://a", &org).unwrap(), None);
        assert!(!format!("{:?}", kept("http://a", "x", "geheim")).contains("geheim"));
    }

    #[test]
    fn a_broken_file_says_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::new(folder.path().join("sessions.json"));
        std::fs::write(&store.path, "{").unwrap();
        let said = store.find("x", &"local".parse().unwrap()).unwrap_err();
        assert_eq!(said.exit(), 2);
    }
}
