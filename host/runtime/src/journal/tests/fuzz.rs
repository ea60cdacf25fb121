//! Anything at all in the place of what the journal reads: told apart, never believed, never a panic.
//! `cargo bolero test -p soma-host journal::tests::fuzz::TARGET` runs one with coverage guidance.

use super::*;
use crate::journal::disk::{Disk, Open};
use crate::journal::frame::{self, FrameReader, Next};
use crate::journal::head::Head;
use crate::journal::segment::Header;
use crate::journal::{chain, record as envelope};

#[test]
fn frames() {
    let path = Path::new("/state/journal/any");
    bolero::check!().for_each(|bytes: &[u8]| {
        let disk = PowerDisk::default();
        disk.put(path, bytes);
        let file = disk.open(path, Open::Read).unwrap();
        let mut reader = FrameReader::new(&*file, 0, bytes.len() as u64);
        let mut walked = 0;
        while let Next::Frame { at, payload } = reader.next().unwrap() {
            assert_eq!(at, walked);
            walked += (frame::HEADER + payload.len()) as u64;
        }
        assert!(walked <= bytes.len() as u64);
    });
}

#[test]
fn payloads() {
    let key = crate::journal::test_key().public();
    bolero::check!().for_each(|bytes: &[u8]| {
        let _ = Header::read(bytes);
        assert!(Head::verified(bytes, &key).is_none());
        if let Some(record) = envelope::read(bytes) {
            // What is read is written again as it was: there is one spelling.
            let mut out = Vec::new();
            envelope::write(&mut out, record.kind, record.body, &record.prev, record.seq);
            assert_eq!(out, bytes);
        }
        let header = Header::genesis(JournalId::from_u128(7), HostId::from_u128(8));
        let follows = chain::Chain::begin(header, 0).follow(bytes, &key).is_ok();
        assert!(!follows || bytes.starts_with(b"{\"entry\":"));
    });
}

#[test]
fn heads() {
    let keys = Keys::new();
    let segment = closed(&keys, &["a"], options()).bytes(&first_segment());
    bolero::check!().for_each(|bytes: &[u8]| {
        let disk = PowerDisk::default();
        disk.put(&first_segment(), &segment);
        disk.put(Path::new(HEAD), bytes);
        assert!(verified(&disk, &keys).is_err());
        assert!(open(&disk, &keys).is_err());
    });
}
