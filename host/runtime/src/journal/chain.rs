//! The chain: each record names the hash of the one before it, and heads sign it.
//!
//! This is the one place that judges whether payloads follow each other; start-up and verification
//! both walk with it. It reads no file.

use aws_lc_rs::digest::{SHA256, digest};
use soma_policy::Digest;

use super::head::Head;
use super::key::JournalPublicKey;
use super::record::{self, Kind};
use super::segment::Header;

/// Why a payload does not follow.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChainFault {
    /// The payload is not a record in its canonical form.
    #[error("not a record in its canonical form")]
    Form,
    /// The segment does not start with its header.
    #[error("the segment has no header of this journal")]
    Header,
    /// Records are missing or repeated.
    #[error("record {found} stands where record {expected} belongs")]
    Sequence {
        /// The number that would follow.
        expected: u64,
        /// The number that is there.
        found: u64,
    },
    /// The record was made after another one than that which stands before it.
    #[error("record {seq} does not follow the one before it")]
    Previous {
        /// The record.
        seq: u64,
    },
    /// A head that the host did not sign, or that vouches for something else.
    #[error("the head at record {seq} is not signed by the host key for this journal")]
    Signature {
        /// The record.
        seq: u64,
    },
}

/// What followed.
#[derive(Debug)]
pub(crate) struct Link<'a> {
    pub(crate) kind: Kind,
    pub(crate) seq: u64,
    pub(crate) hash: Digest,
    pub(crate) body: &'a [u8],
}

/// A position in the chain: what the next record must follow.
#[derive(Debug, Clone)]
pub(crate) struct Chain {
    header: Header,
    /// Signatures up to this record are not asked for: a seal of the host vouches for its hash.
    sealed: u64,
    /// The next record.
    pub(crate) next: u64,
    /// The hash that it must name.
    pub(crate) prev: Digest,
}

/// SHA-256 of a payload.
pub(crate) fn hash(payload: &[u8]) -> Digest {
    let mut bytes = [0; 32];
    for (to, from) in bytes.iter_mut().zip(digest(&SHA256, payload).as_ref()) {
        *to = *from;
    }
    Digest::from_bytes(bytes)
}

impl Chain {
    /// The chain as the first segment that is kept begins it, of which the record `sealed` is known by
    /// its hash (zero if none is).
    pub(crate) fn begin(header: Header, sealed: u64) -> Self {
        Self { next: header.first, prev: header.prev, header, sealed }
    }

    /// Whose chain this is.
    pub(crate) fn header(&self) -> &Header {
        &self.header
    }

    /// Whether `header` opens the segment that comes next.
    pub(crate) fn continues(&self, header: &Header) -> Result<(), ChainFault> {
        let same = header.journal == self.header.journal && header.host == self.header.host;
        if !same {
            return Err(ChainFault::Header);
        }
        if header.first != self.next {
            return Err(ChainFault::Sequence { expected: self.next, found: header.first });
        }
        match header.prev == self.prev {
            true => Ok(()),
            false => Err(ChainFault::Previous { seq: header.first }),
        }
    }

    /// Takes the next payload if it follows.
    pub(crate) fn follow<'a>(
        &mut self,
        payload: &'a [u8],
        key: &JournalPublicKey,
    ) -> Result<Link<'a>, ChainFault> {
        let record = record::read(payload).ok_or(ChainFault::Form)?;
        let seq = record.seq;
        if seq != self.next {
            return Err(ChainFault::Sequence { expected: self.next, found: seq });
        }
        if record.prev != self.prev {
            return Err(ChainFault::Previous { seq });
        }
        if record.kind == Kind::Head && seq > self.sealed {
            let head = Head::verified(record.body, key).ok_or(ChainFault::Signature { seq })?;
            self.vouched(&head, seq)?;
        }
        let hash = hash(payload);
        self.next = self.next.saturating_add(1);
        self.prev = hash;
        Ok(Link { kind: record.kind, seq, hash, body: record.body })
    }

    /// A head vouches for the record before it, in this journal.
    fn vouched(&self, head: &Head, seq: u64) -> Result<(), ChainFault> {
        let ours = head.journal == self.header.journal && head.host == self.header.host;
        let before = head.seq.checked_add(1) == Some(seq) && head.hash == self.prev;
        (ours && before).then_some(()).ok_or(ChainFault::Signature { seq })
    }
}
