//! A home: the folder in which one host keeps its keys, trust, policy, installations, secrets and state.
//!
//! A home is either finished (`home.toml` is there, written last) or it is not used. Every file is
//! written whole and moved into place, folders are 0700, files 0600. One running host holds a home at
//! a time; short edits by the command line take a lock of their own.
//!
//! It deliberately does not decide anything: policy is judged in `soma-policy`, signatures in
//! `soma-capsule`. It reads no clock and no environment.

mod configuration;
mod create;
mod error;
mod file;
mod keys;
mod law;
mod layout;
mod lock;
mod operators;
mod orgs;
mod seal;
mod secrets;
mod server;
mod settings;
mod sources;
mod stamp;
mod starter;
mod store;
mod unseal;
mod verified;

pub use configuration::Configuration;
pub(crate) use configuration::FeedEdit;
pub use create::{Birth, Born};
pub use error::HomeError;
pub(crate) use file::read_if_there;
pub use file::{make_folder, names_in, read_bounded, remove, write_private};
pub use keys::{HostKeys, MacKey, SigningKey};
pub(crate) use law::Law;
pub use layout::Layout;
pub use lock::{EditLock, HostLock};
pub use operators::{
    OPERATOR_KEY, OperatorEntry, OperatorFile, OperatorsOnDisk, ROOT_KEY, encoded,
};
pub use orgs::{Org, Orgs};
pub use seal::SealingKey;
pub use secrets::{SecretScope, SecretStore, SecretValue};
pub use server::Server;
pub(crate) use server::{key as spki_key, origin};
pub use settings::{Apps, JournalSettings, Settings};
pub use sources::load_policy_folder;
pub(crate) use sources::{load_policy, read_policy_folder};
pub use store::ComponentStore;
pub use unseal::UnsealingKey;
pub use verified::{PackageError, VerifiedStore};

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use soma_capsule::key::PublicKey;
use soma_policy::{HostId, OperatorPolicy, Timestamp};

use crate::installations::FileProblem;
use crate::kill::Trusted;

/// What `home.toml` says: who this host is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Identity {
    /// Version of the layout of this home.
    pub schema: u32,
    /// Name of the host: the audience of its tokens, the owner of its journal.
    pub host: HostId,
    /// When the home was made.
    pub created: Timestamp,
}

/// The layout that this program writes and reads.
pub const SCHEMA: u32 = 1;

/// A finished home on disk.
#[derive(Debug, Clone)]
pub struct Home {
    layout: Layout,
    identity: Identity,
}

impl Home {
    /// Opens a finished home; says how to make one when there is none.
    pub fn open(root: &Path) -> Result<Self, HomeError> {
        let layout = Layout::new(root);
        if !layout.root().is_dir() {
            return Err(HomeError::Missing { path: layout.root().to_owned() });
        }
        let identity = read_identity(&layout)?;
        for folder in layout.private_folders() {
            file::refuse_shared(&folder)?;
        }
        Ok(Self { layout, identity })
    }

    /// Opens the home, or makes it (or finishes a half-made one) first.
    pub fn open_or_create(root: &Path, birth: &Birth<'_>) -> Result<(Self, Born), HomeError> {
        match Self::open(root) {
            Ok(home) => Ok((home, Born::default())),
            Err(HomeError::Missing { .. } | HomeError::Unfinished { .. }) => {
                let born = create::create(&Layout::new(root), birth)?;
                Ok((Self::open(root)?, born))
            }
            Err(other) => Err(other),
        }
    }

    /// Where things lie in it.
    #[must_use]
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Who this host is.
    #[must_use]
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// The host's own keys; refused if others can read them.
    pub fn keys(&self) -> Result<HostKeys, HomeError> {
        HostKeys::load(&self.layout)
    }

    /// The server that this home belongs to; none if it is run from its files.
    ///
    /// # Errors
    /// When `trust/server.toml` is there and not right.
    pub fn server(&self) -> Result<Option<Server>, HomeError> {
        Server::load(&self.layout)
    }

    /// The key that a server seals secrets to; made when it is first asked for.
    ///
    /// # Errors
    /// When others can read it, or it cannot be made.
    pub fn unsealing_key(&self) -> Result<UnsealingKey, HomeError> {
        UnsealingKey::ensure(&self.layout.unsealing_key())
    }

    /// What this home judges by: the constitution that its server brought, or its own folder.
    ///
    /// # Errors
    /// Everything that is wrong with the files.
    pub fn policy(&self) -> Result<OperatorPolicy, Vec<FileProblem>> {
        let law = Law::open(&self.layout, None);
        let law = law.map_err(|error| {
            vec![FileProblem::new(error.code(), &self.layout.constitution(), error.to_string())]
        });
        law?.policy()
    }

    /// Who may sign kill orders, by the list that the root signed.
    pub fn operators(&self) -> Result<Trusted, HomeError> {
        let path = self.layout.operators();
        let malformed =
            |e: soma_policy::OperatorsError| HomeError::Malformed { path, what: e.to_string() };
        OperatorFile::load(&self.layout)?.trusted().map_err(malformed)
    }

    /// The root's public key, to which operators and epochs of the feed are bound.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn root(&self) -> Result<PublicKey, HomeError> {
        operators::root_of(&self.layout)
    }

    /// The sealed secrets of this home.
    pub fn secrets(&self) -> Result<SecretStore, HomeError> {
        let key = SealingKey::load(&self.layout.sealing_key())?;
        Ok(SecretStore::new(self.layout.secrets(), key))
    }

    /// The components kept by digest.
    #[must_use]
    pub fn store(&self) -> ComponentStore {
        ComponentStore::new(self.layout.store())
    }

    /// Makes this process the host of the home, until the lock is dropped.
    pub fn lock_host(&self) -> Result<HostLock, HomeError> {
        HostLock::take(&self.layout)
    }

    /// Lets this process edit files of the home, until the lock is dropped.
    pub fn lock_edit(&self) -> Result<EditLock, HomeError> {
        EditLock::take(&self.layout)
    }
}

fn read_identity(layout: &Layout) -> Result<Identity, HomeError> {
    let path = layout.identity();
    let Some(text) = file::read_text_if_there(&path, 4 * 1024)? else {
        return Err(HomeError::Unfinished { path: layout.root().to_owned() });
    };
    let identity: Identity = toml::from_str(&text)
        .map_err(|e| HomeError::Malformed { path: path.clone(), what: e.message().to_owned() })?;
    if identity.schema != SCHEMA {
        return Err(HomeError::Schema { path, found: identity.schema, known: SCHEMA });
    }
    Ok(identity)
}

/// The folder that holds `path`, or `.` for a bare name.
pub(crate) fn folder_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}
