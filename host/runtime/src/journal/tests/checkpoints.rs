//! What a checkpoint changes: how much a start reads, and nothing else.

use std::path::PathBuf;

use soma_policy::{CallId, Outcome};

use super::interrupted::{end, receipts, start};
use super::*;
use crate::journal::{CheckpointError, Replay};

/// Everything that was ever noted, and how much of it was seen this time.
#[derive(Default)]
pub(super) struct Notes {
    pub(super) all: Vec<String>,
    seen: usize,
    entries: Vec<JournalEntry>,
}

impl Replay for Notes {
    fn see(&mut self, entry: &JournalEntry) {
        self.seen += 1;
        self.all.extend(texts(std::slice::from_ref(entry)));
        self.entries.push(entry.clone());
    }

    fn state(&mut self) -> Result<serde_json::Value, String> {
        serde_json::to_value(&self.all).map_err(|e| e.to_string())
    }

    fn resume(&mut self, state: serde_json::Value) -> Result<(), String> {
        self.all = serde_json::from_value(state).map_err(|e| e.to_string())?;
        Ok(())
    }
}

fn small() -> JournalOptions {
    JournalOptions { segment_bytes: 2000, ..options() }
}

fn resume(disk: &PowerDisk, keys: &Keys) -> Result<(Journal, Notes), OpenError> {
    let mut notes = Notes::default();
    let disk = Arc::new(disk.clone());
    let journal = Journal::open_on(disk, small(), keys.key(), &mut notes)?;
    Ok((journal, notes))
}

fn folder() -> PathBuf {
    small().checkpoints
}

fn checkpoints(disk: &PowerDisk) -> Vec<PathBuf> {
    use crate::journal::disk::Disk as _;
    let names = disk.names(&folder()).unwrap_or_default();
    names.into_iter().map(|name| folder().join(name)).collect()
}

/// A journal of thirty notes over several segments with a checkpoint, closed.
fn checkpointed(keys: &Keys) -> PowerDisk {
    let disk = PowerDisk::default();
    let (journal, _) = resume(&disk, keys).unwrap();
    for n in 0..30 {
        record(&journal, &n.to_string());
    }
    assert!(journal.checkpoint_due());
    assert!(journal.checkpoint(&mut Notes::default()).unwrap());
    assert!(!journal.checkpoint_due());
    assert!(!journal.checkpoint(&mut Notes::default()).unwrap());
    journal.close().unwrap();
    disk
}

fn flip(disk: &PowerDisk, path: &Path, at: usize) {
    let mut bytes = disk.bytes(path);
    bytes[at] ^= 1;
    disk.put(path, &bytes);
}

fn thirty() -> Vec<String> {
    (0..30).map(|n| n.to_string()).collect()
}

#[test]
fn a_start_after_a_checkpoint_reads_the_tail_and_knows_everything() {
    let keys = Keys::new();
    let disk = checkpointed(&keys);
    let (journal, notes) = resume(&disk, &keys).unwrap();
    assert_eq!(notes.all, thirty());
    assert!(notes.seen < 12, "{} of 30 were read", notes.seen);
    // Readers and verification still see the whole journal, and it goes on as before.
    record(&journal, "more");
    let mut cursor = 0;
    let mut read = Vec::new();
    loop {
        let page = journal.read(cursor, 3).unwrap();
        if page.records.is_empty() {
            break;
        }
        cursor = page.next;
        read.extend(page.records.into_iter().map(|line| line.seq));
    }
    assert_eq!(read, (1..=*journal.durable().borrow()).collect::<Vec<_>>());
    journal.close().unwrap();
    assert_eq!(verified(&disk, &keys).unwrap().first, 1);
    assert_eq!(texts(&open_with(&disk, &keys, small()).unwrap().1).len(), 31);
}

#[test]
fn each_checkpoint_goes_on_from_the_one_before_and_replaces_it() {
    let keys = Keys::new();
    let disk = checkpointed(&keys);
    let first = checkpoints(&disk);
    let (journal, _) = resume(&disk, &keys).unwrap();
    for n in 30..60 {
        record(&journal, &n.to_string());
    }
    let mut notes = Notes::default();
    assert!(journal.checkpoint(&mut notes).unwrap());
    assert!(notes.seen < 40, "only what was closed since is read: {}", notes.seen);
    assert_eq!((checkpoints(&disk).len(), first.len()), (1, 1));
    assert_ne!(checkpoints(&disk), first);
    journal.close().unwrap();
    let (_, notes) = resume(&disk, &keys).unwrap();
    assert_eq!(notes.all.len(), 60);
    assert!(notes.seen < 12, "{}", notes.seen);
}

#[test]
fn any_damage_to_a_checkpoint_costs_a_full_read_and_nothing_else() {
    let keys = Keys::new();
    let disk = checkpointed(&keys);
    let path = checkpoints(&disk).remove(0);
    let bytes = disk.bytes(&path);
    let same = |disk: &PowerDisk, what: &str| {
        let (_, notes) = resume(disk, &keys).unwrap();
        assert_eq!((notes.all, notes.seen >= 30), (thirty(), true), "{what}");
    };
    for at in (0..bytes.len()).step_by(7) {
        let damaged = disk.copy();
        flip(&damaged, &path, at);
        same(&damaged, &format!("byte {at}"));
    }
    for length in (0..bytes.len()).step_by(31) {
        let damaged = disk.copy();
        damaged.put(&path, &bytes[..length]);
        same(&damaged, &format!("cut at {length}"));
    }
    let gone = disk.copy();
    gone.lose(&path);
    same(&gone, "gone");
}

#[test]
fn a_checkpoint_of_another_key_or_another_journal_is_not_used() {
    let (keys, other) = (Keys::new(), Keys::new());
    let (disk, theirs) = (checkpointed(&keys), checkpointed(&other));
    let (path, their_path) = (checkpoints(&disk).remove(0), checkpoints(&theirs).remove(0));
    disk.put(&path, &theirs.bytes(&their_path));
    let (_, notes) = resume(&disk, &keys).unwrap();
    assert_eq!((notes.all, notes.seen >= 30), (thirty(), true));
    // The same host began another journal: its old checkpoint stands for nothing in it.
    let old = checkpointed(&keys);
    let fresh = PowerDisk::default();
    let options = JournalOptions { journal: JournalId::from_u128(9), ..small() };
    let (journal, _) = open_with(&fresh, &keys, options).unwrap();
    for n in 0..30 {
        record(&journal, &format!("new {n}"));
    }
    journal.close().unwrap();
    let old_path = checkpoints(&old).remove(0);
    fresh.put(&old_path, &old.bytes(&old_path));
    let (_, notes) = resume(&fresh, &keys).unwrap();
    assert_eq!((notes.all.len(), notes.all[0].as_str()), (30, "new 0"));
}

#[test]
fn a_closed_segment_that_is_gone_or_cut_is_noticed_at_the_start() {
    let keys = Keys::new();
    for harm in [PowerDisk::lose as fn(&PowerDisk, &Path), |disk: &PowerDisk, path: &Path| {
        let bytes = disk.bytes(path);
        disk.put(path, &bytes[..bytes.len() - 1]);
    }] {
        let disk = checkpointed(&keys);
        harm(&disk, &first_segment());
        assert!(resume(&disk, &keys).is_err());
        assert!(verified(&disk, &keys).is_err());
    }
}

#[test]
fn what_was_changed_in_a_closed_segment_makes_no_checkpoint_and_is_found_by_verification() {
    let (disk, keys) = (PowerDisk::default(), Keys::new());
    let (journal, _) = resume(&disk, &keys).unwrap();
    for n in 0..30 {
        record(&journal, &n.to_string());
    }
    let middle = disk.bytes(&first_segment()).len() / 2;
    flip(&disk, &first_segment(), middle);
    let refused = journal.checkpoint(&mut Notes::default()).unwrap_err();
    assert!(matches!(refused, CheckpointError::Changed(_)), "{refused}");
    assert!(checkpoints(&disk).is_empty() && journal.checkpoint_due());
    drop(journal);
    // A start that has a checkpoint does not read old segments; proving them is what verification is for.
    let disk = checkpointed(&keys);
    flip(&disk, &first_segment(), middle);
    assert_eq!(resume(&disk, &keys).unwrap().1.all, thirty());
    assert!(matches!(verified(&disk, &keys), Err(VerifyError::Fault(_))));
}

#[test]
fn a_call_that_began_before_the_checkpoint_is_ended_after_it() {
    let (disk, keys) = (PowerDisk::default(), Keys::new());
    let (journal, _) = resume(&disk, &keys).unwrap();
    for entry in [start(1), start(2), end(2)] {
        journal.append(&entry).wait().unwrap();
    }
    for n in 0..30 {
        record(&journal, &n.to_string());
    }
    assert!(journal.checkpoint(&mut Notes::default()).unwrap());
    journal.close().unwrap();
    let (journal, notes) = resume(&disk, &keys).unwrap();
    let owed: Vec<_> =
        receipts(&notes.entries).iter().map(|(call, how, ..)| (*call, *how)).collect();
    assert_eq!(owed, [(CallId::from_u128(1), Outcome::Interrupted)]);
    journal.close().unwrap();
    assert!(receipts(&resume(&disk, &keys).unwrap().1.entries).len() <= 1, "it is ended once");
}

#[test]
fn a_power_loss_while_a_checkpoint_is_made_loses_nothing() {
    let keys = Keys::new();
    let full = PowerDisk::default();
    let (journal, _) = open_with(&full, &keys, small()).unwrap();
    for n in 0..30 {
        record(&journal, &n.to_string());
    }
    journal.close().unwrap();
    for lasts in 0..24 {
        for seed in 0..4 {
            let disk = full.copy();
            disk.power_lasts(lasts);
            if let Ok((journal, _)) = resume(&disk, &keys) {
                let _ = journal.checkpoint(&mut Notes::default());
            }
            disk.crash(seed * 100 + lasts);
            let (journal, notes) = resume(&disk, &keys).unwrap();
            assert_eq!(notes.all, thirty(), "power lasts {lasts}");
            assert!(journal.checkpoint(&mut Notes::default()).is_ok());
            drop(journal);
            verified(&disk, &keys).unwrap();
        }
    }
}
