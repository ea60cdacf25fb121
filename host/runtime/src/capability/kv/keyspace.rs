//! The embedded store under every `kv` capability: one redb file per home, a space of its own for each bucket.
//!
//! Keys are `installation NUL capsule NUL bucket NUL key`, so that no key of a guest can reach another space. What a bucket holds is
//! counted in a second table, in the same transaction as the change: a crash can leave neither a wrong count nor half a
//! batch. Deliberately absent: rights. Only [`super::backend`] calls this, with a permit in its hand.

mod purge;

use std::path::Path;

use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition};
use soma_policy::{CapsuleName, InstallationKey};

/// Bytes that an entry costs beside its key and value, so that many empty entries are not free.
pub(crate) const ENTRY_OVERHEAD: u64 = 64;
/// The longest key.
pub(crate) const KEY_MAX: usize = 1024;
/// Keys in one page, and their bytes together.
const PAGE_KEYS_MAX: usize = 1_000;
const PAGE_BYTES_MAX: usize = 64 * 1024;
/// Memory that the store may use as its cache.
const CACHE_BYTES: usize = 16 * 1024 * 1024;

const ENTRIES: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("entries");
const USED: TableDefinition<'_, &[u8], u64> = TableDefinition::new("used");

/// Why an operation did nothing.
#[derive(Debug, thiserror::Error)]
pub(crate) enum KvError {
    /// The quota would be passed.
    #[error("the store is full: {used} of {quota} bytes are used and {wanted} would be")]
    Full {
        /// Bytes used now.
        used: u64,
        /// Bytes used afterwards.
        wanted: u64,
        /// Bytes granted.
        quota: u64,
    },
    /// The key has no form that is stored.
    #[error("a key has 1 to {KEY_MAX} bytes")]
    Key,
    /// What is under the key cannot be counted up.
    #[error("the value is not a decimal number below 2^64")]
    NotANumber,
    /// The sum has no place in 64 bits.
    #[error("the number would overflow")]
    Overflow,
    /// More would be read than the call may move.
    #[error("the values are larger than the call may still move")]
    TooLarge,
    /// The file under the store failed.
    #[error("the store failed")]
    Storage(#[source] Box<redb::Error>),
}

impl KvError {
    fn storage(error: impl Into<redb::Error>) -> Self {
        Self::Storage(Box::new(error.into()))
    }
}

/// One bucket of one installation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Space(Vec<u8>);

impl Space {
    /// The space of `bucket`, a capability's name. Another capsule under the same installation id starts with nothing:
    /// what one publisher's code kept is not for another's.
    pub(crate) fn new(installation: &InstallationKey, capsule: &CapsuleName, bucket: &str) -> Self {
        // Ids and names are slugs: they hold no NUL.
        Self(format!("{installation}\0{capsule}\0{bucket}\0").into_bytes())
    }

    fn key(&self, key: &str) -> Result<Vec<u8>, KvError> {
        if key.is_empty() || key.len() > KEY_MAX {
            return Err(KvError::Key);
        }
        Ok([self.0.as_slice(), key.as_bytes()].concat())
    }
}

/// One thing to change.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Change<'a> {
    /// Puts a value under a key.
    Set(&'a str, &'a [u8]),
    /// Removes a key.
    Delete(&'a str),
}

/// Some keys in order, and whether there are more.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Page {
    /// The keys.
    pub(crate) keys: Vec<String>,
    /// Whether a next page may hold more.
    pub(crate) more: bool,
}

/// The store of one home.
pub(crate) struct Keyspace {
    database: Database,
}

impl Keyspace {
    /// Opens the file, or makes it.
    pub(crate) fn open(file: &Path) -> Result<Self, KvError> {
        let database = Database::builder()
            .set_cache_size(CACHE_BYTES)
            .create(file)
            .map_err(KvError::storage)?;
        let write = database.begin_write().map_err(KvError::storage)?;
        write.open_table(ENTRIES).map_err(KvError::storage)?;
        write.open_table(USED).map_err(KvError::storage)?;
        write.commit().map_err(KvError::storage)?;
        Ok(Self { database })
    }

    /// The values under some keys, at most `bytes_max` bytes of them.
    pub(crate) fn get(
        &self,
        space: &Space,
        keys: &[String],
        bytes_max: u64,
    ) -> Result<Vec<Option<Vec<u8>>>, KvError> {
        let read = self.database.begin_read().map_err(KvError::storage)?;
        let entries = read.open_table(ENTRIES).map_err(KvError::storage)?;
        let mut left = bytes_max;
        let mut values = Vec::with_capacity(keys.len());
        for key in keys {
            let found = entries.get(space.key(key)?.as_slice()).map_err(KvError::storage)?;
            let Some(value) = found else {
                values.push(None);
                continue;
            };
            let value = value.value();
            left = left.checked_sub(value.len() as u64).ok_or(KvError::TooLarge)?;
            values.push(Some(value.to_vec()));
        }
        Ok(values)
    }

    /// Whether there is a value under `key`.
    pub(crate) fn exists(&self, space: &Space, key: &str) -> Result<bool, KvError> {
        let read = self.database.begin_read().map_err(KvError::storage)?;
        let entries = read.open_table(ENTRIES).map_err(KvError::storage)?;
        Ok(entries.get(space.key(key)?.as_slice()).map_err(KvError::storage)?.is_some())
    }

    /// The keys that start with `prefix` and come after `after`, a bounded page of them.
    pub(crate) fn list(
        &self,
        space: &Space,
        prefix: &str,
        after: Option<&str>,
    ) -> Result<Page, KvError> {
        let read = self.database.begin_read().map_err(KvError::storage)?;
        let entries = read.open_table(ENTRIES).map_err(KvError::storage)?;
        let start = [space.0.as_slice(), after.unwrap_or(prefix).as_bytes()].concat();
        let mut page = Page { keys: Vec::new(), more: false };
        let mut bytes = 0;
        for entry in entries.range(start.as_slice()..).map_err(KvError::storage)? {
            let (key, _) = entry.map_err(KvError::storage)?;
            let Some(key) = key.value().strip_prefix(space.0.as_slice()) else { break };
            // Only text is ever stored as a key.
            let Ok(key) = std::str::from_utf8(key) else { break };
            if !key.starts_with(prefix) {
                break;
            }
            if after == Some(key) {
                continue;
            }
            if page.keys.len() == PAGE_KEYS_MAX || bytes + key.len() > PAGE_BYTES_MAX {
                page.more = true;
                break;
            }
            bytes += key.len();
            page.keys.push(key.to_owned());
        }
        Ok(page)
    }

    /// Makes every change, or none.
    pub(crate) fn apply(
        &self,
        space: &Space,
        quota: u64,
        changes: &[Change<'_>],
    ) -> Result<(), KvError> {
        self.transaction(space, quota, |entries| {
            let mut balance = Balance::default();
            for change in changes {
                balance.make(entries, space, *change)?;
            }
            Ok((balance, ()))
        })
    }

    /// Adds to the number under `key` and returns the sum.
    pub(crate) fn increment(
        &self,
        space: &Space,
        quota: u64,
        key: &str,
        delta: u64,
    ) -> Result<u64, KvError> {
        self.transaction(space, quota, |entries| {
            let now = match entries.get(space.key(key)?.as_slice()).map_err(KvError::storage)? {
                Some(value) => number(value.value())?,
                None => 0,
            };
            let sum = now.checked_add(delta).ok_or(KvError::Overflow)?;
            let mut balance = Balance::default();
            balance.make(entries, space, Change::Set(key, sum.to_string().as_bytes()))?;
            Ok((balance, sum))
        })
    }

    /// Bytes that a bucket holds, as its quota counts them.
    #[cfg(test)]
    pub(crate) fn used(&self, space: &Space) -> Result<u64, KvError> {
        let read = self.database.begin_read().map_err(KvError::storage)?;
        let used = read.open_table(USED).map_err(KvError::storage)?;
        Ok(used.get(space.0.as_slice()).map_err(KvError::storage)?.map_or(0, |n| n.value()))
    }

    /// Runs `work` and books its balance in one transaction; whatever fails undoes all of it.
    fn transaction<T>(
        &self,
        space: &Space,
        quota: u64,
        work: impl FnOnce(&mut Entries<'_>) -> Result<(Balance, T), KvError>,
    ) -> Result<T, KvError> {
        let write = self.database.begin_write().map_err(KvError::storage)?;
        let value = {
            let mut entries = write.open_table(ENTRIES).map_err(KvError::storage)?;
            let (balance, value) = work(&mut entries)?;
            let mut used = write.open_table(USED).map_err(KvError::storage)?;
            let now =
                used.get(space.0.as_slice()).map_err(KvError::storage)?.map_or(0, |n| n.value());
            let wanted = balance.after(now);
            // What only shrinks is allowed even above a quota that was lowered meanwhile.
            if wanted > quota && wanted > now {
                return Err(KvError::Full { used: now, wanted, quota });
            }
            used.insert(space.0.as_slice(), wanted).map_err(KvError::storage)?;
            value
        };
        write.commit().map_err(KvError::storage)?;
        Ok(value)
    }
}

type Entries<'t> = redb::Table<'t, &'static [u8], &'static [u8]>;

/// Bytes that came and went in one transaction.
#[derive(Default)]
struct Balance {
    added: u64,
    removed: u64,
}

impl Balance {
    fn make(
        &mut self,
        entries: &mut Entries<'_>,
        space: &Space,
        change: Change<'_>,
    ) -> Result<(), KvError> {
        let (name, old) = match change {
            Change::Set(name, value) => {
                let key = space.key(name)?;
                self.added = self.added.saturating_add(cost(name, value.len()));
                let old = entries.insert(key.as_slice(), value).map_err(KvError::storage)?;
                (name, old.map(|old| old.value().len()))
            }
            Change::Delete(name) => {
                let key = space.key(name)?;
                let old = entries.remove(key.as_slice()).map_err(KvError::storage)?;
                (name, old.map(|old| old.value().len()))
            }
        };
        let gone = old.map_or(0, |length| cost(name, length));
        self.removed = self.removed.saturating_add(gone);
        Ok(())
    }

    fn after(&self, now: u64) -> u64 {
        now.saturating_add(self.added).saturating_sub(self.removed)
    }
}

/// What an entry counts against the quota.
fn cost(key: &str, value: usize) -> u64 {
    ENTRY_OVERHEAD.saturating_add(key.len() as u64).saturating_add(value as u64)
}

fn number(value: &[u8]) -> Result<u64, KvError> {
    let text = std::str::from_utf8(value).map_err(|_| KvError::NotANumber)?;
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(KvError::NotANumber);
    }
    text.parse().map_err(|_| KvError::NotANumber)
}

#[cfg(test)]
mod tests;
