use std::fs::{OpenOptions, read, write};
use std::path::{Path, PathBuf};

use serde_json::json;

use super::desk::{Desk, applied, feed, key};

/// The log of the feed.
fn log(folder: &Path) -> PathBuf {
    let names = crate::home::names_in(folder).unwrap();
    let mut logs = names.iter().filter(|name| name.starts_with("log-"));
    let (Some(log), None) = (logs.next(), logs.next()) else { panic!("{names:?}") };
    folder.join(log)
}

/// A host that applied a snapshot and two batches, ended.
async fn ended() -> Desk {
    let desk = Desk::new().await;
    let capsule = desk.capsule(42, "1.0.0");
    desk.publish(&capsule);
    let host = desk.open();
    applied(&host, desk.server.head()).await;
    for id in ["one", "two"] {
        let head = desk.install(id, desk.revision(&capsule, 1, &json!({})));
        applied(&host, head).await;
    }
    drop(host);
    desk
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_was_cut_anywhere_is_read_up_to_there_and_the_rest_is_given_again() {
    let desk = ended().await;
    let path = log(&desk.state());
    let whole = read(&path).unwrap();
    let head = desk.server.head();
    let step = (whole.len() / 7).max(1);
    for cut in (0..whole.len()).step_by(step).chain([whole.len() - 1]) {
        write(&path, &whole[..cut]).unwrap();
        let host = desk.open();
        assert!(feed(&host).applied().head.n <= head.n, "cut at {cut}");
        applied(&host, head).await;
        assert_eq!(host.snapshot().len(), 2, "cut at {cut}");
        drop(host);
        // What was given again is on disk again.
        let again = desk.open();
        assert_eq!(feed(&again).applied().head, head, "cut at {cut}");
        drop(again);
        write(&path, &whole).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn damage_in_the_log_or_the_snapshot_is_found_and_the_server_asked_again() {
    let desk = ended().await;
    let (path, head) = (log(&desk.state()), desk.server.head());
    let mut damaged = read(&path).unwrap();
    let middle = damaged.len() / 2;
    damaged[middle] ^= 1;
    write(&path, &damaged).unwrap();
    let host = desk.open();
    assert!(feed(&host).applied().head.n < head.n);
    applied(&host, head).await;
    drop(host);
    let snapshot = desk.state().join("snapshot.json");
    let mut damaged = read(&snapshot).unwrap();
    let middle = damaged.len() / 2;
    damaged[middle] ^= 1;
    write(&snapshot, &damaged).unwrap();
    let host = desk.open();
    assert!(feed(&host).applied().is_nothing());
    applied(&host, head).await;
    assert!(host.snapshot().running(&key("two")).is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_without_its_log_and_logs_of_other_snapshots_are_what_a_crash_leaves() {
    let desk = ended().await;
    let (path, head) = (log(&desk.state()), desk.server.head());
    let old = read(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    write(desk.state().join("log-0-1-feedfeedfeed"), &old).unwrap();
    OpenOptions::new()
        .create(true)
        .append(true)
        .open(desk.state().join(".snapshot.json.1.1.new"))
        .unwrap();
    let host = desk.open();
    assert!(feed(&host).applied().head.n < head.n);
    applied(&host, head).await;
    drop(host);
    assert_eq!(log(&desk.state()), path, "the stray log is gone");
}
