//! The frame: how one payload lies in a segment.
//!
//! `u32 LE length · u32 LE crc32c · payload`, the checksum being over the length and the payload.
//! A frame says that bytes are whole; whether they are true is the chain's question (`chain.rs`).

use std::io;

use super::disk::DiskFile;

/// Bytes before a payload.
pub(crate) const HEADER: usize = 8;

/// The longest payload that is written or believed.
pub(crate) const MAX_PAYLOAD: usize = 1024 * 1024;

const CHUNK: usize = 256 * 1024;

/// Starts a frame in `out`; the payload is appended by the caller, then [`finish`] is called with
/// what this returned.
pub(crate) fn begin(out: &mut Vec<u8>) -> usize {
    let at = out.len();
    out.extend_from_slice(&[0; HEADER]);
    at
}

/// Fills in length and checksum of the frame that began at `at`.
pub(crate) fn finish(out: &mut [u8], at: usize) {
    let Some((header, payload)) =
        out.get_mut(at..).and_then(|f| f.split_first_chunk_mut::<HEADER>())
    else {
        return;
    };
    let length = u32::try_from(payload.len()).unwrap_or(u32::MAX).to_le_bytes();
    let crc = checksum(length, payload).to_le_bytes();
    let [l0, l1, l2, l3] = length;
    let [c0, c1, c2, c3] = crc;
    *header = [l0, l1, l2, l3, c0, c1, c2, c3];
}

fn checksum(length: [u8; 4], payload: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&length), payload)
}

/// Why the bytes at an offset are no frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FrameFault {
    /// The file ends inside the frame.
    #[error("the file ends inside a frame")]
    Short,
    /// The length is zero or beyond the bound.
    #[error("the length of a frame is out of bounds")]
    Length,
    /// The bytes are not those that were written.
    #[error("the checksum of a frame does not match")]
    Checksum,
}

/// What a reader met.
#[derive(Debug)]
pub(crate) enum Next<'a> {
    /// A whole frame: its payload, and where it starts.
    Frame { at: u64, payload: &'a [u8] },
    /// No frame at this offset.
    Fault { at: u64, fault: FrameFault },
    /// The end, exactly at a frame's border.
    End,
}

/// Walks the frames of one file from an offset to a bound.
pub(crate) struct FrameReader<'a> {
    file: &'a dyn DiskFile,
    /// File offset of `buffer[0]`.
    base: u64,
    buffer: Vec<u8>,
    at: usize,
    bound: u64,
}

impl<'a> FrameReader<'a> {
    /// Frames from `offset`, believing nothing at or beyond `bound`.
    pub(crate) fn new(file: &'a dyn DiskFile, offset: u64, bound: u64) -> Self {
        Self { file, base: offset, buffer: Vec::new(), at: 0, bound }
    }

    /// File offset of the next frame.
    pub(crate) fn offset(&self) -> u64 {
        self.base.saturating_add(self.at as u64)
    }

    /// The next frame; after a fault the reader stands still.
    pub(crate) fn next(&mut self) -> io::Result<Next<'_>> {
        let at = self.offset();
        if !self.fill(HEADER)? {
            let empty = self.buffer.len() == self.at;
            return Ok(if empty {
                Next::End
            } else {
                Next::Fault { at, fault: FrameFault::Short }
            });
        }
        let Some(&[l0, l1, l2, l3, c0, c1, c2, c3]) =
            self.buffer.get(self.at..).and_then(|rest| rest.first_chunk::<HEADER>())
        else {
            return Ok(Next::Fault { at, fault: FrameFault::Short });
        };
        let length = [l0, l1, l2, l3];
        let wanted = u32::from_le_bytes(length) as usize;
        if wanted == 0 || wanted > MAX_PAYLOAD {
            return Ok(Next::Fault { at, fault: FrameFault::Length });
        }
        if !self.fill(HEADER.saturating_add(wanted))? {
            return Ok(Next::Fault { at, fault: FrameFault::Short });
        }
        let start = self.at.saturating_add(HEADER);
        let end = start.saturating_add(wanted);
        let payload = self.buffer.get(start..end).unwrap_or_default();
        if checksum(length, payload) != u32::from_le_bytes([c0, c1, c2, c3]) {
            return Ok(Next::Fault { at, fault: FrameFault::Checksum });
        }
        self.at = end;
        Ok(Next::Frame { at, payload })
    }

    /// Whether `wanted` bytes lie in the buffer from `at`, reading on if they do not.
    fn fill(&mut self, wanted: usize) -> io::Result<bool> {
        if self.buffer.len().saturating_sub(self.at) >= wanted {
            return Ok(true);
        }
        self.buffer.drain(..self.at);
        self.base = self.base.saturating_add(self.at as u64);
        self.at = 0;
        let have = self.buffer.len();
        let from = self.base.saturating_add(have as u64);
        let room = usize::try_from(self.bound.saturating_sub(from)).unwrap_or(usize::MAX);
        let ask = wanted.max(CHUNK).saturating_sub(have).min(room);
        self.buffer.resize(have.saturating_add(ask), 0);
        let got = match self.buffer.get_mut(have..) {
            Some(rest) => self.file.read_at(from, rest)?,
            None => 0,
        };
        self.buffer.truncate(have.saturating_add(got));
        Ok(self.buffer.len() >= wanted)
    }
}
