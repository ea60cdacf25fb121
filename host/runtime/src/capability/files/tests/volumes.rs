//! From a grant to a mount: one folder, one ledger, whoever calls.

use super::super::view::{FilesState, FilesView};
use super::super::volumes::{FilesError, Volumes};
use super::call::{Call, call, call_of};
use super::{Dir, ambient_authority};
use crate::running::Cut;
use soma_wit::standard::filesystem::preopens::Host as _;
use soma_wit::standard::filesystem::types::{
    DescriptorFlags, ErrorCode, HostDescriptor, OpenFlags, PathFlags,
};
use std::sync::Arc;
use wasmtime::component::{Resource, ResourceTable};

struct Home {
    folder: tempfile::TempDir,
    dir: Dir,
    volumes: Volumes,
}

fn home() -> Home {
    home_with(usize::MAX)
}

fn home_with(idle_max: usize) -> Home {
    let folder = tempfile::tempdir().unwrap();
    let open = || Dir::open_ambient_dir(folder.path(), ambient_authority()).unwrap();
    let volumes = Volumes::keeping(open(), idle_max);
    let dir = open();
    Home { folder, dir, volumes }
}

impl Home {
    async fn prepare(&self, call: &Call) -> FilesState {
        self.volumes.prepare(&call.gate).await.unwrap()
    }
}

/// Writes `bytes` to the file `name` of the first mount.
async fn put(state: &FilesState, name: &str, bytes: usize) -> Result<u64, ErrorCode> {
    let mut table = ResourceTable::new();
    let mut view = FilesView::new(&mut table, state);
    let (root, _) = view.get_directories().unwrap().remove(0);
    let flags = DescriptorFlags::READ | DescriptorFlags::WRITE;
    let fd = view
        .open_at(root, PathFlags::empty(), name.to_owned(), OpenFlags::CREATE, flags)
        .await
        .map_err(|error| error.downcast().unwrap())?;
    let fd = Resource::new_borrow(fd.rep());
    view.write(fd, vec![0; bytes], 0).await.map_err(|error| error.downcast().unwrap())
}

#[tokio::test]
async fn two_calls_of_one_installation_share_folder_and_quota() {
    let home = home();
    let (one, two) = (call("read-write", 10), call("read-write", 10));
    let (a, b) = tokio::join!(home.prepare(&one), home.prepare(&two));
    assert_eq!(put(&a, "a", 6).await, Ok(6));
    assert_eq!(put(&b, "b", 6).await, Err(ErrorCode::Quota));
    assert_eq!(put(&b, "b", 4).await, Ok(4));
    let path = home.folder.path().join("local/production/probe/data/a");
    assert!(path.is_file(), "{}", path.display());
}

#[tokio::test]
async fn another_capability_has_its_own() {
    let home = home();
    let (one, two) = (call_of("one"), call_of("two"));
    let (a, b) = (home.prepare(&one).await, home.prepare(&two).await);
    assert_eq!(put(&a, "same", 3).await, Ok(3));
    assert!(home.dir.exists("local/production/probe/one/same"));
    assert!(!home.dir.exists("local/production/probe/two/same"));
    assert_eq!(put(&b, "same", 3).await, Ok(3));
}

#[tokio::test]
async fn a_narrower_grant_counts_from_the_next_call_on() {
    let home = home();
    let wide = call("read-write", 100);
    assert_eq!(put(&home.prepare(&wide).await, "a", 50).await, Ok(50));
    let narrow = call("read-write", 20);
    let state = home.prepare(&narrow).await;
    assert_eq!(put(&state, "b", 1).await, Err(ErrorCode::Quota));
    assert_eq!(put(&state, "a", 50).await, Ok(50), "what is there may be overwritten");
}

#[tokio::test]
async fn a_link_planted_on_the_way_to_a_volume_is_not_followed() {
    let home = home();
    home.dir.create_dir("elsewhere").unwrap();
    home.dir.symlink("elsewhere", "local").unwrap();
    let one = call("read-write", 10);
    let error = home.volumes.prepare(&one.gate).await.err().unwrap();
    assert!(matches!(error, FilesError::Volume { .. }), "{error}");
    assert!(!home.dir.exists("elsewhere/production"));
}

#[tokio::test]
async fn a_cut_call_gets_no_files() {
    let home = home();
    let one = call("read-write", 10);
    one.gate.running().cut(Cut::Abandoned);
    let error = home.volumes.prepare(&one.gate).await.err().unwrap();
    assert!(matches!(error, FilesError::Cut(Cut::Abandoned)));
}

#[tokio::test]
async fn idle_volumes_are_let_go_and_counted_again_while_used_ones_stay() {
    let home = home_with(1);
    let used = call_of("used");
    let held = home.prepare(&used).await;
    let idle = call_of("idle");
    assert_eq!(put(&home.prepare(&idle).await, "a", 7).await, Ok(7));
    assert_eq!(home.volumes.open_count(), 2);
    let third = call_of("third");
    drop(home.prepare(&third).await);
    assert_eq!(home.volumes.open_count(), 2, "the idle one went");
    assert_eq!(put(&held, "a", 8).await, Ok(8));
    let again = home.prepare(&idle).await;
    let full = super::call::BYTES - 7;
    assert_eq!(put(&again, "b", full + 1).await, Err(ErrorCode::Quota));
    assert_eq!(put(&again, "b", full).await, Ok(full as u64));
}

#[test]
fn volumes_are_shared_between_threads() {
    fn check<T: Send + Sync>() {}
    check::<Arc<Volumes>>();
}
