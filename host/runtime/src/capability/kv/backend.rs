//! The key-value store as calls use it: each operation with a permit, in the turn of its tenant, charged to its call.
//!
//! redb blocks; so its work runs beside the guests' threads, a few of each tenant at a time. A kill drops the wait at
//! once. Work that was begun goes on to its end: a transaction is whole or not at all.

use std::path::Path;
use std::sync::Arc;

use soma_policy::{InstallationKey, KvRequest};

use super::keyspace::{Change, Keyspace, KvError, Page, Space};
use crate::capability::tenant::{PerTenant, Turns, Unfinished};
use crate::gate::Permit;
use crate::running::{Cut, Running};

/// The key-value store of one home.
#[derive(Clone)]
pub(crate) struct KvStore {
    keyspace: Arc<Keyspace>,
    tenants: Arc<PerTenant<Turns>>,
}

/// What an operation gives: cut, refused by the store, or done.
pub(super) type Done<T> = Result<Result<T, KvError>, Cut>;

impl KvStore {
    /// Opens the store in `file`, or makes it.
    pub(crate) fn open(file: &Path) -> Result<Self, KvError> {
        let keyspace = Arc::new(Keyspace::open(file)?);
        Ok(Self { keyspace, tenants: Arc::default() })
    }

    /// Removes all that an installation kept; how many entries there were. Blocks.
    pub(crate) fn purge(&self, installation: &InstallationKey) -> Result<u64, KvError> {
        self.keyspace.purge(installation)
    }

    /// Bytes that a bucket of a call's installation holds, as its quota counts them.
    #[cfg(test)]
    pub(crate) fn used(&self, running: &Running, bucket: &str) -> Result<u64, KvError> {
        self.keyspace.used(&space(running, bucket))
    }

    /// The values under the permitted keys, `bytes_max` bytes at most.
    pub(super) async fn get(
        &self,
        running: &Arc<Running>,
        permits: Permits,
        bytes_max: u64,
    ) -> Done<Vec<Option<Vec<u8>>>> {
        let space = permits.space(running);
        let keys = permits.keys();
        self.run(running, move |store| store.get(&space, &keys, bytes_max)).await
    }

    /// Whether there is a value under the permitted key.
    pub(super) async fn exists(&self, running: &Arc<Running>, permits: Permits) -> Done<bool> {
        let space = permits.space(running);
        let keys = permits.keys();
        self.run(running, move |store| {
            keys.iter().try_fold(true, |all, key| Ok(all && store.exists(&space, key)?))
        })
        .await
    }

    /// A page of the keys that the permit's prefix covers.
    pub(super) async fn list(
        &self,
        running: &Arc<Running>,
        permits: Permits,
        prefix: String,
        after: Option<String>,
    ) -> Done<Page> {
        let space = permits.space(running);
        self.run(running, move |store| store.list(&space, &prefix, after.as_deref())).await
    }

    /// Puts each value under its permitted key, all or none.
    pub(super) async fn set(
        &self,
        running: &Arc<Running>,
        permits: Permits,
        values: Vec<Vec<u8>>,
    ) -> Done<()> {
        let (space, quota) = (permits.space(running), permits.quota);
        let keys = permits.keys();
        self.run(running, move |store| {
            let pairs = keys.iter().zip(&values);
            let changes: Vec<_> = pairs.map(|(key, value)| Change::Set(key, value)).collect();
            store.apply(&space, quota, &changes)
        })
        .await
    }

    /// Removes what is under the permitted keys, all or none.
    pub(super) async fn delete(&self, running: &Arc<Running>, permits: Permits) -> Done<()> {
        let (space, quota) = (permits.space(running), permits.quota);
        let keys = permits.keys();
        self.run(running, move |store| {
            let changes: Vec<_> = keys.iter().map(|key| Change::Delete(key)).collect();
            store.apply(&space, quota, &changes)
        })
        .await
    }

    /// Adds to the number under the permitted key.
    pub(super) async fn increment(
        &self,
        running: &Arc<Running>,
        permits: Permits,
        delta: u64,
    ) -> Done<u64> {
        let (space, quota) = (permits.space(running), permits.quota);
        let keys = permits.keys();
        self.run(running, move |store| match keys.first() {
            Some(key) => store.increment(&space, quota, key, delta),
            None => Err(KvError::Key),
        })
        .await
    }

    async fn run<T: Send + 'static>(
        &self,
        running: &Arc<Running>,
        work: impl FnOnce(&Keyspace) -> Result<T, KvError> + Send + 'static,
    ) -> Done<T> {
        let keyspace = self.keyspace.clone();
        let turns = self.tenants.get(&running.installation.key.org, Turns::default);
        match turns.block(running, move || work(&keyspace)).await {
            Ok(done) => Ok(done),
            Err(Unfinished::Cut(cut)) => Err(cut),
            Err(Unfinished::Lost) => Err(Cut::Interrupted),
        }
    }
}

/// What the gate allowed for one operation on one bucket: a permit for each key, and the quota.
pub(super) struct Permits {
    pub(super) bucket: Box<str>,
    pub(super) each: Vec<Permit<KvRequest>>,
    pub(super) quota: u64,
}

impl Permits {
    fn space(&self, running: &Running) -> Space {
        space(running, &self.bucket)
    }

    fn keys(&self) -> Vec<String> {
        self.each.iter().map(|permit| permit.key().to_owned()).collect()
    }
}

fn space(running: &Running, bucket: &str) -> Space {
    let installation = &running.installation;
    Space::new(&installation.key, &installation.capsule, bucket)
}
