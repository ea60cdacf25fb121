//! Verification finds what was done to a journal after it was written.

use super::*;
use crate::journal::frame::{self, HEADER};
use crate::journal::head::Head;
use crate::journal::record::{self as envelope, Kind};
use crate::journal::{chain, disk::Disk, head};

/// Offsets of the frames of a segment.
fn frames(bytes: &[u8]) -> Vec<(usize, usize)> {
    let (mut at, mut frames) = (0, Vec::new());
    while at < bytes.len() {
        let length = u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap()) as usize;
        frames.push((at, at + HEADER + length));
        at += HEADER + length;
    }
    frames
}

fn frame_of(payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let at = frame::begin(&mut out);
    out.extend_from_slice(payload);
    frame::finish(&mut out, at);
    out
}

#[test]
fn every_flipped_byte_is_found() {
    let keys = Keys::new();
    let small = JournalOptions { segment_bytes: 1500, ..options() };
    let whole = closed(&keys, &["a", "b", "c", "d"], small);
    let firsts = segment::list(&whole, Path::new(DIR)).unwrap();
    assert!(firsts.len() > 1);
    for first in firsts {
        let path = segment::path(Path::new(DIR), first);
        let bytes = whole.bytes(&path);
        for at in 0..bytes.len() {
            let disk = whole.copy();
            let mut flipped = bytes.clone();
            flipped[at] ^= 1 << (at % 8);
            disk.put(&path, &flipped);
            assert!(verified(&disk, &keys).is_err(), "byte {at} of segment {first}");
            assert!(open(&disk, &keys).is_err(), "byte {at} of segment {first}");
        }
    }
}

#[test]
fn every_cut_is_found() {
    let keys = Keys::new();
    let whole = closed(&keys, &["a", "b", "c"], options());
    let bytes = whole.bytes(&first_segment());
    for length in 0..bytes.len() {
        let disk = whole.copy();
        disk.put(&first_segment(), &bytes[..length]);
        assert!(verified(&disk, &keys).is_err(), "cut at {length}");
    }
}

#[test]
fn every_removed_repeated_or_exchanged_record_is_found() {
    let keys = Keys::new();
    let whole = closed(&keys, &["a", "b", "c"], options());
    let bytes = whole.bytes(&first_segment());
    let frames = frames(&bytes);
    let part = |n: usize| &bytes[frames[n].0..frames[n].1];
    for n in 0..frames.len() {
        let mut without = bytes.clone();
        without.drain(frames[n].0..frames[n].1);
        let mut twice = bytes[..frames[n].1].to_vec();
        twice.extend_from_slice(&bytes[frames[n].0..]);
        let mut variants = vec![without, twice];
        if n + 1 < frames.len() {
            let (a, b) = (part(n), part(n + 1));
            let rest = &bytes[frames[n + 1].1..];
            variants.push([&bytes[..frames[n].0], b, a, rest].concat());
        }
        for variant in variants {
            let disk = whole.copy();
            disk.put(&first_segment(), &variant);
            // A repetition of the last record lies above the head and is told as a tail.
            let proven = verified(&disk, &keys).is_ok_and(|report| report.tail.is_none());
            assert!(!proven, "record {n}");
        }
    }
}

/// Rewrites the whole chain with one entry changed, each head signed again by `key`.
fn rewritten(bytes: &[u8], key: &JournalKey) -> (Vec<u8>, Head) {
    let frames = frames(bytes);
    let mut out = bytes[..frames[0].1].to_vec();
    let first = envelope::read(&bytes[frames[1].0 + HEADER..frames[1].1]).unwrap();
    let mut prev = first.prev;
    let mut latest = None;
    for (start, end) in &frames[1..] {
        let record = envelope::read(&bytes[start + HEADER..*end]).unwrap();
        let body = match record.kind {
            Kind::Entry => String::from_utf8(record.body.to_vec())
                .unwrap()
                .replace("true", "false")
                .into_bytes(),
            Kind::Head => Head {
                journal: JournalId::from_u128(7),
                host: HostId::from_u128(8),
                first: 1,
                seq: record.seq - 1,
                hash: prev,
            }
            .signed(key)
            .unwrap(),
        };
        let mut payload = Vec::new();
        envelope::write(&mut payload, record.kind, &body, &prev, record.seq);
        prev = chain::hash(&payload);
        out.extend_from_slice(&frame_of(&payload));
        latest = Some(Head {
            journal: JournalId::from_u128(7),
            host: HostId::from_u128(8),
            first: 1,
            seq: record.seq,
            hash: prev,
        });
    }
    (out, latest.unwrap())
}

#[test]
fn a_journal_rewritten_and_signed_by_another_key_is_found() {
    let (keys, forger) = (Keys::new(), Keys::new());
    let disk = closed(&keys, &["a", "paid: true", "c"], options());
    let (bytes, latest) = rewritten(&disk.bytes(&first_segment()), &forger.key());
    disk.put(&first_segment(), &bytes);
    head::HeadFile::create(&disk, Path::new(HEAD), &latest, &forger.key()).unwrap();
    let mut other = head::HeadFile::open(&disk, Path::new(HEAD), 0).unwrap();
    other.write(&latest, &forger.key()).unwrap();
    assert!(matches!(verified(&disk, &keys), Err(VerifyError::Fault(_))));
    assert!(open(&disk, &keys).is_err());
}

#[test]
fn a_journal_rewritten_by_the_host_key_itself_does_not_meet_its_head() {
    let keys = Keys::new();
    let disk = closed(&keys, &["a", "paid: true", "c"], options());
    let (bytes, _) = rewritten(&disk.bytes(&first_segment()), &keys.key());
    disk.put(&first_segment(), &bytes);
    assert!(matches!(verified(&disk, &keys), Err(VerifyError::Fork(_))));
}

#[test]
fn acknowledged_entries_that_no_signature_covers_yet_are_guarded_by_the_head() {
    let keys = Keys::new();
    let rare = JournalOptions { sign_every: Duration::from_secs(3600), ..options() };
    let disk = PowerDisk::default();
    let (journal, _) = open_with(&disk, &keys, rare).unwrap();
    for text in ["a", "b", "c"] {
        record(&journal, text);
    }
    let crashed = disk.copy();
    crashed.crash(3);
    let report = verified(&crashed, &keys).unwrap();
    assert_eq!(report.unsigned, 3);
    let bytes = crashed.bytes(&first_segment());
    for at in 0..bytes.len() {
        let disk = crashed.copy();
        let mut flipped = bytes.clone();
        flipped[at] ^= 0x20;
        disk.put(&first_segment(), &flipped);
        assert!(verified(&disk, &keys).is_err(), "byte {at}");
        assert!(open(&disk, &keys).is_err(), "byte {at}");
    }
    let (journal, replayed) = open(&crashed, &keys).unwrap();
    assert_eq!(texts(&replayed), ["a", "b", "c"]);
    journal.close().unwrap();
    assert_eq!(verified(&crashed, &keys).unwrap().unsigned, 0);
}

#[test]
fn any_bytes_at_all_are_read_without_a_panic() {
    use proptest::prelude::*;
    let keys = Keys::new();
    let whole = closed(&keys, &["a"], options());
    let bytes = whole.bytes(&first_segment());
    let headers = frames(&bytes)[0].1;
    proptest!(ProptestConfig::with_cases(200), |(
        junk in proptest::collection::vec(any::<u8>(), 0..400),
        framed: bool,
        after_header: bool,
    )| {
        let disk = whole.copy();
        let start = if after_header { headers } else { 0 };
        let tail = if framed { frame_of(&junk) } else { junk.clone() };
        disk.put(&first_segment(), &[&bytes[..start], &tail].concat());
        prop_assert!(verified(&disk, &keys).is_err());
        prop_assert!(open(&disk, &keys).is_err());
        // Without a head and without a record nothing was ever recorded.
        prop_assume!(!(after_header && junk.is_empty()));
        disk.put(Path::new(HEAD), &junk);
        prop_assert!(verified(&disk, &keys).is_err());
        prop_assert!(open(&disk, &keys).is_err());
    });
    assert_eq!(whole.names(Path::new(DIR)).unwrap().len(), 1);
}
