//! Records of a host's journal, read and checked before anything is done with them: form, numbers, chain,
//! and the host's signature on each head.
//!
//! The format is that of docs/reference/journal.md. The host writes it; this is the reader of somebody who
//! trusts neither the host nor the way here. What the entries mean is `intake`'s.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use soma_capsule::PublicKey;
use soma_market::settle::Entry;
use soma_policy::{Digest, HostId, JournalEntry, JournalId, StartRecord};

/// Fewer records than twice this are read by one thread: to start another takes longer.
const STRETCH_MIN: usize = 64;
/// Longest record.
const RECORD_BYTES_MAX: usize = 1 << 20;
const HEAD_TYPE: &str = "application/vnd.soma.journal-head.v1+json";

/// Why records are refused before they are looked at.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum RecordError {
    /// Not a record in the one spelling that it has.
    #[error("record {0} is not in its canonical form")]
    Form(u64),
    /// Another number stands in it.
    #[error("record {0} says that it is record {1}")]
    Number(u64, u64),
    /// It does not name the hash of the one before it.
    #[error("record {0} does not follow the one before it in the push")]
    Chain(u64),
    /// A head that the host did not sign, or that vouches for something else.
    #[error("the head at record {0} is not signed by the host for this journal")]
    Signature(u64),
    /// An entry of a kind that this server does not know.
    #[error("the entry of record {0} is of no kind that this server knows; bring it up to date")]
    Kind(u64),
}

/// One record that was checked.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Record {
    pub(crate) frame: Entry,
    /// What happened; none for a head.
    pub(crate) entry: Option<JournalEntry>,
}

/// Whose journal it is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Owner<'a> {
    pub(crate) journal: JournalId,
    pub(crate) host: HostId,
    pub(crate) key: &'a PublicKey,
}

impl Owner<'_> {
    /// What the first record of the journal names as the hash before it.
    pub(crate) fn anchor(&self) -> Digest {
        Digest::of(format!("soma journal v1 {} {}", self.journal, self.host).as_bytes())
    }

    /// Reads records that are numbered from `from` on. Each is judged by itself and by the one before it, so that a
    /// long push is read from its middle by another thread.
    pub(crate) fn read(&self, from: u64, texts: &[String]) -> Result<Vec<Record>, RecordError> {
        let (first, second) = texts.split_at(texts.len() / 2);
        if first.len() < STRETCH_MIN {
            return self.stretch(from, texts);
        }
        let middle = from.saturating_add(first.len() as u64);
        let (first, second) = std::thread::scope(|scope| {
            let second = scope.spawn(|| self.stretch(middle, second));
            let first = self.stretch(from, first);
            // A panic of ours goes on here.
            (first, second.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
        });
        let (mut records, second) = (first?, second?);
        follows(records.last(), second.first().map(|record| record.frame.prev), middle)?;
        records.extend(second);
        Ok(records)
    }

    fn stretch(&self, from: u64, texts: &[String]) -> Result<Vec<Record>, RecordError> {
        let mut records: Vec<Record> = Vec::with_capacity(texts.len());
        for (seq, text) in (from..).zip(texts) {
            let raw = Raw::read(text.as_bytes()).ok_or(RecordError::Form(seq))?;
            if raw.seq != seq {
                return Err(RecordError::Number(seq, raw.seq));
            }
            follows(records.last(), Some(raw.prev), seq)?;
            let frame = Entry { hash: hash(text.as_bytes()), prev: raw.prev, seq };
            let entry = if raw.is_head {
                self.vouches(raw.body, &frame).ok_or(RecordError::Signature(seq))?;
                None
            } else {
                Some(entry(raw.body).ok_or(RecordError::Kind(seq))?)
            };
            records.push(Record { frame, entry });
        }
        Ok(records)
    }

    /// A head vouches for the record before it, in this journal, by the host's key.
    fn vouches(&self, body: &[u8], frame: &Entry) -> Option<()> {
        let signed: Signed = serde_json::from_slice(body).ok()?;
        if serde_json::to_vec(&signed).ok()? != body {
            return None;
        }
        let head = &signed.head;
        let ours = head.journal == self.journal && head.host == self.host;
        let before = head.seq.parse::<u64>().ok()?.checked_add(1)? == frame.seq;
        if !(ours && before && head.hash == frame.prev) {
            return None;
        }
        let text = serde_json::to_vec(head).ok()?;
        let mut pae =
            format!("DSSEv1 {} {HEAD_TYPE} {} ", HEAD_TYPE.len(), text.len()).into_bytes();
        pae.extend_from_slice(&text);
        let signature = STANDARD.decode(&signed.sig).ok()?;
        self.key.verifies(&Digest::of(&pae), &signature).then_some(())
    }
}

/// An entry. Its kind stands behind its body, so that a reader by kind would have to keep the body first: the two
/// kinds that nearly all of a journal is made of are read in place.
fn entry(text: &[u8]) -> Option<JournalEntry> {
    let rest = text.strip_prefix(b"{\"body\":");
    let body = |kind: &[u8]| rest.and_then(|rest| rest.strip_suffix(kind));
    let receipt = body(b",\"kind\":\"receipt\"}").and_then(|it| serde_json::from_slice(it).ok());
    let start = || body(b",\"kind\":\"start\"}").and_then(|it| serde_json::from_slice(it).ok());
    let other = || serde_json::from_slice(text).ok();
    receipt
        .map(JournalEntry::Receipt)
        .or_else(|| start().map(|start: StartRecord| JournalEntry::Start(start)))
        .or_else(other)
}

/// Each record names the hash of the one before it in the push.
fn follows(before: Option<&Record>, prev: Option<Digest>, seq: u64) -> Result<(), RecordError> {
    match (before, prev) {
        (Some(before), Some(prev)) if before.frame.hash != prev => Err(RecordError::Chain(seq)),
        _ => Ok(()),
    }
}

/// SHA-256 of a record, by the library that is quickest at it.
fn hash(record: &[u8]) -> Digest {
    let sum = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, record);
    // INVARIANT: this digest has 32 bytes.
    sum.as_ref().try_into().map_or_else(|_| Digest::of(record), Digest::from_bytes)
}

/// Fields in the order in which they are written.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    first: String,
    hash: Digest,
    host: HostId,
    journal: JournalId,
    seq: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Signed {
    head: Head,
    sig: String,
}

/// The envelope, by position: every record has one spelling.
struct Raw<'a> {
    is_head: bool,
    body: &'a [u8],
    prev: Digest,
    seq: u64,
}

impl<'a> Raw<'a> {
    fn read(payload: &'a [u8]) -> Option<Self> {
        if payload.len() > RECORD_BYTES_MAX {
            return None;
        }
        let (is_head, rest) = match payload.strip_prefix(b"{\"entry\":") {
            Some(rest) => (false, rest),
            None => (true, payload.strip_prefix(b"{\"head\":")?),
        };
        let rest = rest.strip_suffix(b"\"}")?;
        let at = rest.iter().rposition(|byte| !byte.is_ascii_digit())?.checked_add(1)?;
        let (rest, digits) = rest.split_at_checked(at)?;
        let rest = rest.strip_suffix(b"\",\"seq\":\"")?;
        // `sha256:` and 64 hexadecimal digits.
        let (rest, prev) = rest.split_at_checked(rest.len().checked_sub(71)?)?;
        let body = rest.strip_suffix(b",\"prev\":\"")?;
        Some(Self { is_head, body, prev: one_spelling(prev)?, seq: one_spelling(digits)? })
    }
}

/// A value whose text is exactly the one that it would be written as.
fn one_spelling<T: std::str::FromStr + ToString>(text: &[u8]) -> Option<T> {
    let text = std::str::from_utf8(text).ok()?;
    text.parse::<T>().ok().filter(|value| value.to_string() == text)
}
