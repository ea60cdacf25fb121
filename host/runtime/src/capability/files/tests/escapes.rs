//! Ways out, and things in the way, that a guest tries or a host finds planted.

use super::super::fault::Fault;
use super::super::meta::{Stamp, Times};
use super::super::open::How;
use super::{Bench, CHANGE, LOOK, MAKE, file, get, put, root, used};
use rustix::fs::{Mode, linkat, mkfifoat, mknodat};

const NOW: Times = Times { accessed: Stamp::Keep, modified: Stamp::Now };

/// Every operation that takes a path, tried on `path`; what each said.
fn try_all(bench: &Bench, path: &str) -> Vec<(&'static str, Fault)> {
    let root = bench.root(1000, 100);
    put(&root, "mine", b"m").unwrap();
    let directory = How { directory: true, ..LOOK };
    let tries: [(&str, Result<(), Fault>); 10] = [
        ("open", root.open_at(path, LOOK).map(drop)),
        ("open to write", root.open_at(path, CHANGE).map(drop)),
        ("open directory", root.open_at(path, directory).map(drop)),
        ("create", root.open_at(path, MAKE).map(drop)),
        ("make directory", root.make_dir(path)),
        ("stat", root.meta_at(path).map(drop)),
        ("set times", root.set_times_at(path, NOW)),
        ("unlink", root.remove_file(path)),
        ("rename from", root.rename(path, &root, "got")),
        ("rename to", root.rename("mine", &root, path)),
    ];
    tries.into_iter().map(|(what, done)| (what, done.expect_err(what))).collect()
}

#[test]
fn every_operation_refuses_every_path_that_leaves() {
    let bench = Bench::prepared(|host| host.create_dir("d").unwrap());
    for path in
        ["../secret", "..", "/etc/passwd", "d/../../secret", "./../secret", "d/./../../secret"]
    {
        for (what, fault) in try_all(&bench, path) {
            assert_eq!(fault, Fault::Escape, "{what} of {path}");
        }
    }
    assert_eq!(bench.outside.read("secret").unwrap(), b"not for guests");
}

#[test]
fn every_operation_refuses_a_planted_symlink_to_a_file_a_directory_and_nothing() {
    let bench = Bench::prepared(|host| {
        host.write("real", "r").unwrap();
        host.create_dir("dir").unwrap();
        host.write("dir/inner", "i").unwrap();
        rustix::fs::symlinkat("../secret", host, "out").unwrap();
        rustix::fs::symlinkat("real", host, "file").unwrap();
        rustix::fs::symlinkat("dir", host, "parent").unwrap();
        rustix::fs::symlinkat("nowhere", host, "dangling").unwrap();
        rustix::fs::symlinkat("/", host, "slash").unwrap();
        rustix::fs::symlinkat("loop", host, "loop").unwrap();
    });
    for path in [
        "out",
        "file",
        "parent",
        "dangling",
        "slash",
        "loop",
        "parent/inner",
        "slash/etc/passwd",
        "dir/../parent/inner",
    ] {
        for (what, fault) in try_all(&bench, path) {
            assert_eq!(fault, Fault::Symlink, "{what} of {path}");
        }
    }
    assert!(!bench.outside.exists("nowhere") && !bench.host.exists("nowhere"));
    assert_eq!(bench.host.read("real").unwrap(), b"r");
}

#[test]
fn pipes_and_devices_are_refused_without_waiting_for_the_other_end() {
    let bench = Bench::prepared(|host| {
        mkfifoat(host, "pipe", Mode::RUSR | Mode::WUSR).unwrap();
        let null = rustix::fs::makedev(1, 3);
        // Only root may make devices; without one the pipe alone is tried.
        let _ = mknodat(
            host,
            "null",
            rustix::fs::FileType::CharacterDevice,
            Mode::RUSR | Mode::WUSR,
            null,
        );
    });
    for path in ["pipe", "null"] {
        if bench.host.exists(path) {
            for (what, fault) in try_all(&bench, path) {
                assert_eq!(fault, Fault::Special, "{what} of {path}");
            }
        }
    }
}

#[test]
fn a_hard_link_to_a_file_outside_is_refused() {
    let bench = Bench::new();
    let flags = rustix::fs::AtFlags::empty();
    linkat(&bench.outside, "secret", &bench.host, "in", flags).unwrap();
    for (what, fault) in try_all(&bench, "in") {
        assert_eq!(fault, Fault::HardLinked, "{what}");
    }
    assert_eq!(bench.outside.read("secret").unwrap(), b"not for guests");
}

#[test]
fn another_file_system_inside_the_volume_is_not_entered() {
    let bench = Bench::new();
    let device = bench.volume.device();
    let other = super::Dir::open_ambient_dir("/proc", super::ambient_authority()).unwrap();
    assert_eq!(super::super::walk::open_dir(&other, "self", device).unwrap_err(), Fault::Symlink);
    assert_eq!(
        super::super::walk::open_dir(&other, "sys", device).unwrap_err(),
        Fault::OtherDevice
    );
}

#[test]
fn a_rename_to_another_mount_is_refused_in_both_directions() {
    let (one, two) = (Bench::new(), Bench::new());
    let (a, b) = (one.root(100, 10), two.root(100, 10));
    put(&a, "x", b"1").unwrap();
    put(&b, "y", b"2").unwrap();
    assert_eq!(a.rename("x", &b, "x"), Err(Fault::OtherMount));
    assert_eq!(b.rename("y", &a, "x"), Err(Fault::OtherMount));
    assert_eq!((get(&a, "x").unwrap(), get(&b, "y").unwrap()), (b"1".to_vec(), b"2".to_vec()));
}

#[test]
fn a_directory_handle_that_was_moved_out_makes_nothing() {
    let bench = Bench::new();
    let root = bench.root(100, 10);
    root.make_dir("d").unwrap();
    let node = root.open_at("d", LOOK).unwrap();
    bench.host.rename("d", &bench.outside, "d").unwrap();
    assert_eq!(node.dir().unwrap().make_dir("x"), Err(Fault::Escape));
}

#[test]
fn a_directory_is_not_moved_into_itself() {
    let bench = Bench::new();
    let root = bench.root(100, 10);
    root.make_dir("d").unwrap();
    root.make_dir("d/e").unwrap();
    assert_eq!(root.rename("d", &root, "d/e/f"), Err(Fault::Invalid));
    assert_eq!(bench.used(), used(0, 2));
}

#[test]
fn dots_inside_the_mount_are_taken_out_before_anything_is_opened() {
    let bench = Bench::new();
    let top = bench.root(100, 10);
    top.make_dir("a").unwrap();
    put(&top, "b", b"1").unwrap();
    assert_eq!(get(&top, "a/../b").unwrap(), b"1");
    assert_eq!(get(&top, "./a/.././b").unwrap(), b"1");
    assert_eq!(get(&top, "gone/../b").unwrap(), b"1", "only the canonical form counts");
    let below = top.open_at("a", LOOK).unwrap();
    assert_eq!(
        below.dir().unwrap().open_at("../b", LOOK).unwrap_err(),
        Fault::Escape,
        "a descriptor is the top of what it opens"
    );
}

#[test]
fn a_path_that_says_directory_must_find_one() {
    let bench = Bench::new();
    let root = bench.root(100, 10);
    put(&root, "f", b"1").unwrap();
    root.make_dir("d").unwrap();
    assert_eq!(root.open_at("f/", LOOK).unwrap_err(), Fault::NotDirectory);
    assert_eq!(root.meta_at("f/").unwrap_err(), Fault::NotDirectory);
    assert_eq!(root.remove_file("f/"), Err(Fault::NotDirectory));
    assert_eq!(root.rename("f", &root, "g/"), Err(Fault::NotDirectory));
    assert_eq!(root.remove_file("d"), Err(Fault::IsDirectory));
    assert_eq!(root.remove_dir("f"), Err(Fault::NotDirectory));
    assert_eq!(file(&root, "new/", MAKE).unwrap_err(), Fault::IsDirectory);
    assert!(root.open_at("d/", LOOK).is_ok());
    root.make_dir("e/").unwrap();
}

#[test]
fn the_root_of_a_mount_cannot_be_removed_or_moved() {
    let bench = Bench::new();
    let top = root(&bench.mount(true, 100, 10));
    top.make_dir("d").unwrap();
    for path in [".", "d/.."] {
        assert_eq!(top.remove_dir(path), Err(Fault::Invalid));
        assert_eq!(top.rename(path, &top, "x"), Err(Fault::Invalid));
        assert_eq!(top.make_dir(path), Err(Fault::Exists));
    }
}
