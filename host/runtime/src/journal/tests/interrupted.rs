//! Calls that a crash cut off: each start gets exactly one end.

use soma_policy::{
    BootId, CallFacts, CallId, Digest, FeedPosition, LeaseId, Outcome, Receipt, StartRecord, Usage,
    UsageMark,
};

use super::*;

fn facts(call: u128) -> CallFacts {
    CallFacts {
        call: CallId::from_u128(call),
        digest: Digest::of(b"component"),
        environment: "production".parse().unwrap(),
        feed: FeedPosition { epoch: 0, n: 1 },
        function: "to-json".parse().unwrap(),
        grants: Digest::of(b"grants"),
        installation: "csv".parse().unwrap(),
        lease: LeaseId::from_u128(1),
        offer: Digest::of(b"offer"),
        org: "local".parse().unwrap(),
        parent: None,
        policy: Digest::of(b"policy"),
        revision: 1,
        root: CallId::from_u128(call),
        started_at: Timestamp(100),
    }
}

pub(super) fn start(call: u128) -> JournalEntry {
    let boot = BootId::from_u128(1);
    JournalEntry::Start(StartRecord { boot, facts: facts(call), reserved: None })
}

fn mark(call: u128, at: u64, cpu_us: u64) -> JournalEntry {
    JournalEntry::Usage(UsageMark {
        call: CallId::from_u128(call),
        at: Timestamp(at),
        usage: Usage { cpu_us, ..Usage::default() },
    })
}

pub(super) fn end(call: u128) -> JournalEntry {
    JournalEntry::Receipt(Box::new(Receipt {
        charge: None,
        denials: Vec::new(),
        denials_dropped: 0,
        ended_at: Timestamp(200),
        facts: facts(call),
        mapped_peers: Vec::new(),
        outcome: Outcome::Ok,
        usage: Usage::default(),
        v: Receipt::VERSION,
    }))
}

pub(super) fn receipts(replayed: &[JournalEntry]) -> Vec<(CallId, Outcome, u64, u64)> {
    replayed
        .iter()
        .filter_map(|entry| match entry {
            JournalEntry::Receipt(r) => {
                Some((r.facts.call, r.outcome, r.ended_at.0, r.usage.cpu_us))
            }
            _ => None,
        })
        .collect()
}

#[test]
fn a_start_without_an_end_is_settled_at_its_last_durable_usage_mark_and_once_only() {
    let (disk, keys) = (PowerDisk::default(), Keys::new());
    let (journal, _) = open(&disk, &keys).unwrap();
    for entry in [start(1), start(2), mark(2, 120, 7), start(3), end(1), mark(2, 140, 9)] {
        journal.append(&entry).wait().unwrap();
    }
    let crashed = disk.copy();
    crashed.crash(1);
    let (two, three) = (CallId::from_u128(2), CallId::from_u128(3));
    let (journal, replayed) = open(&crashed, &keys).unwrap();
    let expected = vec![
        (CallId::from_u128(1), Outcome::Ok, 200, 0),
        (three, Outcome::Interrupted, 100, 0),
        (two, Outcome::Interrupted, 140, 9),
    ];
    assert_eq!(receipts(&replayed), expected);
    drop(journal);
    assert_eq!(receipts(&open(&crashed, &keys).unwrap().1), expected);
}

#[test]
fn more_interrupted_calls_than_the_queue_holds_are_all_settled() {
    let (disk, keys) = (PowerDisk::default(), Keys::new());
    let (journal, _) = open(&disk, &keys).unwrap();
    for call in 0..50 {
        journal.append(&start(call)).wait().unwrap();
    }
    let crashed = disk.copy();
    crashed.crash(1);
    let small = JournalOptions { queue_bytes: 3000, ..options() };
    let (_journal, replayed) = open_with(&crashed, &keys, small).unwrap();
    assert_eq!(receipts(&replayed).len(), 50);
}
