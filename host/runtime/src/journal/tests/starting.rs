//! A journal that starts: what it takes up again, what it repairs, and what it refuses.

use super::*;
use crate::journal::chain;
use crate::journal::frame;
use crate::journal::head::SLOT;
use crate::journal::record::{self as envelope, Kind};

#[test]
fn a_restart_replays_every_entry_in_order_and_goes_on_with_the_chain() {
    let (disk, keys) = (PowerDisk::default(), Keys::new());
    for round in 0..5 {
        let (journal, replayed) = open(&disk, &keys).unwrap();
        assert_eq!(texts(&replayed), (0..round).map(|n| n.to_string()).collect::<Vec<_>>());
        record(&journal, &round.to_string());
        drop(journal);
        assert_eq!(verified(&disk, &keys).unwrap().entries["audit"], round + 1);
    }
}

#[test]
fn an_existing_journal_keeps_its_name() {
    let keys = Keys::new();
    let disk = closed(&keys, &["a"], options());
    let other = JournalOptions { journal: JournalId::from_u128(99), ..options() };
    assert_eq!(open_with(&disk, &keys, other).unwrap().0.id(), JournalId::from_u128(7));
}

#[test]
fn a_torn_tail_above_the_head_is_cut_away() {
    let keys = Keys::new();
    let whole = closed(&keys, &["a", "b"], options());
    let bytes = whole.bytes(&first_segment());
    for junk in [&[0_u8; 100][..], &[0xff; 3], &bytes[..40], &[16, 0, 0, 0, 1, 2, 3, 4, 5, 6]] {
        let disk = whole.copy();
        disk.put(&first_segment(), &[&bytes, junk].concat());
        assert!(verified(&disk, &keys).unwrap().tail.is_some());
        let (journal, replayed) = open(&disk, &keys).unwrap();
        assert_eq!(texts(&replayed), ["a", "b"]);
        assert!(disk.bytes(&first_segment()).starts_with(&bytes));
        assert!(replayed.iter().any(is_repair));
        record(&journal, "c");
        journal.close().unwrap();
        // Two, the record of the repair, and one more.
        assert_eq!(verified(&disk, &keys).unwrap().entries["audit"], 4);
    }
}

fn is_repair(entry: &JournalEntry) -> bool {
    matches!(entry, JournalEntry::Audit(event) if event.event == AuditKind::JournalRepaired)
}

#[test]
fn an_entry_that_the_host_did_not_sign_is_cut_rather_than_signed() {
    let keys = Keys::new();
    let disk = closed(&keys, &["a"], options());
    let report = verified(&disk, &keys).unwrap();
    let mut bytes = disk.bytes(&first_segment());
    let body = soma_policy::canonical::to_vec(&note("forged")).unwrap();
    let at = frame::begin(&mut bytes);
    envelope::write(&mut bytes, Kind::Entry, &body, &report.head, report.last + 1);
    frame::finish(&mut bytes, at);
    disk.put(&first_segment(), &bytes);
    let (journal, replayed) = open(&disk, &keys).unwrap();
    assert_eq!(texts(&replayed), ["a"]);
    record(&journal, "b");
    drop(journal);
    assert_eq!(texts(&open(&disk, &keys).unwrap().1), ["a", "b"]);
}

#[test]
fn a_tail_that_ends_below_the_head_is_a_refusal() {
    let keys = Keys::new();
    let whole = closed(&keys, &["a", "b", "c"], options());
    let bytes = whole.bytes(&first_segment());
    for length in 0..bytes.len() {
        let disk = whole.copy();
        disk.put(&first_segment(), &bytes[..length]);
        let refused = open(&disk, &keys).unwrap_err();
        assert!(matches!(refused, OpenError::BelowHead { .. }), "{length}: {refused}");
        assert_eq!(disk.bytes(&first_segment()).len(), length, "a refusal changes nothing");
    }
    let disk = whole.copy();
    disk.lose(&first_segment());
    assert!(matches!(open(&disk, &keys), Err(OpenError::BelowHead { found: 0, .. })));
}

#[test]
fn a_missing_or_unreadable_head_is_a_refusal_and_one_bad_slot_is_not() {
    let keys = Keys::new();
    let whole = closed(&keys, &["a", "b", "c"], options());
    let head = Path::new(HEAD);
    let disk = whole.copy();
    disk.lose(head);
    assert!(matches!(open(&disk, &keys), Err(OpenError::HeadMissing(_))));
    assert!(matches!(verified(&disk, &keys), Err(VerifyError::Head(_))));
    let bytes = whole.bytes(head);
    for slot in 0..2 {
        let disk = whole.copy();
        let mut torn = bytes.clone();
        torn[slot * SLOT + 60] ^= 1;
        disk.put(head, &torn);
        assert_eq!(texts(&open(&disk, &keys).unwrap().1), ["a", "b", "c"]);
    }
    let disk = whole.copy();
    let mut torn = bytes;
    torn[60] ^= 1;
    torn[SLOT + 60] ^= 1;
    disk.put(head, &torn);
    assert!(matches!(open(&disk, &keys), Err(OpenError::HeadUnreadable(_))));
}

#[test]
fn a_head_that_another_key_sealed_is_a_refusal() {
    let keys = Keys::new();
    let disk = closed(&keys, &["a"], options());
    assert!(matches!(open(&disk, &Keys::new()), Err(OpenError::HeadUnreadable(_))));
}

#[test]
fn head_and_segments_of_two_journals_are_a_refusal() {
    let keys = Keys::new();
    let disk = closed(&keys, &["a"], options());
    let other =
        closed(&keys, &["a"], JournalOptions { journal: JournalId::from_u128(9), ..options() });
    disk.put(Path::new(HEAD), &other.bytes(Path::new(HEAD)));
    assert!(matches!(open(&disk, &keys), Err(OpenError::Foreign { .. })));
    assert!(matches!(verified(&disk, &keys), Err(VerifyError::Foreign { .. })));
}

#[test]
fn a_journal_that_was_written_anew_from_the_same_start_is_a_fork() {
    let keys = Keys::new();
    let disk = closed(&keys, &["a", "b"], options());
    let other = closed(&keys, &["a", "x", "y"], options());
    disk.put(&first_segment(), &other.bytes(&first_segment()));
    assert!(matches!(open(&disk, &keys), Err(OpenError::Fork(_))));
    assert!(matches!(verified(&disk, &keys), Err(VerifyError::Fork(_))));
}

#[test]
fn a_lost_segment_in_the_middle_is_a_refusal() {
    let keys = Keys::new();
    let small = JournalOptions { segment_bytes: 1200, ..options() };
    let names: Vec<String> = (0..20).map(|n| n.to_string()).collect();
    let disk = closed(&keys, &names.iter().map(String::as_str).collect::<Vec<_>>(), small);
    let firsts = segment::list(&disk, Path::new(DIR)).unwrap();
    assert!(firsts.len() > 3, "{firsts:?}");
    disk.lose(&segment::path(Path::new(DIR), firsts[1]));
    assert!(matches!(open(&disk, &keys), Err(OpenError::BelowHead { .. })));
    assert!(matches!(verified(&disk, &keys), Err(VerifyError::Fault(_))));
}

#[test]
fn a_frame_hash_is_the_sha_256_of_its_payload() {
    assert_eq!(chain::hash(b"abc"), soma_policy::Digest::of(b"abc"));
}
