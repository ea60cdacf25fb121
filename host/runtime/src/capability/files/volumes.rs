//! All volumes of the host: found by installation and capability, opened once, shared by every call.
//!
//! A volume lies at `ORG/ENV/INSTALLATION/N` below the host's files folder. There is at most one ledger of it in the
//! process: whoever comes first scans, the others wait for that. Volumes that no call uses are let go when there are
//! many, and counted again when they are next needed. Nothing here deletes what a tenant stored, but `purge`, which is asked for by name.

mod purge;

use super::fault::Fault;
use super::lane::{Lane, Stop, Tenant};
use super::open::Node;
use super::quota::Quota;
use super::slots::Slots;
use super::view::FilesState;
use super::volume::{INODES_MAX, Mount, Volume};
use super::walk::open_dir;
use crate::capability::tenant::PerTenant;
use crate::gate::Gate;
use crate::running::Cut;
use cap_std::fs::Dir;
use parking_lot::Mutex;
use rustix::fs::{Mode, fstat, mkdirat};
use rustix::io::Errno;
use soma_policy::{CapabilityName, FilesRight, InstallationKey, OrgId};
use std::collections::HashMap;
use std::sync::Arc;
use tokio::sync::OnceCell;

/// Volumes kept open while nobody uses them.
const IDLE_MAX: usize = 512;

/// Why a call does not get its files.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FilesError {
    /// The call ended before it had them.
    #[error(transparent)]
    Cut(#[from] Cut),
    /// The folder of the capability cannot be opened or counted.
    #[error("the volume of `files.{name}` cannot be used: {fault}")]
    Volume {
        /// The name of the capability.
        name: String,
        /// What is wrong, in words.
        fault: String,
    },
    /// An operation of the host failed under it.
    #[error("the host failed to open the volumes")]
    Host,
}

type Key = (InstallationKey, CapabilityName);
type Shared = Arc<OnceCell<Arc<Volume>>>;

/// The volumes and tenants of one host.
pub(crate) struct Volumes {
    folder: Arc<Dir>,
    open: Mutex<HashMap<Key, Shared>>,
    tenants: PerTenant<Tenant>,
    slots: Arc<Slots>,
    idle_max: usize,
}

impl Volumes {
    /// Over the folder in which all volumes lie.
    pub(crate) fn new(folder: Dir) -> Self {
        Self::keeping(folder, IDLE_MAX)
    }

    /// The same, looking for idle volumes from `idle_max` open ones on.
    pub(super) fn keeping(folder: Dir, idle_max: usize) -> Self {
        Self {
            idle_max,
            folder: Arc::new(folder),
            open: Mutex::default(),
            tenants: PerTenant::default(),
            slots: Slots::host(),
        }
    }

    /// What the files capabilities of a call come to; inert if it has none.
    pub(crate) async fn prepare(&self, gate: &Gate) -> Result<FilesState, FilesError> {
        let installation = Arc::clone(&gate.running().installation);
        let rights = installation.rights().files();
        if rights.is_empty() {
            return Ok(FilesState::inert());
        }
        let key = installation.key();
        let tenant = self.tenant(&key.org);
        let mut roots = Vec::with_capacity(rights.len());
        for right in rights {
            let volume = self.volume(key, right, gate, &tenant).await?;
            let mount = Arc::new(mount(right, volume));
            let of = Arc::clone(&mount);
            let root = tenant
                .block(gate.running(), move || Node::root(&of))
                .await
                .and_then(|root| Ok(root?));
            roots.push(root.map_err(|stop| failed(right, &stop))?);
        }
        let lane = Lane::new(gate.clone(), tenant);
        Ok(FilesState::granted(lane, roots))
    }

    async fn volume(
        &self,
        key: &InstallationKey,
        right: &FilesRight,
        gate: &Gate,
        tenant: &Arc<Tenant>,
    ) -> Result<Arc<Volume>, FilesError> {
        let shared = self.shared((key.clone(), right.name().clone()));
        let opened = shared
            .get_or_try_init(|| async {
                let (folder, key, name) =
                    (Arc::clone(&self.folder), key.clone(), right.name().clone());
                tenant
                    .block(gate.running(), move || Ok(Arc::new(open(&folder, &key, &name)?)))
                    .await
                    .and_then(|volume: Result<_, Fault>| Ok(volume?))
            })
            .await;
        opened.cloned().map_err(|stop| failed(right, &stop))
    }

    fn shared(&self, key: Key) -> Shared {
        let mut open = self.open.lock();
        if open.len() >= self.idle_max && !open.contains_key(&key) {
            open.retain(|_, shared| in_use(shared));
        }
        Arc::clone(open.entry(key).or_default())
    }

    #[cfg(test)]
    pub(super) fn open_count(&self) -> usize {
        self.open.lock().len()
    }

    fn tenant(&self, org: &OrgId) -> Arc<Tenant> {
        self.tenants.get(org, || Tenant::new(&self.slots))
    }
}

/// Whether somebody opens or holds the volume. Asked under the map's lock, so that nobody can begin to.
fn in_use(shared: &Shared) -> bool {
    let held = |volume: &Arc<Volume>| Arc::strong_count(volume) > 1;
    Arc::strong_count(shared) > 1 || shared.get().is_some_and(held)
}

/// The narrower of what is declared and granted.
fn mount(right: &FilesRight, volume: Arc<Volume>) -> Mount {
    let access = right.access();
    Mount {
        name: right.name().clone(),
        path: right.mount().to_string(),
        readable: access.reads(),
        writable: access.writes(),
        quota: Quota { bytes: right.quota().0, inodes: u64::from(right.inodes()).min(INODES_MAX) },
        volume,
    }
}

/// Finds or makes the folder, one name at a time, and counts what is in it. Blocks.
fn open(folder: &Dir, key: &InstallationKey, name: &CapabilityName) -> Result<Volume, Fault> {
    let device = fstat(folder)?.st_dev;
    let names = [key.org.as_str(), key.environment.as_str(), key.id.as_str(), name.as_str()];
    let mut here = open_dir(folder, ".", device)?;
    for name in names {
        match mkdirat(&here, name, Mode::RWXU) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(errno) => return Err(errno.into()),
        }
        here = open_dir(&here, name, device)?;
    }
    Volume::open(here)
}

fn failed(right: &FilesRight, stop: &Stop) -> FilesError {
    match stop {
        Stop::Cut(cut) => FilesError::Cut(*cut),
        Stop::Fault(fault) => {
            FilesError::Volume { name: right.name().to_string(), fault: fault.to_string() }
        }
        Stop::Denied(_) | Stop::Lost => FilesError::Host,
    }
}
