//! How an entry is bound to the one before: the digest of its canonical form, with the hash before it.

use serde::Serialize;
use soma_policy::{Digest, canonical};

use crate::store::{AuditLink, AuditRow, ChangeRow};

/// The hash before the first entry of every chain.
pub(crate) const START: Digest = Digest::ZERO;

#[derive(Serialize)]
struct Entry<'a> {
    actor: &'a str,
    at: u64,
    detail: &'a str,
    id: &'a str,
    kind: &'a str,
    org: &'a str,
    prev: &'a str,
    seq: u64,
    subject: &'a str,
    trace: &'a str,
}

#[derive(Serialize)]
struct Delta<'a> {
    at: u64,
    epoch: u64,
    id: &'a str,
    org: &'a str,
    payload: &'a str,
    prev: &'a str,
    seq: u64,
    subject: &'a str,
    topic: &'a str,
}

/// The place of an entry behind `prev`.
pub(super) fn link(row: &AuditRow, seq: u64, prev: &str) -> AuditLink {
    let AuditRow { org, id, at, actor, kind, subject, detail, trace, .. } = row;
    let entry = Entry { actor, at: at.0, detail, id, kind, org, prev, seq, subject, trace };
    AuditLink { seq, prev: prev.to_owned(), hash: hash(&entry) }
}

/// The hash of a change as number `seq` of an epoch, behind `prev`.
pub(crate) fn delta(row: &ChangeRow, epoch: u64, seq: u64, prev: &str) -> String {
    let ChangeRow { org, id, topic, subject, payload, at, .. } = row;
    hash(&Delta { at: at.0, epoch, id, org, payload, prev, seq, subject, topic })
}

fn hash<T: Serialize>(value: &T) -> String {
    // Strings and whole numbers always have a canonical form.
    canonical::digest(value).unwrap_or(Digest::ZERO).to_string()
}
