//! Verification: proves a journal to someone who has its folder, its head file and the public key.
//!
//! Everything at or below the head must be whole, in order, chained and (up to the last signature)
//! signed. What lies above the head was never acknowledged: it is reported, not judged.

use std::collections::BTreeMap;
use std::path::Path;

use soma_policy::{Code, Digest, HostId, JournalEntry, JournalId};

use super::disk::{Disk, OsDisk};
use super::error::{DiskError, Fault, What};
use super::head::{self, Found, Head};
use super::key::JournalPublicKey;
use super::record::Kind;
use super::recover;
use super::segment;
use super::walk::{Seen, Step, Walk};

/// What a verified journal holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifyReport {
    /// The journal.
    pub journal: JournalId,
    /// The host that wrote it.
    pub host: HostId,
    /// The first record that is kept.
    pub first: u64,
    /// The last record that the head vouches for.
    pub last: u64,
    /// Its hash.
    pub head: Digest,
    /// How many entries there are of each kind.
    pub entries: BTreeMap<&'static str, u64>,
    /// How many signatures of the host were checked.
    pub signatures: u64,
    /// Entries at or below the head that no recorded signature covers yet. None in a journal that was
    /// closed; in one that runs or that crashed, those of the last moments.
    pub unsigned: u64,
    /// What ends the segments above the head: a write in progress, or one that a crash tore.
    pub tail: Option<Fault>,
}

/// Why a journal is not proven.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// The disk refused.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// There is no head file, or it holds no whole head.
    #[error("`{0}` holds no head, so a cut tail could not be noticed")]
    Head(String),
    /// There is no journal.
    #[error("`{0}` holds no journal")]
    Empty(String),
    /// The head is of another journal.
    #[error("the head file is of journal {head}, the segments are of journal {segments}")]
    Foreign {
        /// The journal of the head.
        head: JournalId,
        /// The journal of the segments.
        segments: JournalId,
    },
    /// Something at or below the head is wrong.
    #[error("not verified: {0}")]
    Fault(Box<Fault>),
    /// The journal ends before its head.
    #[error("the journal ends at record {found}, but its head is record {head}: its tail was cut")]
    Cut {
        /// The head.
        head: u64,
        /// The last record.
        found: u64,
    },
    /// Records are missing in front that were not pruned.
    #[error("the journal begins at record {found}, but record {head} was not pruned")]
    Front {
        /// The first record that is kept, by the head.
        head: u64,
        /// The first that is there.
        found: u64,
    },
    /// The record at the head is another one.
    #[error("record {0} is not the one that the head names: the journal was rewritten")]
    Fork(u64),
}

impl VerifyError {
    /// Its code in the catalogue.
    #[must_use]
    pub const fn code(&self) -> Code {
        match self {
            Self::Disk(_) => Code::JournalWrite,
            Self::Head(_) | Self::Empty(_) | Self::Cut { .. } => Code::JournalCut,
            Self::Foreign { .. } => Code::JournalForeign,
            Self::Fault(fault) => fault.code(),
            Self::Front { .. } => Code::JournalGap,
            Self::Fork(_) => Code::JournalHash,
        }
    }
}

/// Proves the journal in `dir` against its head file and the host's public key. The host may be
/// running meanwhile.
///
/// # Errors
/// The first thing that is wrong, and where.
pub fn verify(
    dir: &Path,
    head_file: &Path,
    key: &JournalPublicKey,
) -> Result<VerifyReport, VerifyError> {
    verify_on(&OsDisk, dir, head_file, key)
}

pub(crate) fn verify_on(
    disk: &dyn Disk,
    dir: &Path,
    head_file: &Path,
    key: &JournalPublicKey,
) -> Result<VerifyReport, VerifyError> {
    let head = match head::load(disk, head_file, None).map_err(DiskError::of("read", head_file))? {
        Found::Head { head, .. } => head,
        _ => return Err(VerifyError::Head(head_file.display().to_string())),
    };
    let mut proof = Proof::new(dir, &head);
    let walked = Walk { disk, dir, key, from: head.first, until: u64::MAX, sealed: 0 }
        .run(&mut |seen| proof.see(seen))?;
    proof.conclude(walked.fault)
}

/// What is gathered on the way.
struct Proof<'a> {
    dir: &'a Path,
    head: &'a Head,
    /// (journal, host, first record) of the first segment.
    begins: Option<(JournalId, HostId, u64)>,
    last: u64,
    signed: u64,
    signatures: u64,
    entries: BTreeMap<&'static str, u64>,
    fork: bool,
    unread: Option<Fault>,
}

impl<'a> Proof<'a> {
    fn new(dir: &'a Path, head: &'a Head) -> Self {
        Self {
            dir,
            head,
            begins: None,
            last: 0,
            signed: 0,
            signatures: 0,
            entries: BTreeMap::new(),
            fork: false,
            unread: None,
        }
    }

    fn see(&mut self, seen: Seen<'_>) {
        match seen {
            Seen::Segment { header, .. } => {
                self.begins.get_or_insert((header.journal, header.host, header.first));
                self.last = header.first.saturating_sub(1);
                self.signed = self.signed.max(self.begins.map_or(0, |b| b.2.saturating_sub(1)));
            }
            Seen::Record(step) => self.record(&step),
        }
    }

    fn record(&mut self, step: &Step<'_>) {
        let link = &step.link;
        self.last = link.seq;
        self.fork |= link.seq == self.head.seq && link.hash != self.head.hash;
        if link.kind == Kind::Head {
            self.signed = link.seq;
            self.signatures = self.signatures.saturating_add(1);
            return;
        }
        match serde_json::from_slice::<JournalEntry>(link.body) {
            Ok(entry) => {
                let count = self.entries.entry(recover::kind(&entry)).or_default();
                *count = count.saturating_add(1);
            }
            Err(error) => {
                let what = What::Entry(error.to_string());
                let path = segment::path(self.dir, step.segment);
                self.unread.get_or_insert(Fault { path, offset: step.at, seq: link.seq, what });
            }
        }
    }

    fn conclude(self, fault: Option<Fault>) -> Result<VerifyReport, VerifyError> {
        let head = self.head;
        let Some((journal, host, first)) = self.begins else {
            return Err(match fault {
                Some(fault) => VerifyError::Fault(Box::new(fault)),
                None => VerifyError::Empty(self.dir.display().to_string()),
            });
        };
        if (journal, host) != (head.journal, head.host) {
            return Err(VerifyError::Foreign { head: head.journal, segments: journal });
        }
        if first > head.first {
            return Err(VerifyError::Front { head: head.first, found: first });
        }
        if let Some(fault) = self.unread {
            return Err(VerifyError::Fault(Box::new(fault)));
        }
        if self.fork {
            return Err(VerifyError::Fork(head.seq));
        }
        if self.last < head.seq {
            return Err(match fault {
                Some(fault) => VerifyError::Fault(Box::new(fault)),
                None => VerifyError::Cut { head: head.seq, found: self.last },
            });
        }
        Ok(VerifyReport {
            journal,
            host,
            first,
            last: head.seq,
            head: head.hash,
            entries: self.entries,
            signatures: self.signatures,
            unsigned: head.seq.saturating_sub(self.signed),
            tail: fault,
        })
    }
}
