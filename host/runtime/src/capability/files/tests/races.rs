//! Many calls on one volume at once: never over the quota, nothing lost, and the ledger agrees with the disk at the end.

use super::super::file::At;
use super::super::open::How;
use super::{Bench, CHANGE, MAKE, file, get, put};
use proptest::prelude::*;
use std::sync::Arc;

#[test]
fn appends_of_several_writers_never_overwrite_each_other() {
    let bench = Bench::new();
    let root = bench.root(1 << 20, 10);
    put(&root, "log", b"").unwrap();
    std::thread::scope(|scope| {
        for writer in 0..4u8 {
            let root = Arc::clone(&root);
            scope.spawn(move || {
                let log = file(&root, "log", CHANGE).unwrap();
                for _ in 0..100 {
                    assert_eq!(log.write(&[writer; 16], At::End), Ok(16));
                }
            });
        }
    });
    let bytes = get(&root, "log").unwrap();
    assert_eq!(bytes.len(), 4 * 100 * 16);
    for record in bytes.chunks(16) {
        assert!(record.iter().all(|byte| *byte == record[0]), "torn record");
    }
    assert_eq!(bench.used(), bench.rescan());
}

#[test]
fn concurrent_appends_stop_exactly_at_the_quota() {
    let bench = Bench::new();
    let root = bench.root(1000, 10);
    put(&root, "log", b"").unwrap();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            let root = Arc::clone(&root);
            scope.spawn(move || {
                let log = file(&root, "log", CHANGE).unwrap();
                while log.write(&[1; 7], At::End).is_ok() {}
            });
        }
    });
    assert_eq!(bench.used().bytes, 1000 / 7 * 7);
    assert_eq!(bench.used(), bench.rescan());
}

#[test]
fn an_exclusive_create_is_won_once() {
    let bench = Bench::new();
    let root = bench.root(1000, 10);
    let how = How { exclusive: true, ..MAKE };
    let won: usize = std::thread::scope(|scope| {
        let tries: Vec<_> =
            (0..8).map(|_| scope.spawn(|| usize::from(root.open_at("one", how).is_ok()))).collect();
        tries.into_iter().map(|t| t.join().unwrap()).sum()
    });
    assert_eq!(won, 1);
    assert_eq!(bench.used().inodes, 1);
}

/// What a writer does, on one of three names.
#[derive(Debug, Clone, Copy)]
enum Act {
    Write(usize, u64),
    Resize(usize, u64),
    Remove(usize),
    Rename(usize, usize),
    Truncate(usize),
}

const NAMES: [&str; 3] = ["a", "b", "c"];
const BYTES: u64 = 500;

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        (0..3usize, 0..300u64).prop_map(|(n, at)| Act::Write(n, at)),
        (0..3usize, 0..600u64).prop_map(|(n, size)| Act::Resize(n, size)),
        (0..3usize).prop_map(Act::Remove),
        (0..3usize, 0..3usize).prop_map(|(a, b)| Act::Rename(a, b)),
        (0..3usize).prop_map(Act::Truncate),
    ]
}

fn run(root: &super::DirHandle, act: Act) {
    let open = |n: usize| file(root, NAMES[n], MAKE);
    let _ = match act {
        Act::Write(n, at) => open(n).and_then(|f| f.write(&[7; 64], At::Offset(at)).map(drop)),
        Act::Resize(n, size) => open(n).and_then(|f| f.set_size(size)),
        Act::Remove(n) => root.remove_file(NAMES[n]),
        Act::Rename(a, b) => root.rename(NAMES[a], root, NAMES[b]),
        Act::Truncate(n) => {
            let how = How { truncate: true, ..MAKE };
            file(root, NAMES[n], how).map(drop)
        }
    };
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn any_mix_of_changes_stays_within_the_quota_and_ends_where_the_disk_is(
        scripts in prop::collection::vec(prop::collection::vec(act(), 1..20), 1..4)
    ) {
        let bench = Bench::new();
        let root = bench.root(BYTES, 2);
        std::thread::scope(|scope| {
            for script in &scripts {
                let (root, volume) = (&root, &bench.volume);
                scope.spawn(move || {
                    for act in script {
                        run(root, *act);
                        let used = volume.used();
                        assert!(used.bytes <= BYTES && used.inodes <= 2, "{used:?} after {act:?}");
                    }
                });
            }
        });
        prop_assert_eq!(bench.used(), bench.rescan());
    }
}
