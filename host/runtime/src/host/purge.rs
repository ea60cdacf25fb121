//! Removing what an installation kept, once it is installed no longer: key-value entries and files.
//!
//! Uninstalling alone keeps them: an installation that comes back under its id finds what it had. Never done
//! behind a running host's back: it asks whether anybody still runs, or the home's lock proves that no host does.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use cap_std::ambient_authority;
use cap_std::fs::Dir;
use soma_policy::{Code, InstallationKey};

use super::Host;
use crate::capability::files::Volumes;
use crate::capability::kv::KvStore;
use crate::home::{Home, HostLock};
use crate::running::{Cut, Running};

/// How long calls that were cut may take to end.
const PATIENCE: Duration = Duration::from_secs(5);

/// What was removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Purged {
    /// Key-value entries.
    pub kv_entries: u64,
    /// Whether there were files.
    pub files: bool,
}

/// Why nothing, or not all, was removed. Asking again goes on where it stopped.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PurgeError {
    /// It is installed.
    #[error("`{0}` is installed: uninstall it first")]
    Installed(InstallationKey),
    /// A call of it has not ended.
    #[error("a call of `{0}` has not ended yet")]
    Running(InstallationKey),
    /// A store failed.
    #[error("the {store} of `{installation}` could not be removed: {why}")]
    Store {
        /// Which.
        store: &'static str,
        /// Whose.
        installation: InstallationKey,
        /// What it said.
        why: String,
    },
}

impl PurgeError {
    /// Its code in the catalogue.
    #[must_use]
    pub const fn code(&self) -> Code {
        match self {
            Self::Installed(_) => Code::Exists,
            Self::Running(_) => Code::Busy,
            Self::Store { .. } => Code::HomeIo,
        }
    }
}

impl Host {
    /// Removes what an installation kept that is installed no longer. Calls that still run are cut.
    ///
    /// # Errors
    /// [`PurgeError`].
    pub async fn purge(self: &Arc<Self>, key: InstallationKey) -> Result<Purged, PurgeError> {
        self.must_be_uninstalled(&key)?;
        let concerned = |call: &Arc<Running>| call.installation.key() == &key;
        for call in self.calls.running().into_iter().filter(concerned) {
            call.cut(Cut::Withdrawn);
            self.components.engine().increment_epoch();
            let ended = tokio::time::timeout(PATIENCE, call.joined()).await;
            if ended.is_err() || call.still_draining() > 0 {
                return Err(PurgeError::Running(key));
            }
        }
        self.must_be_uninstalled(&key)?;
        let (backends, of) = (self.backends.clone(), key.clone());
        let work = move || remove(&backends.kv, &backends.volumes, &of);
        let removed = tokio::task::spawn_blocking(work).await;
        let purged = removed.map_err(|error| failed("data", &key)(error.to_string()))??;
        self.audit_purged(&key);
        Ok(purged)
    }

    fn must_be_uninstalled(&self, key: &InstallationKey) -> Result<(), PurgeError> {
        match self.snapshot().entry(key) {
            Some(_) => Err(PurgeError::Installed(key.clone())),
            None => Ok(()),
        }
    }
}

/// The same in a home that no host runs on, which the lock proves.
///
/// # Errors
/// [`PurgeError`].
pub fn purge_at_rest(
    home: &Home,
    _lock: &HostLock,
    key: &InstallationKey,
) -> Result<Purged, PurgeError> {
    if home.layout().installation(key).exists() {
        return Err(PurgeError::Installed(key.clone()));
    }
    let (kv_file, files) = (home.layout().kv(), home.layout().files());
    let mut purged = Purged { kv_entries: 0, files: false };
    // A store that never was is not made to be emptied.
    if kv_file.exists() {
        let kv = KvStore::open(&kv_file).map_err(|e| failed("key-value entries", key)(e))?;
        purged.kv_entries = kv.purge(key).map_err(|e| failed("key-value entries", key)(e))?;
    }
    if files.is_dir() {
        purged.files = volumes(&files)
            .and_then(|volumes| volumes.purge(key))
            .map_err(|e| failed("files", key)(e))?;
    }
    Ok(purged)
}

fn volumes(folder: &Path) -> std::io::Result<Volumes> {
    Ok(Volumes::new(Dir::open_ambient_dir(folder, ambient_authority())?))
}

fn remove(kv: &KvStore, files: &Volumes, key: &InstallationKey) -> Result<Purged, PurgeError> {
    let kv_entries = kv.purge(key).map_err(|e| failed("key-value entries", key)(e))?;
    let files = files.purge(key).map_err(|error| match error.kind() {
        std::io::ErrorKind::ResourceBusy => PurgeError::Running(key.clone()),
        _ => failed("files", key)(error),
    })?;
    Ok(Purged { kv_entries, files })
}

fn failed<E: std::fmt::Display>(
    store: &'static str,
    key: &InstallationKey,
) -> impl FnOnce(E) -> PurgeError {
    move |error| {
        let why = error.to_string();
        PurgeError::Store { store, installation: key.clone(), why }
    }
}
