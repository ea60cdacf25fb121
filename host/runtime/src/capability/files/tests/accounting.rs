//! The arithmetic of bytes and inodes.

use super::super::dir::DirHandle;
use super::super::fault::Fault;
use super::super::file::At;
use super::super::open::How;
use super::super::path::DEPTH_MAX;
use super::{Bench, CHANGE, LOOK, MAKE, file, get, put, used};
use rustix::io::Errno;

#[test]
fn what_is_written_can_be_read_and_is_counted() {
    let bench = Bench::new();
    let root = bench.root(100, 10);
    root.make_dir("notes").unwrap();
    put(&root, "notes/a.txt", b"hello").unwrap();
    assert_eq!(get(&root, "notes/a.txt").unwrap(), b"hello");
    assert_eq!(bench.used(), used(5, 2));
    assert_eq!(bench.rescan(), used(5, 2));
}

#[test]
fn the_last_byte_of_the_quota_may_be_used_and_no_more() {
    let bench = Bench::new();
    let root = bench.root(8, 10);
    let a = file(&root, "a", MAKE).unwrap();
    assert_eq!(a.write(b"12345678", At::Offset(0)), Ok(8));
    assert_eq!(a.write(b"9", At::End), Err(Fault::OverBytes { wanted: 1, used: 8, quota: 8 }));
    assert_eq!(a.write(b"x", At::Offset(7)), Ok(1), "overwriting needs no room");
    assert_eq!(bench.rescan(), used(8, 1), "the refused byte is not there");
}

#[test]
fn a_sparse_file_counts_in_full() {
    let bench = Bench::new();
    let root = bench.root(1000, 10);
    let a = file(&root, "a", MAKE).unwrap();
    assert!(matches!(a.set_size(1001), Err(Fault::OverBytes { .. })));
    assert!(matches!(a.write(b"x", At::Offset(1000)), Err(Fault::OverBytes { .. })));
    assert_eq!(bench.used(), used(0, 1));
    a.set_size(1000).unwrap();
    assert_eq!(bench.used(), used(1000, 1));
    assert_eq!(a.write(&[1; 10], At::Offset(500)), Ok(10), "a hole is paid for");
    assert_eq!(bench.used(), used(1000, 1));
}

#[test]
fn shrinking_and_truncating_give_room_back() {
    let bench = Bench::new();
    let root = bench.root(10, 10);
    put(&root, "a", b"0123456789").unwrap();
    file(&root, "a", CHANGE).unwrap().set_size(4).unwrap();
    assert_eq!(bench.used(), used(4, 1));
    let truncate = How { truncate: true, ..CHANGE };
    file(&root, "a", truncate).unwrap();
    assert_eq!(bench.used(), used(0, 1));
    put(&root, "b", b"0123456789").unwrap();
}

#[test]
fn removing_gives_back_bytes_and_inode() {
    let bench = Bench::new();
    let root = bench.root(10, 2);
    put(&root, "a", b"01234").unwrap();
    root.make_dir("d").unwrap();
    assert_eq!(file(&root, "b", MAKE).unwrap_err(), Fault::OverInodes { used: 2, quota: 2 });
    root.remove_file("a").unwrap();
    root.remove_dir("d").unwrap();
    assert_eq!(bench.used(), used(0, 0));
}

#[test]
fn a_file_removed_while_open_counts_until_it_is_closed() {
    let bench = Bench::new();
    let root = bench.root(10, 2);
    let a = file(&root, "a", MAKE).unwrap();
    a.write(b"01234", At::End).unwrap();
    root.remove_file("a").unwrap();
    assert_eq!(bench.used(), used(5, 1));
    a.write(b"56789", At::End).unwrap();
    assert!(a.write(b"x", At::End).is_err(), "still under the quota");
    let again = std::sync::Arc::clone(&a);
    drop(a);
    assert_eq!(bench.used(), used(10, 1), "another handle is open");
    drop(again);
    assert_eq!(bench.used(), used(0, 0));
}

#[test]
fn a_directory_removed_while_open_counts_until_it_is_closed() {
    let bench = Bench::new();
    let root = bench.root(10, 2);
    root.make_dir("d").unwrap();
    let node = root.open_at("d", LOOK).unwrap();
    root.remove_dir("d").unwrap();
    assert_eq!(bench.used(), used(0, 1));
    let inside: &DirHandle = node.dir().unwrap();
    assert_eq!(put(inside, "x", b"1").unwrap_err(), Fault::NotFound);
    assert_eq!(inside.make_dir("x").unwrap_err(), Fault::NotFound);
    drop(node);
    assert_eq!(bench.used(), used(0, 0));
}

#[test]
fn a_rename_over_a_file_gives_back_what_it_replaced() {
    let bench = Bench::new();
    let root = bench.root(20, 4);
    put(&root, "a", b"aaaa").unwrap();
    put(&root, "b", b"bbbbbb").unwrap();
    root.rename("a", &root, "b").unwrap();
    assert_eq!(bench.used(), used(4, 1));
    assert_eq!(get(&root, "b").unwrap(), b"aaaa");
    let open = file(&root, "b", LOOK).unwrap();
    put(&root, "c", b"cc").unwrap();
    root.rename("c", &root, "b").unwrap();
    assert_eq!(bench.used(), used(6, 2), "what was replaced is still open");
    drop(open);
    assert_eq!(bench.used(), used(2, 1));
    assert_eq!(bench.rescan(), used(2, 1));
    root.rename("b", &root, "b").unwrap();
    assert_eq!(bench.used(), used(2, 1), "onto itself changes nothing");
}

#[test]
fn an_inode_flood_ends_at_the_quota() {
    let bench = Bench::new();
    let root = bench.root(1, 50);
    let made = (0..1000).take_while(|i| file(&root, &format!("f{i}"), MAKE).is_ok()).count();
    assert_eq!(made, 50);
    assert!(matches!(root.make_dir("d"), Err(Fault::OverInodes { used: 50, .. })));
    assert_eq!(bench.rescan(), used(0, 50));
}

#[test]
fn the_count_is_rebuilt_when_the_volume_is_opened_again() {
    let bench = Bench::prepared(|host| {
        host.create_dir_all("a/b").unwrap();
        host.write("a/b/c", [0; 300]).unwrap();
        host.symlink("a", "link").unwrap();
    });
    assert_eq!(bench.used(), used(300, 4));
}

#[test]
fn the_ledger_follows_a_file_that_an_operator_changed() {
    let bench = Bench::new();
    let root = bench.root(100, 4);
    let a = file(&root, "a", MAKE).unwrap();
    bench.host.write("a", [0; 90]).unwrap();
    assert!(a.write(&[0; 20], At::End).is_err());
    assert_eq!(bench.used(), used(90, 1));
}

#[test]
fn a_full_disk_gives_the_reservation_back() {
    let bench = Bench::new();
    let root = bench.root(1000, 4);
    let mount = root.mount();
    let full =
        rustix::fs::open("/dev/full", rustix::fs::OFlags::RDWR, rustix::fs::Mode::empty()).unwrap();
    let file = super::FileHandle::new(mount, full, String::new(), super::WRITE).unwrap();
    let fault = file.write(&[0; 100], At::Offset(0)).unwrap_err();
    assert_eq!(fault, Fault::Os(Errno::NOSPC));
    assert_eq!(fault.code(), soma_wit::standard::filesystem::types::ErrorCode::InsufficientSpace);
    assert_eq!(bench.used(), used(0, 0));
}

#[test]
fn offsets_at_the_end_of_the_range_are_refused() {
    let bench = Bench::new();
    let root = bench.root(1000, 4);
    let a = file(&root, "a", MAKE).unwrap();
    for offset in [u64::MAX, i64::MAX as u64, (i64::MAX as u64) + 1] {
        assert!(matches!(
            a.write(b"x", At::Offset(offset)),
            Err(Fault::TooLarge | Fault::OverBytes { .. })
        ));
        assert!(a.read(1, offset).is_err() || a.read(1, offset).unwrap().is_empty());
    }
    assert_eq!(a.set_size(u64::MAX), Err(Fault::TooLarge));
    assert_eq!(bench.used(), used(0, 1));
}

#[test]
fn directories_nest_to_the_bound_and_not_below_it_however_they_are_made() {
    let bench = Bench::new();
    let root = bench.root(10, 1000);
    let mut here = root.open_at(".", LOOK).unwrap();
    for _ in 0..DEPTH_MAX {
        here.dir().unwrap().make_dir("d").unwrap();
        here = here.dir().unwrap().open_at("d", LOOK).unwrap();
    }
    assert_eq!(here.dir().unwrap().make_dir("d"), Err(Fault::TooDeep));
    put(here.dir().unwrap(), "file", b"1").unwrap();
    root.make_dir("tall").unwrap();
    root.make_dir("tall/x").unwrap();
    let bottom = here.dir().unwrap();
    assert_eq!(root.rename("tall", bottom, "t"), Err(Fault::TooDeep));
    assert_eq!(bench.rescan(), bench.used(), "the scan still reaches the bottom");
}

#[test]
fn a_listing_comes_in_pages_and_is_complete() {
    let bench = Bench::new();
    let root = bench.root(10, 1000);
    for i in 0..200 {
        file(&root, &format!("f{i}"), MAKE).unwrap();
    }
    let mut listing = root.list().unwrap();
    let mut names = std::collections::BTreeSet::new();
    loop {
        while let Some(entry) = listing.ready() {
            assert!(names.insert(entry.unwrap().name));
        }
        if listing.ended() {
            break;
        }
        listing.read_page();
    }
    assert_eq!(names.len(), 200);
    assert!(!names.contains(".") && !names.contains(".."));
}

#[test]
fn no_record_of_closed_files_is_kept() {
    let bench = Bench::new();
    let root = bench.root(10, 1000);
    for i in 0..20 {
        put(&root, &format!("f{i}"), b"").unwrap();
    }
    assert_eq!(bench.volume.books.open_count(), 1, "only the root is open");
}
