//! Start-up: what is on the disk becomes a journal that can be continued, or a refusal that says why.
//!
//! A crash can tear only what nobody was told of: everything above the head and above the last signed
//! head. That is cut away. If cutting would reach below the head, acknowledged records are gone, and
//! the journal is not opened: repairing must never look like nothing was lost.

mod resume;

use std::path::{Path, PathBuf};

use soma_policy::{Digest, HostId, JournalId};

use super::checkpoint::{Checkpoint, Replay};
use super::disk::{Disk, DiskFile, Open};
use super::error::{DiskError, Fault, OpenError};
use super::head::{self, Found, Head, HeadFile};
use super::index::Index;
use super::key::JournalKey;
use super::record::Kind;
use super::recover::OpenStarts;
use super::segment::{self, Header};
use super::walk::{Seen, Step, Walk, Walked};
use super::writer::Tail;
use resume::Resumed;

/// A journal that can be continued.
pub(crate) struct Continued {
    pub(crate) tail: Tail,
    pub(crate) head: HeadFile,
    pub(crate) index: Index,
    /// Bytes that were cut from a torn tail.
    pub(crate) cut: u64,
    /// The record up to which a checkpoint stood for what was not read.
    pub(crate) checkpoint: u64,
}

/// What is rebuilt on the way: the starts that have no end, and whatever else wants to know.
pub(crate) struct Rebuild<'a> {
    pub(crate) starts: OpenStarts,
    pub(crate) replay: &'a mut dyn Replay,
    /// The first entry that is none that is known.
    pub(crate) unread: Option<(u64, String)>,
}

impl Rebuild<'_> {
    fn see(&mut self, seq: u64, body: &[u8]) {
        match serde_json::from_slice(body) {
            Ok(entry) => {
                self.starts.see(&entry);
                self.replay.see(&entry);
            }
            Err(error) => self.unread = self.unread.take().or(Some((seq, error.to_string()))),
        }
    }
}

/// Where a journal lies and whose it is.
pub(crate) struct Place<'a> {
    pub(crate) disk: &'a dyn Disk,
    pub(crate) dir: &'a Path,
    pub(crate) head_path: &'a Path,
    pub(crate) key: &'a JournalKey,
}

/// Up to where a record is kept.
struct Keep {
    segment: u64,
    end: u64,
    next: u64,
    prev: Digest,
    signed: u64,
}

impl Place<'_> {
    /// Opens what is there, or makes a new journal with these names. Each kept entry is replayed, or those
    /// after the checkpoint, if it fits.
    pub(crate) fn open(
        &self,
        journal: JournalId,
        host: HostId,
        checkpoint: Option<Checkpoint>,
        rebuild: &mut Rebuild<'_>,
    ) -> Result<Continued, OpenError> {
        let found = head::load(self.disk, self.head_path, Some(self.key))
            .map_err(DiskError::of("read", self.head_path))?;
        let segments =
            segment::list(self.disk, self.dir).map_err(DiskError::of("list", self.dir))?;
        match found {
            Found::Head { head, .. } if segments.is_empty() => match head.seq {
                0 => self.create(journal, host),
                seq => Err(OpenError::BelowHead { head: seq, found: 0, fault: None }),
            },
            Found::Head { head, slot } => {
                let resumed = checkpoint.and_then(|it| self.resume(&head, it, rebuild));
                // What was pruned is known by its checkpoint alone: leases and kill orders would be forgotten.
                if resumed.is_none() && head.first > 1 {
                    return Err(OpenError::Unremembered(head.first));
                }
                self.continued(&head, slot, resumed, rebuild)
            }
            Found::Missing if self.unused(&segments, true)? => self.create(journal, host),
            Found::Unreadable if self.unused(&segments, false)? => self.create(journal, host),
            Found::Missing => Err(OpenError::HeadMissing(self.head_path.to_path_buf())),
            Found::Unreadable => Err(OpenError::HeadUnreadable(self.head_path.to_path_buf())),
        }
    }

    /// Whether a crash while the journal was being made explains that there is no head: no record was
    /// ever written, and the first segment's own header can be torn only if the head file, which is
    /// made after it, is not there. What there is of that segment is removed.
    fn unused(&self, segments: &[u64], can_be_torn: bool) -> Result<bool, OpenError> {
        match segments {
            [] => Ok(can_be_torn),
            [1] => {
                let mut records = 0_u64;
                let walked = self.walk(1, 0, &mut |seen| {
                    records = records.saturating_add(u64::from(matches!(seen, Seen::Record(_))));
                })?;
                let torn = walked.fault.as_ref().map(|fault| fault.offset);
                if records > 0 || torn.is_some_and(|offset| offset > 0 || !can_be_torn) {
                    return Ok(false);
                }
                if !can_be_torn {
                    self.remove_head()?;
                }
                self.remove(1)?;
                Ok(true)
            }
            _ => Ok(false),
        }
    }

    fn create(&self, journal: JournalId, host: HostId) -> Result<Continued, OpenError> {
        let header = Header::genesis(journal, host);
        let path = segment::path(self.dir, header.first);
        let (file, length) =
            header.create(self.disk, self.dir).map_err(DiskError::of("create", &path))?;
        let anchor = Head { journal, host, first: 1, seq: 0, hash: header.prev };
        let head = HeadFile::create(self.disk, self.head_path, &anchor, self.key)
            .map_err(DiskError::of("create", self.head_path))?;
        let mut index = Index::default();
        index.open(1, length, header.prev);
        let prev = header.prev;
        let tail = Tail { header, file, length, next: 1, prev, signed: 0 };
        Ok(Continued { tail, head, index, cut: 0, checkpoint: 0 })
    }

    fn walk(
        &self,
        from: u64,
        sealed: u64,
        visit: &mut dyn FnMut(Seen<'_>),
    ) -> Result<Walked, OpenError> {
        let (disk, dir, key, until) = (self.disk, self.dir, &self.key.public(), u64::MAX);
        Ok(Walk { disk, dir, key, from, until, sealed }.run(visit)?)
    }

    fn continued(
        &self,
        head: &Head,
        slot: usize,
        resumed: Option<Resumed>,
        rebuild: &mut Rebuild<'_>,
    ) -> Result<Continued, OpenError> {
        let index = resumed.as_ref().map(|it| Index::of(&it.closed, it.seq)).unwrap_or_default();
        let from = resumed.as_ref().map_or(head.first, |it| it.seq.saturating_add(1));
        let mut replay = |seq, body: &[u8]| rebuild.see(seq, body);
        let mut survey = Survey::new(head, index, &mut replay);
        let walked = self.walk(from, head.seq, &mut |seen| survey.see(seen))?;
        let Survey { keep, index, header, fork, .. } = survey;
        self.agrees(head, from, header.as_ref(), &walked)?;
        let hangs = |it: &Resumed| header.as_ref().is_some_and(|next| next.prev == it.hash);
        if resumed.as_ref().is_some_and(|it| !hangs(it)) {
            return Err(OpenError::Fork(head.seq));
        }
        if fork {
            return Err(OpenError::Fork(head.seq));
        }
        let (Some(keep), Some(header)) = (keep, header) else {
            return Err(below(head, 0, walked.fault));
        };
        if keep.next <= head.seq {
            return Err(below(head, keep.next.saturating_sub(1), walked.fault));
        }
        if let Some(fault) = walked.fault.filter(|_| !walked.fault_in_last) {
            return Err(OpenError::Damaged(Box::new(fault)));
        }
        let (file, cut, index) = self.cut(&keep, index)?;
        self.finish_pruning(head)?;
        let head = HeadFile::open(self.disk, self.head_path, slot)
            .map_err(DiskError::of("open", self.head_path))?;
        let tail = Tail {
            header: Header { first: keep.segment, ..header },
            file,
            length: keep.end,
            next: keep.next,
            prev: keep.prev,
            signed: keep.signed,
        };
        let checkpoint = resumed.map_or(0, |it| it.seq);
        Ok(Continued { tail, head, index, cut, checkpoint })
    }

    /// Head and segments are of one journal, and nothing above what was pruned is missing in front.
    fn agrees(
        &self,
        head: &Head,
        from: u64,
        header: Option<&Header>,
        walked: &Walked,
    ) -> Result<(), OpenError> {
        let Some(header) = header else {
            return Err(below(head, 0, walked.fault.clone()));
        };
        if (header.journal, header.host) != (head.journal, head.host) {
            return Err(OpenError::Foreign { head: head.journal, segments: header.journal });
        }
        if header.first > from {
            return Err(OpenError::FrontMissing { head: from, found: header.first });
        }
        Ok(())
    }

    /// Cuts everything beyond `keep`; returns the segment to go on with.
    fn cut(
        &self,
        keep: &Keep,
        mut index: Index,
    ) -> Result<(Box<dyn DiskFile>, u64, Index), OpenError> {
        let mut cut = 0_u64;
        let later = segment::list(self.disk, self.dir).map_err(DiskError::of("list", self.dir))?;
        for first in later.into_iter().rev().filter(|first| *first > keep.segment) {
            cut = cut.saturating_add(self.remove(first)?);
        }
        let path = segment::path(self.dir, keep.segment);
        let file = self.disk.open(&path, Open::Existing).map_err(DiskError::of("open", &path))?;
        let length = file.len().map_err(DiskError::of("read", &path))?;
        if length > keep.end {
            file.cut(keep.end).map_err(DiskError::of("cut", &path))?;
            file.sync().map_err(DiskError::of("sync", &path))?;
            cut = cut.saturating_add(length.saturating_sub(keep.end));
        }
        index.cut(keep.segment, keep.next, keep.end);
        Ok((file, cut, index))
    }

    /// Removes what the head already calls pruned: a crash came between the two.
    fn finish_pruning(&self, head: &Head) -> Result<(), OpenError> {
        let segments =
            segment::list(self.disk, self.dir).map_err(DiskError::of("list", self.dir))?;
        for first in segments.into_iter().filter(|first| *first < head.first) {
            self.remove(first)?;
        }
        Ok(())
    }

    /// Removes an unreadable head file before anything else, so that a second crash looks like the first.
    fn remove_head(&self) -> Result<(), OpenError> {
        let path = self.head_path;
        self.disk.remove(path).map_err(DiskError::of("remove", path))?;
        let dir = path.parent().unwrap_or(path);
        Ok(self.disk.sync_dir(dir).map_err(DiskError::of("sync", dir))?)
    }

    /// Removes a segment durably; returns how long it was.
    fn remove(&self, first: u64) -> Result<u64, OpenError> {
        let path: PathBuf = segment::path(self.dir, first);
        let file = self.disk.open(&path, Open::Read).map_err(DiskError::of("read", &path))?;
        let length = file.len().map_err(DiskError::of("read", &path))?;
        self.disk.remove(&path).map_err(DiskError::of("remove", &path))?;
        self.disk.sync_dir(self.dir).map_err(DiskError::of("sync", self.dir))?;
        Ok(length)
    }
}

fn below(head: &Head, found: u64, fault: Option<Fault>) -> OpenError {
    OpenError::BelowHead { head: head.seq, found, fault: fault.map(Box::new) }
}

/// What a walk finds out about the tail.
struct Survey<'a> {
    head: &'a Head,
    index: Index,
    /// The header of the first segment.
    header: Option<Header>,
    keep: Option<Keep>,
    /// Entries beyond `keep`, which are replayed once they are kept.
    pending: Vec<(u64, Vec<u8>)>,
    fork: bool,
    signed: u64,
    replay: &'a mut dyn FnMut(u64, &[u8]),
}

impl<'a> Survey<'a> {
    fn new(head: &'a Head, index: Index, replay: &'a mut dyn FnMut(u64, &[u8])) -> Self {
        Self {
            head,
            index,
            header: None,
            keep: None,
            pending: Vec::new(),
            fork: false,
            signed: 0,
            replay,
        }
    }

    fn see(&mut self, seen: Seen<'_>) {
        match seen {
            Seen::Segment { header, body } => self.segment(header, body),
            Seen::Record(step) => self.record(&step),
        }
    }

    fn segment(&mut self, header: &Header, body: u64) {
        self.index.open(header.first, body, header.prev);
        if self.header.is_none() {
            self.header = Some(header.clone());
            self.signed = header.first.saturating_sub(1);
        }
        // A segment that goes on where everything is kept is where the journal goes on.
        if self.keep.as_ref().is_none_or(|keep| keep.next == header.first) {
            self.keep = Some(Keep {
                segment: header.first,
                end: body,
                next: header.first,
                prev: header.prev,
                signed: self.signed,
            });
        }
    }

    fn record(&mut self, step: &Step<'_>) {
        let link = &step.link;
        self.index.add(link.seq, step.at, step.end);
        match link.kind {
            Kind::Head => self.signed = link.seq,
            Kind::Entry => self.pending.push((link.seq, link.body.to_vec())),
        }
        let at_head = link.seq == self.head.seq;
        self.fork |= at_head && link.hash != self.head.hash;
        if at_head || link.kind == Kind::Head {
            self.keep(step);
        }
    }

    fn keep(&mut self, step: &Step<'_>) {
        self.keep = Some(Keep {
            segment: step.segment,
            end: step.end,
            next: step.link.seq.saturating_add(1),
            prev: step.link.hash,
            signed: self.signed,
        });
        for (seq, body) in self.pending.drain(..) {
            (self.replay)(seq, &body);
        }
    }
}
