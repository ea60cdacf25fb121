//! Each way of changing something, on a mount that may only be read, beside its twin that may be written.
//!
//! The class of RUSTSEC-2026-0149 and RUSTSEC-2026-0188: truncation by open flags, and changes through descriptors.

use super::super::dir::DirHandle;
use super::super::fault::Fault;
use super::super::file::At;
use super::super::meta::{Moment, Stamp, Times};
use super::super::open::How;
use super::{Bench, CHANGE, LOOK, MAKE, file};

const THEN: Times =
    Times { accessed: Stamp::Keep, modified: Stamp::At(Moment { seconds: 1, nanoseconds: 0 }) };

type Try = (&'static str, fn(&DirHandle) -> Result<(), Fault>);

const TRUNCATE_ONLY: How = How { truncate: true, ..LOOK };
const EXCLUSIVE: How = How { create: true, exclusive: true, ..LOOK };
const CREATE_ONLY: How = How { create: true, ..LOOK };

const TRIES: [Try; 14] = [
    ("open to write", |d| d.open_at("f", CHANGE).map(drop)),
    ("open to write and truncate", |d| {
        let how = How { truncate: true, ..CHANGE };
        d.open_at("f", how).map(drop)
    }),
    ("create", |d| d.open_at("new", MAKE).map(drop)),
    ("create without writing", |d| d.open_at("new2", CREATE_ONLY).map(drop)),
    ("create exclusively", |d| d.open_at("new3", EXCLUSIVE).map(drop)),
    ("write", |d| file(d, "f", CHANGE)?.write(b"x", At::End).map(drop)),
    ("set size", |d| file(d, "f", CHANGE)?.set_size(1)),
    ("make directory", |d| d.make_dir("new-dir")),
    ("rename", |d| d.rename("g", d, "h")),
    ("rename over", |d| d.rename("h", d, "f")),
    ("unlink", |d| d.remove_file("f")),
    ("remove directory", |d| d.remove_dir("sub")),
    ("set times at", |d| d.set_times_at("new", THEN)),
    ("set times", |d| d.set_times(THEN)),
];

fn bench() -> Bench {
    Bench::prepared(|host| {
        host.write("f", "content").unwrap();
        host.write("g", "content").unwrap();
        host.create_dir("sub").unwrap();
    })
}

#[test]
fn a_read_only_mount_refuses_every_change() {
    let bench = bench();
    let root = bench.read_only();
    for (what, attempt) in TRIES {
        assert_eq!(attempt(&root), Err(Fault::ReadOnly), "{what}");
    }
    assert_eq!(bench.rescan(), bench.used());
    assert_eq!(bench.host.read("f").unwrap(), b"content");
}

#[test]
fn the_writable_twin_allows_every_change() {
    let bench = bench();
    let root = bench.root(1000, 100);
    for (what, attempt) in TRIES {
        assert_eq!(attempt(&root), Ok(()), "{what}");
    }
    assert_eq!(bench.rescan(), bench.used());
}

#[test]
fn truncation_by_open_flags_alone_is_refused_everywhere() {
    let bench = bench();
    assert_eq!(bench.read_only().open_at("f", TRUNCATE_ONLY).unwrap_err(), Fault::ReadOnly);
    let root = bench.root(1000, 100);
    assert_eq!(
        root.open_at("f", TRUNCATE_ONLY).unwrap_err(),
        Fault::Invalid,
        "a descriptor that may not write may not cut"
    );
    assert_eq!(bench.host.read("f").unwrap(), b"content");
}

#[test]
fn a_descriptor_opened_to_read_changes_nothing_on_a_writable_mount() {
    let bench = bench();
    let f = file(&bench.root(1000, 100), "f", LOOK).unwrap();
    assert_eq!(f.write(b"x", At::Offset(0)), Err(Fault::WrongMode));
    assert_eq!(f.write(b"", At::Offset(0)), Err(Fault::WrongMode));
    assert_eq!(f.set_size(0), Err(Fault::WrongMode));
    assert_eq!(bench.host.read("f").unwrap(), b"content");
}

#[test]
fn times_of_an_open_file_need_a_writable_mount() {
    let bench = bench();
    let read = file(&bench.read_only(), "f", LOOK).unwrap();
    assert_eq!(read.set_times(THEN), Err(Fault::ReadOnly));
    let write = file(&bench.root(1000, 100), "f", CHANGE).unwrap();
    write.set_times(THEN).unwrap();
    assert_eq!(write.meta().unwrap().modified.seconds, 1);
}

#[test]
fn a_descriptor_opened_to_write_only_is_not_read() {
    let bench = bench();
    let mut how = CHANGE;
    how.mode.read = false;
    let f = file(&bench.root(1000, 100), "f", how).unwrap();
    assert_eq!(f.read(1, 0), Err(Fault::WrongMode));
}

#[test]
fn a_subdirectory_of_a_read_only_mount_is_read_only() {
    let bench = bench();
    let node = bench.read_only().open_at("sub", LOOK).unwrap();
    assert_eq!(node.dir().unwrap().open_at("x", MAKE).unwrap_err(), Fault::ReadOnly);
    let to = bench.root(1000, 100);
    assert_eq!(bench.read_only().rename("f", &to, "x"), Err(Fault::ReadOnly));
    assert_eq!(to.rename("f", &bench.read_only(), "x"), Err(Fault::ReadOnly));
}

#[test]
fn a_write_only_mount_shows_no_content_and_no_names() {
    let bench = bench();
    let mut mount = bench.mount(true, 1000, 100);
    std::sync::Arc::get_mut(&mut mount).unwrap().readable = false;
    let root = super::root(&mount);
    assert_eq!(root.open_at("f", LOOK).unwrap_err(), Fault::WriteOnly);
    assert_eq!(root.open_at("f", CHANGE).unwrap_err(), Fault::WriteOnly);
    assert_eq!(root.open_at("new", MAKE).unwrap_err(), Fault::WriteOnly);
    assert_eq!(root.list().unwrap_err(), Fault::WriteOnly);
    let mut how = MAKE;
    how.mode.read = false;
    let f = file(&root, "new", how).unwrap();
    assert_eq!(f.write(b"x", At::End), Ok(1));
    assert_eq!(f.read(1, 0), Err(Fault::WriteOnly));
}
