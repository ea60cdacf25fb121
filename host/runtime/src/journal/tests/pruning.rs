//! Letting go of what the server has taken: whole segments that a checkpoint stands for, and nothing else.

use super::checkpoints::Notes;
use super::*;
use crate::journal::{CheckpointError, JournalError, Replay};

fn small() -> JournalOptions {
    JournalOptions { segment_bytes: 2000, spare_segments: 1, ..options() }
}

fn resume(disk: &PowerDisk, keys: &Keys) -> Result<(Journal, Notes), OpenError> {
    let mut notes = Notes::default();
    let journal = Journal::open_on(Arc::new(disk.clone()), small(), keys.key(), &mut notes)?;
    Ok((journal, notes))
}

/// A journal of notes over many segments; with a checkpoint, still open.
fn written(keys: &Keys, checkpoint: bool) -> (PowerDisk, Journal) {
    let disk = PowerDisk::default();
    let (journal, _) = resume(&disk, keys).unwrap();
    for n in 0..60 {
        record(&journal, &n.to_string());
    }
    if checkpoint {
        assert!(journal.checkpoint(&mut Notes::default()).unwrap());
    }
    (disk, journal)
}

fn first(journal: &Journal) -> u64 {
    journal.read(0, 1).unwrap().records[0].seq
}

/// The writer has done what it was asked when it has written this.
fn settled(journal: &Journal) {
    record(journal, "after");
    record(journal, "the prune");
}

#[test]
fn only_what_the_server_has_taken_and_a_checkpoint_stands_for_goes() {
    let keys = Keys::new();
    let (disk, journal) = written(&keys, false);
    journal.taken(60).unwrap();
    settled(&journal);
    assert_eq!(first(&journal), 1, "no checkpoint stands for anything");
    assert!(journal.checkpoint(&mut Notes::default()).unwrap());
    journal.taken(1).unwrap();
    settled(&journal);
    assert_eq!(first(&journal), 1, "the server has taken nothing");
    journal.taken(60).unwrap();
    settled(&journal);
    let kept = first(&journal);
    assert!(kept > 1 && kept < 60, "{kept}");
    assert!(matches!(journal.read(1, 1), Err(JournalError::Pruned { first }) if first == kept));
    journal.close().unwrap();
    assert_eq!(verified(&disk, &keys).unwrap().first, kept);
    let (journal, notes) = resume(&disk, &keys).unwrap();
    assert_eq!(notes.all.len(), 66, "the checkpoint knows what was pruned");
    assert_eq!(first(&journal), kept);
}

#[test]
fn checkpoints_go_on_over_what_was_pruned() {
    let keys = Keys::new();
    let (disk, journal) = written(&keys, true);
    journal.taken(60).unwrap();
    for n in 60..120 {
        record(&journal, &n.to_string());
    }
    assert!(journal.checkpoint(&mut Notes::default()).unwrap());
    journal.taken(120).unwrap();
    settled(&journal);
    assert!(first(&journal) > 60);
    journal.close().unwrap();
    assert_eq!(resume(&disk, &keys).unwrap().1.all.len(), 122);
}

#[test]
fn without_the_checkpoint_a_pruned_journal_does_not_open_as_if_nothing_was_lost() {
    let keys = Keys::new();
    let (disk, journal) = written(&keys, true);
    journal.taken(60).unwrap();
    settled(&journal);
    let kept = first(&journal);
    for name in crate::journal::disk::Disk::names(&disk, &small().checkpoints).unwrap() {
        disk.lose(&small().checkpoints.join(name));
    }
    for n in 60..90 {
        record(&journal, &n.to_string());
    }
    let made = journal.checkpoint(&mut Notes::default());
    assert!(matches!(made, Err(CheckpointError::Lost(lost)) if lost == kept), "{made:?}");
    journal.close().unwrap();
    drop(journal);
    assert!(matches!(resume(&disk, &keys), Err(OpenError::Unremembered(lost)) if lost == kept));
}

#[test]
fn a_power_loss_while_pruning_loses_nothing_that_must_stay() {
    let keys = Keys::new();
    let (full, journal) = written(&keys, true);
    journal.close().unwrap();
    drop(journal);
    for lasts in 0..30 {
        for seed in 0..4 {
            let disk = full.copy();
            disk.power_lasts(lasts);
            if let Ok((journal, _)) = resume(&disk, &keys) {
                let _ = journal.taken(60);
                // Waited for, so that the writer has seen the prune before the power goes.
                let _ = journal.append(&note("x")).wait();
            }
            disk.crash(seed * 100 + lasts);
            let (journal, mut notes) =
                resume(&disk, &keys).unwrap_or_else(|error| panic!("{lasts} {seed}: {error}"));
            let told: Vec<String> = serde_json::from_value(notes.state().unwrap()).unwrap();
            assert!((0..60).all(|n| told.contains(&n.to_string())), "{lasts} {seed}");
            drop(journal);
            verified(&disk, &keys).unwrap();
        }
    }
}
