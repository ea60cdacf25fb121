//! A journal that runs: what is acknowledged, what readers see, and what failure does.

use std::collections::BTreeSet;
use std::io::ErrorKind;

use super::*;
use crate::journal::JournalError;
use crate::journal::power::Change;

#[test]
fn every_entry_has_its_own_place_in_the_order_of_appending() {
    let (disk, keys) = (PowerDisk::default(), Keys::new());
    let (journal, _) = open(&disk, &keys).unwrap();
    let tickets: Vec<_> = (0..100).map(|n| journal.append(&note(&n.to_string()))).collect();
    let places: Vec<_> = tickets.iter().map(|ticket| ticket.wait().unwrap()).collect();
    assert!(places.windows(2).all(|pair| pair[0].seq < pair[1].seq));
    let hashes: BTreeSet<_> = places.iter().map(|place| place.hash).collect();
    assert_eq!(hashes.len(), 100);
    let page = journal.read(0, 1000).unwrap();
    for (n, place) in places.iter().enumerate() {
        let line = page.records.iter().find(|line| line.seq == place.seq).unwrap();
        assert_eq!(line.hash, place.hash);
        assert!(line.body().contains(&format!("\"{n}\"")), "{line:?}");
    }
}

#[test]
fn nothing_is_acknowledged_or_shown_before_the_disk_has_it() {
    let (disk, keys) = (PowerDisk::default(), Keys::new());
    let (journal, _) = open(&disk, &keys).unwrap();
    record(&journal, "before");
    let seen = journal.read(0, 100).unwrap();
    disk.hold_syncs(true);
    let ticket = journal.append(&note("after"));
    assert!(ticket.poll().is_none());
    assert_eq!(journal.read(0, 100).unwrap(), seen);
    assert!(journal.read(seen.next, 100).unwrap().records.is_empty());
    disk.hold_syncs(false);
    let place = ticket.wait().unwrap();
    let page = journal.read(seen.next, 100).unwrap();
    assert_eq!(page.records[0].seq, place.seq);
    assert_eq!(*journal.durable().borrow(), page.durable);
}

#[test]
fn a_full_disk_stops_the_journal_with_its_own_error_and_no_panic() {
    let (disk, keys) = (PowerDisk::default(), Keys::new());
    let (journal, _) = open(&disk, &keys).unwrap();
    record(&journal, "kept");
    disk.fail(Change::Write, ErrorKind::StorageFull);
    let refused = journal.append(&note("lost")).wait().unwrap_err();
    assert!(matches!(&refused, JournalError::Disk(error) if error.is_full()), "{refused}");
    assert!(journal.health().is_err());
    assert!(matches!(journal.append(&note("later")).poll(), Some(Err(JournalError::Disk(_)))));
    assert!(futures::executor::block_on(journal.room()).is_err());
    assert!(journal.close().is_err());
    drop(journal);
    disk.crash(1);
    assert_eq!(texts(&open(&disk, &keys).unwrap().1), ["kept"]);
}

#[test]
fn a_failed_sync_is_never_asked_again() {
    let (disk, keys) = (PowerDisk::default(), Keys::new());
    let (journal, _) = open(&disk, &keys).unwrap();
    disk.fail(Change::Sync, ErrorKind::Other);
    assert!(journal.append(&note("a")).wait().is_err());
    let changes = disk.changes();
    assert!(journal.append(&note("b")).wait().is_err());
    assert!(journal.close().is_err());
    drop(journal);
    assert_eq!(disk.changes(), changes);
}

#[test]
fn a_writer_that_goes_down_leaves_nobody_waiting() {
    let (disk, keys) = (PowerDisk::default(), Keys::new());
    let (journal, _) = open(&disk, &keys).unwrap();
    disk.panic_on_sync();
    assert!(journal.append(&note("a")).wait().is_err());
    assert!(journal.append(&note("b")).wait().is_err());
    assert!(futures::executor::block_on(journal.room()).is_err());
}

#[test]
fn an_entry_that_waits_when_the_disk_fails_is_told_so() {
    let (disk, keys) = (PowerDisk::default(), Keys::new());
    let (journal, _) = open(&disk, &keys).unwrap();
    disk.hold_syncs(true);
    let first = journal.append(&note("a"));
    let second = journal.append(&note("b"));
    disk.fail(Change::Sync, ErrorKind::Other);
    disk.hold_syncs(false);
    assert!(first.wait().is_err());
    assert!(second.wait().is_err());
}

#[tokio::test]
async fn a_full_queue_refuses_and_room_comes_back_when_the_writer_does() {
    let (disk, keys) = (PowerDisk::default(), Keys::new());
    let small = JournalOptions { queue_bytes: 2000, ..options() };
    let (journal, _) = open_with(&disk, &keys, small).unwrap();
    disk.hold_syncs(true);
    let mut tickets = vec![journal.append(&note("taken by the writer"))];
    let refused = loop {
        let ticket = journal.append(&note("waits in the queue"));
        match ticket.poll() {
            Some(Err(error)) => break error,
            _ => tickets.push(ticket),
        }
    };
    assert!(matches!(refused, JournalError::Full));
    let waiting = journal.clone();
    let room = tokio::spawn(async move { waiting.room().await });
    disk.hold_syncs(false);
    room.await.unwrap().unwrap();
    for ticket in tickets {
        ticket.durable().await.unwrap();
    }
    journal.append(&note("again")).durable().await.unwrap();
}

#[test]
fn an_entry_beyond_the_bound_is_refused_and_changes_nothing() {
    let (disk, keys) = (PowerDisk::default(), Keys::new());
    let (journal, _) = open(&disk, &keys).unwrap();
    let long = "x".repeat(2 * 1024 * 1024);
    assert!(matches!(journal.append(&note(&long)).wait(), Err(JournalError::TooLong { .. })));
    assert_eq!(record(&journal, "short").seq, 1);
}

#[test]
fn a_closed_journal_takes_no_more_and_is_signed_to_its_end() {
    let keys = Keys::new();
    let rare = JournalOptions { sign_every: Duration::from_secs(3600), ..options() };
    let disk = PowerDisk::default();
    let (journal, _) = open_with(&disk, &keys, rare).unwrap();
    for text in ["a", "b", "c"] {
        record(&journal, text);
    }
    assert!(verified(&disk, &keys).unwrap().unsigned > 0);
    journal.close().unwrap();
    assert!(matches!(journal.append(&note("d")).wait(), Err(JournalError::Closed)));
    let report = verified(&disk, &keys).unwrap();
    assert_eq!((report.unsigned, report.entries["audit"], report.tail), (0, 3, None));
}

#[test]
fn a_signature_follows_though_nothing_else_happens() {
    let keys = Keys::new();
    let soon = JournalOptions { sign_every: Duration::from_millis(1), ..options() };
    let disk = PowerDisk::default();
    let (journal, _) = open_with(&disk, &keys, soon).unwrap();
    let mut durable = journal.durable();
    record(&journal, "signed at once");
    record(&journal, "signed by the cadence");
    let signed = |_: &u64| verified(&disk, &keys).unwrap().unsigned == 0;
    futures::executor::block_on(durable.wait_for(signed)).unwrap();
}

#[test]
fn pages_follow_the_cursor_over_segments() {
    let (disk, keys) = (PowerDisk::default(), Keys::new());
    let (journal, _) =
        open_with(&disk, &keys, JournalOptions { segment_bytes: 2000, ..options() }).unwrap();
    for n in 0..50 {
        record(&journal, &n.to_string());
    }
    let (mut cursor, mut seen) = (0, Vec::new());
    loop {
        let page = journal.read(cursor, 7).unwrap();
        if page.records.is_empty() {
            break;
        }
        cursor = page.next;
        seen.extend(page.records.into_iter().map(|line| line.seq));
    }
    let expected: Vec<u64> = (1..=*journal.durable().borrow()).collect();
    assert_eq!(seen, expected);
    assert!(journal.read(u64::MAX, 7).unwrap().records.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_tasks_share_groups_on_a_real_disk() {
    let folder = tempfile::tempdir().unwrap();
    let keys = Keys::new();
    let places = |base: &JournalOptions| JournalOptions {
        dir: folder.path().join("journal"),
        head_file: folder.path().join("heads/journal"),
        ..base.clone()
    };
    let journal = Journal::open(places(&options()), keys.key(), &mut |_| {}).unwrap();
    let tasks: Vec<_> = (0..64)
        .map(|task| {
            let journal = journal.clone();
            tokio::spawn(async move {
                let mut last = 0;
                for n in 0..20 {
                    let ticket = journal.append(&note(&format!("{task}/{n}")));
                    let place = ticket.durable().await.unwrap();
                    assert!(place.seq > last);
                    last = place.seq;
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    journal.close().unwrap();
    drop(journal);
    let mut count = 0;
    let journal = Journal::open(places(&options()), keys.key(), &mut |_| count += 1).unwrap();
    assert_eq!(count, 64 * 20);
    let again = Journal::open(places(&options()), keys.key(), &mut |_| {});
    assert!(matches!(again, Err(OpenError::Locked(_))));
    drop(journal);
    let (dir, head) = (folder.path().join("journal"), folder.path().join("heads/journal"));
    let report = crate::journal::verify(&dir, &head, &keys.key().public()).unwrap();
    assert_eq!(report.entries["audit"], 64 * 20);
}
