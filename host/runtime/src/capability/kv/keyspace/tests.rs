//! Quotas, batches and spaces of the embedded store, on a file of its own.

use super::*;

const MUCH: u64 = 1 << 20;

fn store() -> (tempfile::TempDir, Keyspace) {
    let dir = tempfile::tempdir().unwrap();
    let store = Keyspace::open(&dir.path().join("kv.redb")).unwrap();
    (dir, store)
}

fn space(installation: &str, bucket: &str) -> Space {
    Space::new(&installation.parse().unwrap(), &"acme/probe".parse().unwrap(), bucket)
}

fn set(store: &Keyspace, space: &Space, key: &str, value: &[u8]) {
    store.apply(space, MUCH, &[Change::Set(key, value)]).unwrap();
}

fn get(store: &Keyspace, space: &Space, key: &str) -> Option<Vec<u8>> {
    store.get(space, &[key.to_owned()], MUCH).unwrap().remove(0)
}

#[test]
fn installations_capsules_and_buckets_do_not_see_each_other() {
    let (_dir, store) = store();
    let mine = space("local/production/a", "notes");
    set(&store, &mine, "k", b"mine");
    let key = "local/production/a".parse().unwrap();
    for other in [
        Space::new(&key, &"other/probe".parse().unwrap(), "notes"),
        space("local/production/b", "notes"),
        space("local/staging/a", "notes"),
        space("other/production/a", "notes"),
        space("local/production/a", "note"),
        space("local/production/a", "notes2"),
    ] {
        assert_eq!(get(&store, &other, "k"), None);
        assert!(store.list(&other, "", None).unwrap().keys.is_empty());
        assert_eq!(store.used(&other).unwrap(), 0);
    }
    assert_eq!(get(&store, &mine, "k").unwrap(), b"mine");
}

#[test]
fn the_quota_counts_keys_values_and_an_overhead() {
    let (_dir, store) = store();
    let space = space("local/production/a", "n");
    let quota = 2 * (ENTRY_OVERHEAD + 1 + 10);
    for key in ["a", "b"] {
        store.apply(&space, quota, &[Change::Set(key, &[0; 10])]).unwrap();
    }
    assert_eq!(store.used(&space).unwrap(), quota);
    let full = store.apply(&space, quota, &[Change::Set("c", b"")]).unwrap_err();
    assert!(matches!(full, KvError::Full { used, .. } if used == quota), "{full}");
    assert_eq!(get(&store, &space, "c"), None, "nothing of a refused change stays");
    store.apply(&space, quota, &[Change::Set("a", &[1; 10])]).unwrap();
    store.apply(&space, quota, &[Change::Delete("a"), Change::Set("c", b"")]).unwrap();
    assert_eq!(store.used(&space).unwrap(), quota - 10);
}

#[test]
fn a_batch_happens_whole_or_not_at_all() {
    let (_dir, store) = store();
    let space = space("local/production/a", "n");
    let changes = [Change::Set("a", &[0; 10]), Change::Set("b", &[0; 1000])];
    assert!(store.apply(&space, 500, &changes).is_err());
    assert_eq!((get(&store, &space, "a"), store.used(&space).unwrap()), (None, 0));
    let long = "x".repeat(KEY_MAX + 1);
    let changes = [Change::Set("a", b"1"), Change::Set(&long, b"")];
    assert!(matches!(store.apply(&space, MUCH, &changes), Err(KvError::Key)));
    assert_eq!(get(&store, &space, "a"), None);
}

#[test]
fn a_lowered_quota_still_lets_things_shrink() {
    let (_dir, store) = store();
    let space = space("local/production/a", "n");
    set(&store, &space, "a", &[0; 100]);
    store.apply(&space, 10, &[Change::Set("a", &[0; 50])]).unwrap();
    assert!(store.apply(&space, 10, &[Change::Set("a", &[0; 51])]).is_err());
    store.apply(&space, 10, &[Change::Delete("a"), Change::Delete("never")]).unwrap();
    assert_eq!(store.used(&space).unwrap(), 0);
}

#[test]
fn counts_and_entries_survive_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("kv.redb");
    let space = space("local/production/a", "n");
    let used = {
        let store = Keyspace::open(&file).unwrap();
        set(&store, &space, "a", b"12345");
        store.used(&space).unwrap()
    };
    let store = Keyspace::open(&file).unwrap();
    assert_eq!(get(&store, &space, "a").unwrap(), b"12345");
    assert_eq!(store.used(&space).unwrap(), used);
}

#[test]
fn numbers_are_decimal_text_and_never_wrap() {
    let (_dir, store) = store();
    let space = space("local/production/a", "n");
    assert_eq!(store.increment(&space, MUCH, "n", 5).unwrap(), 5);
    assert_eq!(store.increment(&space, MUCH, "n", 7).unwrap(), 12);
    assert_eq!(get(&store, &space, "n").unwrap(), b"12");
    let overflow = store.increment(&space, MUCH, "n", u64::MAX);
    assert!(matches!(overflow, Err(KvError::Overflow)));
    for bad in [&b""[..], b"-1", b"+1", b"1.5", b"x", b"\xff", b"99999999999999999999"] {
        set(&store, &space, "bad", bad);
        assert!(matches!(store.increment(&space, MUCH, "bad", 1), Err(KvError::NotANumber)));
    }
    assert!(matches!(store.increment(&space, 10, "new", 1), Err(KvError::Full { .. })));
}

#[test]
fn pages_are_bounded_ordered_and_complete() {
    let (_dir, store) = store();
    let space = space("local/production/a", "n");
    let keys: Vec<String> = (0..2_500).map(|n| format!("p/{n:05}")).collect();
    let changes: Vec<Change<'_>> = keys.iter().map(|key| Change::Set(key, b"")).collect();
    store.apply(&space, MUCH, &changes).unwrap();
    set(&store, &space, "q", b"");
    let mut found = Vec::new();
    loop {
        let page = store.list(&space, "p/", found.last().map(String::as_str)).unwrap();
        assert!(page.keys.len() <= PAGE_KEYS_MAX);
        found.extend(page.keys);
        if !page.more {
            break;
        }
    }
    assert_eq!(found, keys);
}

#[test]
fn long_keys_fill_a_page_by_bytes() {
    let (_dir, store) = store();
    let space = space("local/production/a", "n");
    for n in 0..100 {
        set(&store, &space, &format!("{n:01024}"), b"");
    }
    let page = store.list(&space, "", None).unwrap();
    assert!(page.more && page.keys.len() == PAGE_BYTES_MAX / KEY_MAX, "{}", page.keys.len());
}

#[test]
fn reading_stops_at_what_the_call_may_move() {
    let (_dir, store) = store();
    let space = space("local/production/a", "n");
    set(&store, &space, "a", &[0; 100]);
    let twice = ["a".to_owned(), "a".to_owned()];
    assert!(matches!(store.get(&space, &twice, 199), Err(KvError::TooLarge)));
    assert_eq!(store.get(&space, &twice, 200).unwrap().len(), 2);
}

#[test]
fn a_file_that_is_no_store_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("kv.redb");
    std::fs::write(&file, b"not a database at all").unwrap();
    assert!(matches!(Keyspace::open(&file), Err(KvError::Storage(_))));
}
