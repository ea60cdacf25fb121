//! Removing all that one installation kept, whichever capsules and buckets it belonged to.

use redb::ReadableTableMetadata as _;
use soma_policy::InstallationKey;

use super::{ENTRIES, Keyspace, KvError, USED};

impl Keyspace {
    /// Removes every space of an installation in one transaction; how many entries there were.
    pub(crate) fn purge(&self, installation: &InstallationKey) -> Result<u64, KvError> {
        // Ids are slugs: what begins with this and a NUL is this installation's and nobody else's.
        let start = format!("{installation}\0").into_bytes();
        let end = format!("{installation}\u{1}").into_bytes();
        let range = || start.as_slice()..end.as_slice();
        let write = self.database.begin_write().map_err(KvError::storage)?;
        let removed = {
            let mut entries = write.open_table(ENTRIES).map_err(KvError::storage)?;
            let before = entries.len().map_err(KvError::storage)?;
            entries.retain_in(range(), |_, _| false).map_err(KvError::storage)?;
            let mut used = write.open_table(USED).map_err(KvError::storage)?;
            used.retain_in(range(), |_, _| false).map_err(KvError::storage)?;
            before.saturating_sub(entries.len().map_err(KvError::storage)?)
        };
        write.commit().map_err(KvError::storage)?;
        Ok(removed)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Change, Space};
    use super::*;

    #[test]
    fn an_installation_s_entries_go_and_those_of_its_neighbours_stay() {
        let folder = tempfile::tempdir().unwrap();
        let store = Keyspace::open(&folder.path().join("kv.redb")).unwrap();
        let key = |text: &str| -> InstallationKey { text.parse().unwrap() };
        let space = |text: &str, capsule: &str, bucket: &str| {
            Space::new(&key(text), &capsule.parse().unwrap(), bucket)
        };
        let doomed = [
            space("local/production/notes", "acme/notes", "a"),
            space("local/production/notes", "bolt/other", "b"),
        ];
        let spared = [
            space("local/production/notes2", "acme/notes", "a"),
            space("local/production/note", "acme/notes", "a"),
            space("local/staging/notes", "acme/notes", "a"),
        ];
        for space in doomed.iter().chain(&spared) {
            let two = [Change::Set("x", b"1"), Change::Set("y", b"2")];
            store.apply(space, 1 << 20, &two).unwrap();
        }
        assert_eq!(store.purge(&key("local/production/notes")).unwrap(), 4);
        assert_eq!(store.purge(&key("local/production/notes")).unwrap(), 0);
        for space in &doomed {
            assert!(!store.exists(space, "x").unwrap());
            assert_eq!(store.used(space).unwrap(), 0);
        }
        assert!(spared.iter().all(|space| store.exists(space, "x").unwrap()));
    }
}
