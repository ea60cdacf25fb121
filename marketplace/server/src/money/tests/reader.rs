//! The reader against records that a real host wrote, and against everything that is nearly one.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use soma_capsule::PublicKey;
use soma_policy::JournalEntry;

use super::world::Host;
use crate::money::journal::{Owner, RecordError};

/// The records of a host's journal, as the host wrote them, heads included.
const REAL: &str = include_str!("journal.jsonl");
/// The public key of that host.
const KEY: &str = "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEizZWxAWxFGJL/BiUtcP8/uDQVxMelratqx13gZzIO3tO1h0ky14GNRVzHBPtotIPlRBFo5us0gE41w3ND3BWpQ==";

fn records() -> Vec<String> {
    REAL.lines().map(str::to_owned).collect()
}

fn key() -> PublicKey {
    PublicKey::from_spki_der(&STANDARD.decode(KEY).unwrap()).unwrap()
}

fn owner(key: &PublicKey) -> Owner<'_> {
    Owner {
        journal: "01M7YRP459E4E9E1JAJ1NT81W9".parse().unwrap(),
        host: "01M7YRNZ74EVQRQZCZGPKGSHBG".parse().unwrap(),
        key,
    }
}

#[test]
fn a_journal_that_a_host_wrote_reads_whole_and_hangs_on_its_anchor() {
    let key = key();
    let owner = owner(&key);
    let read = owner.read(1, &records()).unwrap();
    assert_eq!(read.len(), 30);
    assert_eq!(read[0].frame.prev, owner.anchor());
    let receipts =
        read.iter().filter(|it| matches!(it.entry, Some(JournalEntry::Receipt(_)))).count();
    let heads = read.iter().filter(|it| it.entry.is_none()).count();
    assert!(receipts >= 4 && heads >= 10, "{receipts} {heads}");
    // Any stretch of it reads as well.
    assert_eq!(owner.read(7, &records()[6..20]).unwrap()[..], read[6..20]);
}

#[test]
fn a_long_push_that_two_threads_read_is_judged_as_a_short_one() {
    let mut host = Host::new(1);
    let note = |n: u64| {
        let usage = soma_policy::UptimeMark { at: soma_policy::Timestamp(n), uptime_ms: n };
        JournalEntry::Uptime(usage)
    };
    for n in 0..150 {
        host.write(&note(n));
    }
    host.sign();
    let pusher = host.pusher();
    let owner = Owner { journal: host.journal, host: host.host, key: &pusher.key };
    let whole = owner.read(1, &host.records).unwrap();
    assert_eq!(whole.len(), 151);
    let halves = (owner.read(1, &host.records[..75]), owner.read(76, &host.records[75..]));
    assert_eq!(whole, [halves.0.unwrap(), halves.1.unwrap()].concat());
    // What is wrong is named by its place, in either half and where they meet; of two the first.
    for (at, twice) in [(10, 11), (74, 75), (75, 76), (120, 121), (150, 151)] {
        let mut records = host.records.clone();
        records[at] = records[at - 1].clone();
        assert_eq!(owner.read(1, &records), Err(RecordError::Number(twice, twice - 1)));
    }
    let mut other = Host::new(1);
    other.write(&note(1_000));
    for n in 1..150 {
        other.write(&note(n));
    }
    let met = [&host.records[..75], &other.records[75..]].concat();
    assert_eq!(owner.read(1, &met), Err(RecordError::Chain(76)));
}

#[test]
fn no_byte_of_a_record_can_be_changed() {
    let key = key();
    let owner = owner(&key);
    let whole = records();
    for (at, record) in whole.iter().enumerate().take(whole.len() - 1) {
        // The record after it names its hash, so it is enough that one of the two is refused.
        for place in (0..record.len()).step_by(7) {
            let mut bytes = record.clone().into_bytes();
            bytes[place] = if bytes[place] == b'a' { b'b' } else { b'a' };
            let Ok(text) = String::from_utf8(bytes) else { continue };
            let pair = [text, whole[at + 1].clone()];
            assert!(owner.read(at as u64 + 1, &pair).is_err(), "record {at}, byte {place}");
        }
    }
}

#[test]
fn what_is_nearly_a_record_says_what_is_wrong_with_it() {
    let key = key();
    let owner = owner(&key);
    let whole = records();
    let one = |from, text: String| owner.read(from, &[text]).unwrap_err();
    assert_eq!(one(1, whole[0].replace("\"seq\":\"1\"", "\"seq\":\"01\"")), RecordError::Form(1));
    assert_eq!(one(1, whole[0].replace("entry", "thing")), RecordError::Form(1));
    assert_eq!(one(1, format!("{} ", whole[0])), RecordError::Form(1));
    assert_eq!(one(1, "x".repeat(2 << 20)), RecordError::Form(1));
    assert_eq!(one(2, whole[0].clone()), RecordError::Number(2, 1));
    assert_eq!(one(1, whole[0].replace("\"boot\"}", "\"root\"}")), RecordError::Kind(1));
    let gap = [whole[0].clone(), whole[2].replace("\"seq\":\"3\"}", "\"seq\":\"2\"}")];
    assert_eq!(owner.read(1, &gap).unwrap_err(), RecordError::Chain(2));
    // A head of another host, or for another journal.
    let other = Host::new(9);
    let stranger = Owner { key: other.keys.public(), ..owner };
    assert_eq!(stranger.read(3, &whole[2..3]).unwrap_err(), RecordError::Signature(3));
    let elsewhere = Owner { journal: other.journal, ..owner };
    assert_eq!(elsewhere.read(3, &whole[2..3]).unwrap_err(), RecordError::Signature(3));
}

#[test]
fn the_hosts_of_these_tests_write_as_real_ones_do() {
    let mut host = Host::new(1);
    let lease = soma_policy::LeaseId::from_u128(5);
    let entry = JournalEntry::Uptime(soma_policy::UptimeMark {
        at: soma_policy::Timestamp(lease.as_u128() as u64),
        uptime_ms: 5,
    });
    host.write(&entry);
    host.sign();
    let pusher = host.pusher();
    let owner = Owner { journal: host.journal, host: host.host, key: &pusher.key };
    let read = owner.read(1, &host.records).unwrap();
    assert_eq!((read[0].entry.as_ref(), read[0].frame.prev), (Some(&entry), owner.anchor()));
}
