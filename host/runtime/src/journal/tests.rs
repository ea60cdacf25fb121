//! What the journal promises, each promise with the test that could break it.

mod checkpoints;
mod fuzz;
mod interrupted;
mod money;
mod power;
mod pruning;
mod running;
mod starting;
mod tampering;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use soma_policy::{AuditEvent, AuditKind, HostId, JournalEntry, JournalId, Timestamp};

use super::key::JournalKey;
use super::power::PowerDisk;
use super::verify::verify_on;
use super::{
    Journal, JournalOptions, OpenError, Position, VerifyError, VerifyReport, Whole, segment,
};

const DIR: &str = "/state/journal";
const HEAD: &str = "/state/heads/journal";

/// A key that can be used again: a journal takes its key by value.
struct Keys(Vec<u8>);

impl Keys {
    fn new() -> Self {
        Self(super::key::test_pkcs8())
    }

    fn key(&self) -> JournalKey {
        JournalKey::from_pkcs8(&self.0).unwrap()
    }
}

fn note(text: &str) -> JournalEntry {
    JournalEntry::Audit(Box::new(AuditEvent {
        actor: "home".to_owned(),
        at: Timestamp(1),
        digest: None,
        environment: None,
        event: AuditKind::TrustChanged,
        org: None,
        subject: text.to_owned(),
    }))
}

fn options() -> JournalOptions {
    let (journal, host) = (JournalId::from_u128(7), HostId::from_u128(8));
    JournalOptions {
        sign_every: Duration::ZERO,
        ..JournalOptions::new(DIR.into(), HEAD.into(), journal, host, Timestamp(5))
    }
}

/// Opens, and hands back what was replayed.
fn open_with(
    disk: &PowerDisk,
    keys: &Keys,
    options: JournalOptions,
) -> Result<(Journal, Vec<JournalEntry>), OpenError> {
    let mut replayed = Vec::new();
    let mut see = |entry: &JournalEntry| replayed.push(entry.clone());
    let journal =
        Journal::open_on(Arc::new(disk.clone()), options, keys.key(), &mut Whole(&mut see))?;
    Ok((journal, replayed))
}

fn open(disk: &PowerDisk, keys: &Keys) -> Result<(Journal, Vec<JournalEntry>), OpenError> {
    open_with(disk, keys, options())
}

fn record(journal: &Journal, text: &str) -> Position {
    journal.append(&note(text)).wait().unwrap()
}

fn verified(disk: &PowerDisk, keys: &Keys) -> Result<VerifyReport, VerifyError> {
    verify_on(disk, Path::new(DIR), Path::new(HEAD), &keys.key().public())
}

/// A closed journal of some records over some segments.
fn closed(keys: &Keys, texts: &[&str], options: JournalOptions) -> PowerDisk {
    let disk = PowerDisk::default();
    let (journal, _) = open_with(&disk, keys, options).unwrap();
    for text in texts {
        record(&journal, text);
    }
    journal.close().unwrap();
    disk
}

fn first_segment() -> std::path::PathBuf {
    segment::path(Path::new(DIR), 1)
}

/// What the notes among these say.
fn texts(replayed: &[JournalEntry]) -> Vec<String> {
    replayed
        .iter()
        .filter_map(|entry| match entry {
            JournalEntry::Audit(event) if event.event == AuditKind::TrustChanged => {
                Some(event.subject.clone())
            }
            _ => None,
        })
        .collect()
}
