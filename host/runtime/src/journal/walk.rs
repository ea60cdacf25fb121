//! The walk over all segments in order, frame by frame, link by link.
//!
//! Start-up and verification share it. It stops at the first thing that is wrong and says where; what
//! that means is for its callers to decide.

use std::path::Path;

use super::chain::{Chain, ChainFault, Link};
use super::disk::{Disk, Open};
use super::error::{DiskError, Fault, What};
use super::frame::{FrameFault, FrameReader, HEADER, Next};
use super::key::JournalPublicKey;
use super::segment::{self, Header};

/// One record, and where it lies.
pub(crate) struct Step<'a> {
    /// The segment, by its first record.
    pub(crate) segment: u64,
    /// Where the frame starts.
    pub(crate) at: u64,
    /// Where the next one would.
    pub(crate) end: u64,
    pub(crate) link: Link<'a>,
}

/// What a walk shows on its way.
pub(crate) enum Seen<'a> {
    /// A segment whose header is whole and continues the chain, and where its records start.
    Segment { header: &'a Header, body: u64 },
    /// A record that follows.
    Record(Step<'a>),
}

/// How a walk ended.
#[derive(Debug, Default)]
pub(crate) struct Walked {
    /// What ended the walk early.
    pub(crate) fault: Option<Fault>,
    /// Whether that was in the last segment, where a crash can tear.
    pub(crate) fault_in_last: bool,
}

/// What a walk needs to know.
pub(crate) struct Walk<'a> {
    pub(crate) disk: &'a dyn Disk,
    pub(crate) dir: &'a Path,
    pub(crate) key: &'a JournalPublicKey,
    /// Segments before this record were pruned: what a crash left of them is passed over.
    pub(crate) from: u64,
    /// Nor are segments from this record on looked at.
    pub(crate) until: u64,
    /// The record whose hash the host's own seal vouches for; the caller compares it. Signatures up to
    /// there need not be checked again, which is most of what a walk would cost.
    pub(crate) sealed: u64,
}

impl Walk<'_> {
    /// Walks; all that is whole and follows is shown to `visit` in order.
    pub(crate) fn run(&self, visit: &mut dyn FnMut(Seen<'_>)) -> Result<Walked, DiskError> {
        let mut firsts =
            segment::list(self.disk, self.dir).map_err(DiskError::of("list", self.dir))?;
        firsts.retain(|first| (self.from..self.until).contains(first));
        let mut walked = Walked::default();
        let mut chain = None;
        for (index, first) in firsts.iter().enumerate() {
            if let Some(fault) = self.segment(*first, &mut chain, visit)? {
                walked.fault = Some(fault);
                walked.fault_in_last = index.saturating_add(1) == firsts.len();
                break;
            }
        }
        Ok(walked)
    }

    fn segment(
        &self,
        first: u64,
        chain: &mut Option<Chain>,
        visit: &mut dyn FnMut(Seen<'_>),
    ) -> Result<Option<Fault>, DiskError> {
        let path = segment::path(self.dir, first);
        let read = || DiskError::of("read", &path);
        let file = self.disk.open(&path, Open::Read).map_err(read())?;
        let length = file.len().map_err(read())?;
        let mut frames = FrameReader::new(&*file, 0, length);
        let fault = |offset, seq, what| Some(Fault { path: path.clone(), offset, seq, what });
        let chain = match header(&mut frames, first, chain, self.sealed).map_err(read())? {
            Ok(chain) => chain,
            Err(what) => return Ok(fault(0, first, what)),
        };
        let header = Header { first, prev: chain.prev, ..chain.header().clone() };
        visit(Seen::Segment { header: &header, body: frames.offset() });
        loop {
            let (at, payload) = match frames.next().map_err(read())? {
                Next::End => return Ok(None),
                Next::Fault { at, fault: what } => return Ok(fault(at, chain.next, what.into())),
                Next::Frame { at, payload } => (at, payload),
            };
            let end = at.saturating_add(HEADER.saturating_add(payload.len()) as u64);
            match chain.follow(payload, self.key) {
                Ok(link) => visit(Seen::Record(Step { segment: first, at, end, link })),
                Err(what) => return Ok(fault(at, chain.next, what.into())),
            }
        }
    }
}

/// Reads a segment's header and hangs it on the chain, beginning one if there is none.
fn header<'c>(
    frames: &mut FrameReader<'_>,
    first: u64,
    chain: &'c mut Option<Chain>,
    sealed: u64,
) -> std::io::Result<Result<&'c mut Chain, What>> {
    let header = match frames.next()? {
        Next::Frame { payload, .. } => Header::read(payload),
        Next::End => return Ok(Err(FrameFault::Short.into())),
        Next::Fault { fault, .. } => return Ok(Err(fault.into())),
    };
    let Some(header) = header.filter(|header| header.first == first) else {
        return Ok(Err(ChainFault::Header.into()));
    };
    if let Some(chain) = chain {
        return Ok(match chain.continues(&header) {
            Ok(()) => Ok(chain),
            Err(fault) => Err(fault.into()),
        });
    }
    if first == 1 && header != Header::genesis(header.journal, header.host) {
        return Ok(Err(ChainFault::Header.into()));
    }
    Ok(Ok(chain.insert(Chain::begin(header, sealed))))
}
