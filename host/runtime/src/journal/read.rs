//! Reading by cursor: the durable prefix, and nothing else.
//!
//! A cursor is the number of the next record wanted. Reading does file I/O on the caller's thread;
//! an async caller hands it to a blocking one. What is read is checked again: the frame's checksum and
//! the record's number.

use serde::Serialize;
use soma_policy::Digest;

use super::chain;
use super::disk::Open;
use super::error::{DiskError, Fault, JournalError, What};
use super::frame::{FrameReader, HEADER, Next};
use super::index::Place;
use super::record::{self, Kind};
use super::segment;
use super::shared::Shared;

/// Records of one page, together at most this long (or one record).
const PAGE_BYTES: usize = 1024 * 1024;

/// One record as it is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Line {
    /// Its number.
    #[serde(serialize_with = "decimal")]
    pub seq: u64,
    /// Its hash.
    pub hash: Digest,
    /// Whether it is the host's signature over what came before, instead of an entry.
    pub head: bool,
    /// The record itself, canonical JSON.
    pub record: String,
}

impl Line {
    /// The canonical JSON of the entry or head in the record.
    #[must_use]
    pub fn body(&self) -> &str {
        let body = record::read(self.record.as_bytes()).map(|record| record.body);
        body.and_then(|body| std::str::from_utf8(body).ok()).unwrap_or_default()
    }
}

/// Some records, and where to go on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Page {
    /// The records, in order.
    pub records: Vec<Line>,
    /// The cursor of the next page.
    #[serde(serialize_with = "decimal")]
    pub next: u64,
    /// The last durable record there was.
    #[serde(serialize_with = "decimal")]
    pub durable: u64,
}

fn decimal<S: serde::Serializer>(value: &u64, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(value)
}

/// Up to `limit` records from `cursor` on; zero begins at the first that is kept.
pub(crate) fn page(shared: &Shared, cursor: u64, limit: usize) -> Result<Page, JournalError> {
    let (first, durable) = {
        let index = shared.index.read();
        (index.first(), index.last())
    };
    let cursor = if cursor == 0 { first } else { cursor };
    if cursor < first {
        return Err(JournalError::Pruned { first });
    }
    let mut page = Page { records: Vec::new(), next: cursor, durable };
    let mut bytes = 0_usize;
    while page.records.len() < limit && bytes < PAGE_BYTES {
        let Some(place) = shared.index.read().find(page.next) else {
            break;
        };
        bytes = bytes.saturating_add(segment(
            shared,
            place,
            &mut page,
            limit,
            PAGE_BYTES.saturating_sub(bytes),
        )?);
    }
    Ok(page)
}

/// Adds records of one segment; returns their bytes.
fn segment(
    shared: &Shared,
    place: Place,
    page: &mut Page,
    limit: usize,
    room: usize,
) -> Result<usize, JournalError> {
    let path = segment::path(&shared.dir, place.segment);
    let read = || DiskError::of("read", &path);
    let file = match shared.disk.open(&path, Open::Read) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(JournalError::Pruned { first: shared.first() });
        }
        Err(error) => return Err(read()(error).into()),
    };
    let mut frames = FrameReader::new(&*file, place.offset, place.end);
    let mut bytes = 0_usize;
    while page.records.len() < limit && bytes < room && page.next < place.next {
        let changed = |offset, what: What| {
            let fault = Fault { path: path.clone(), offset, seq: page.next, what };
            JournalError::Changed(Box::new(fault))
        };
        let (at, payload) = match frames.next().map_err(read())? {
            Next::Frame { at, payload } => (at, payload),
            Next::Fault { at, fault } => return Err(changed(at, fault.into())),
            Next::End => return Err(changed(place.end, chain::ChainFault::Form.into())),
        };
        let line = line(payload).ok_or_else(|| changed(at, chain::ChainFault::Form.into()))?;
        if line.seq >= page.next {
            bytes = bytes.saturating_add(payload.len()).saturating_add(HEADER);
            page.next = line.seq.saturating_add(1);
            page.records.push(line);
        }
    }
    Ok(bytes)
}

fn line(payload: &[u8]) -> Option<Line> {
    let record = record::read(payload)?;
    Some(Line {
        seq: record.seq,
        hash: chain::hash(payload),
        head: record.kind == Kind::Head,
        record: String::from_utf8(payload.to_vec()).ok()?,
    })
}
