//! The interface as a guest meets it: granted, not granted, over quota, read only.

use super::super::view::{FilesState, FilesView};
use super::guest::{Guest, code, lend};
use super::{Bench, used};
use soma_policy::{Code, Label, LimitKind};
use soma_wit::standard::filesystem::preopens::Host as _;
use soma_wit::standard::filesystem::types::{
    Descriptor, DescriptorFlags, ErrorCode, HostDescriptor, HostDirectoryEntryStream, NewTimestamp,
    OpenFlags, PathFlags,
};
use std::sync::Arc;
use wasmtime::component::{Resource, ResourceTable};

#[tokio::test]
async fn a_granted_mount_is_written_read_and_listed() {
    let mut guest = Guest::new("read-write", 1000);
    let root = guest.root();
    let view = &mut guest.view();
    view.create_directory_at(lend(&root), "sub".to_owned()).await.unwrap();
    let file = guest.make("sub/a.txt").await.unwrap();
    let view = &mut guest.view();
    assert_eq!(view.write(lend(&file), b"hello".to_vec(), 0).await.unwrap(), 5);
    assert_eq!(view.read(lend(&file), 100, 1).await.unwrap(), (b"ello".to_vec(), false));
    assert_eq!(view.read(lend(&file), 100, 5).await.unwrap(), (Vec::new(), true));
    assert_eq!(view.stat(lend(&file)).await.unwrap().size, 5);
    let listing = view.read_directory(lend(&root)).await.unwrap();
    let entry =
        view.read_directory_entry(Resource::new_borrow(listing.rep())).await.unwrap().unwrap();
    assert_eq!(entry.name, "sub");
    assert!(view.read_directory_entry(listing).await.unwrap().is_none());
    assert_eq!(guest.bench.used(), used(5, 2));
    assert!(guest.denials().is_empty());
}

#[tokio::test]
async fn with_no_grant_there_is_no_directory_and_no_descriptor_works() {
    let state = FilesState::inert();
    let mut table = ResourceTable::new();
    let mut view = FilesView::new(&mut table, &state);
    assert!(view.get_directories().unwrap().is_empty());
    let forged = || Resource::<Descriptor>::new_borrow(0);
    let error = view.stat(forged()).await.unwrap_err();
    assert!(error.downcast().is_err(), "a forged descriptor ends the guest");
    assert!(view.read_via_stream(forged(), 0).is_err());
    assert!(HostDescriptor::drop(&mut view, Resource::new_own(0)).is_err());
}

#[tokio::test]
async fn over_the_quota_the_guest_gets_the_code_and_the_call_keeps_the_denial() {
    let mut guest = Guest::new("read-write", 10);
    let file = guest.make("a").await.unwrap();
    let error = guest.view().write(lend(&file), vec![1; 11], 0).await;
    assert_eq!(code(error.unwrap_err()), ErrorCode::Quota);
    let error = guest.view().set_size(lend(&file), 1 << 40).await;
    assert_eq!(code(error.unwrap_err()), ErrorCode::Quota);
    let (denials, _) = guest.call.gate.running().denials();
    let [write, size] = denials.as_slice() else {
        panic!("two denials, not {denials:?}");
    };
    assert_eq!(write.code, Code::FilesQuota);
    assert_eq!(write.capability.as_ref().unwrap().to_string(), "files.data");
    assert!(write.operation.ends_with("/data/a"), "{}", write.operation);
    assert!(write.remedy.contains("grants.files.data.quota"), "{}", write.remedy);
    assert_eq!(size.code, Code::FilesQuota);
    assert_eq!(guest.bench.used(), used(0, 1));
}

#[tokio::test]
async fn a_read_only_grant_refuses_every_change_at_the_interface() {
    let bench = Bench::prepared(|host| {
        host.write("f", "content").unwrap();
        host.create_dir("d").unwrap();
    });
    let mut guest = Guest::over(bench, "read", 1000);
    let (root, file) = (guest.root(), guest.look("f").await.unwrap());
    let (read, write) = (DescriptorFlags::READ, DescriptorFlags::WRITE);
    let mut said = Vec::new();
    for (open, flags) in [
        (OpenFlags::TRUNCATE, read),
        (OpenFlags::TRUNCATE, write),
        (OpenFlags::CREATE, read),
        (OpenFlags::CREATE | OpenFlags::EXCLUSIVE, read),
        (OpenFlags::empty(), write),
        (OpenFlags::empty(), read | DescriptorFlags::MUTATE_DIRECTORY),
    ] {
        said.push(guest.open("f", open, flags).await.map(drop));
    }
    let (now, path) = (NewTimestamp::Now, || "f".to_owned());
    let view = &mut guest.view();
    said.push(view.set_times(lend(&file), now, now).await);
    said.push(view.set_times_at(lend(&root), PathFlags::empty(), path(), now, now).await);
    said.push(view.create_directory_at(lend(&root), "n".to_owned()).await);
    said.push(view.remove_directory_at(lend(&root), "d".to_owned()).await);
    said.push(view.unlink_file_at(lend(&root), path()).await);
    said.push(view.rename_at(lend(&root), path(), lend(&root), "g".to_owned()).await);
    for (nth, said) in said.into_iter().enumerate() {
        assert_eq!(code(said.unwrap_err()), ErrorCode::ReadOnly, "attempt {nth}");
    }
    // The mount may not be written and the descriptor was opened to read: either reason will do.
    let view = &mut guest.view();
    for said in [
        view.write(lend(&file), b"x".to_vec(), 0).await.map(drop),
        view.set_size(lend(&file), 0).await,
        view.write_via_stream(lend(&file), 0).map(drop),
        view.append_via_stream(lend(&file)).map(drop),
    ] {
        assert_eq!(code(said.unwrap_err()), ErrorCode::ReadOnly);
    }
    assert_eq!(guest.bench.host.read("f").unwrap(), b"content");
    assert!(guest.denials().contains(&Code::FilesAccess));
}

#[tokio::test]
async fn links_are_neither_made_nor_read() {
    let mut guest = Guest::new("read-write", 1000);
    guest.make("a").await.unwrap();
    let root = guest.root();
    let text = |text: &str| text.to_owned();
    let view = &mut guest.view();
    let none = PathFlags::empty();
    let said = [
        view.link_at(lend(&root), none, text("a"), lend(&root), text("b")).await,
        view.symlink_at(lend(&root), text("/etc"), text("b")).await,
        view.readlink_at(lend(&root), text("a")).await.map(drop),
    ];
    for said in said {
        assert_eq!(code(said.unwrap_err()), ErrorCode::NotPermitted);
    }
    assert_eq!(guest.denials(), [Code::FilesKind; 3]);
    assert_eq!(guest.bench.used(), used(0, 1));
}

#[tokio::test]
async fn an_escape_is_denied_with_a_reason_and_changes_nothing() {
    let mut guest = Guest::new("read-write", 1000);
    for path in ["../secret", "/etc/passwd", "a/../../secret"] {
        let error = guest.make(path).await.unwrap_err();
        assert_eq!(code(error), ErrorCode::NotPermitted, "{path}");
    }
    assert_eq!(guest.denials(), [Code::FilesPath; 3]);
    assert_eq!(guest.bench.outside.read("secret").unwrap(), b"not for guests");
}

#[tokio::test]
async fn bytes_count_towards_the_call() {
    let mut guest = Guest::new("read-write", 1 << 20);
    let file = guest.make("a").await.unwrap();
    let running = Arc::clone(guest.call.gate.running());
    let before = running.meter.used(LimitKind::Hostcall);
    guest.view().write(lend(&file), vec![1; 1000], 0).await.unwrap();
    guest.view().read(lend(&file), 1000, 0).await.unwrap();
    assert_eq!(running.meter.used(LimitKind::Hostcall), before + 2000);
}

#[tokio::test]
async fn what_is_read_is_labelled_as_the_tenant_s() {
    let bench = Bench::prepared(|host| host.write("f", "content").unwrap());
    let mut guest = Guest::over(bench, "read-write", 1000);
    let fd = guest.make("g").await.unwrap();
    guest.view().write(lend(&fd), b"x".to_vec(), 0).await.unwrap();
    assert!(guest.call.rig.labels().is_empty());
    let fd = guest.look("f").await.unwrap();
    guest.view().read(fd, 10, 0).await.unwrap();
    assert!(guest.call.rig.labels().has(Label::TenantData));
}
