//! The journal on its way up: the durable prefix, in order, until the server has taken it.
//!
//! The server alone says where to go on: at the start it is asked, after that each answer says it, forwards or,
//! after it was restored, backwards. Nothing is kept here but that place, so a restart begins by asking again,
//! and one page is all that lies in memory. What the server says is checked against the journal: a place beyond
//! its end, or another record before the place, is a journal that two wrote, and nothing is sent any more.
//!
//! Deliberately absent: the connection and its pace (`host/money.rs`), and settling, which is the server's.
//! Receipts of version 1 count no model tokens, so none are sent.

#[cfg(test)]
mod tests;

use soma_policy::feed::{JournalAck, JournalPush};
use soma_policy::{Code, Digest, HostId, JournalId};

use crate::journal::{Journal, JournalError};

/// Records of one request.
const RECORDS_MAX: usize = 500;

/// Why nothing is sent.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PushError {
    /// The journal cannot be read.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The answer is about another journal, or names no place.
    #[error("the server's answer is about journal {0}, or names no place in it")]
    Unfit(JournalId),
    /// The answer is another host's, or to another request.
    #[error("the server's answer is to host {0}, or to another request")]
    Foreign(HostId),
    /// The server has taken more than this journal holds.
    #[error(
        "the server wants record {next} and the journal ends with {last}: this disk is an older copy"
    )]
    Ahead {
        /// What the server wants.
        next: u64,
        /// The last durable record.
        last: u64,
    },
    /// The server took another record than this journal holds.
    #[error("the server took another record {0}: two hosts wrote this journal")]
    Forked(u64),
    /// The server was restored to before what is kept here.
    #[error("the server wants record {next}, and what is before {first} was pruned")]
    Gone {
        /// What the server wants.
        next: u64,
        /// The first record that is kept.
        first: u64,
    },
}

impl PushError {
    /// Its code in the catalogue.
    pub(crate) const fn code(&self) -> Code {
        match self {
            Self::Journal(error) => error.code(),
            Self::Foreign(_) => Code::EnvelopeMalformed,
            Self::Unfit(_) | Self::Ahead { .. } | Self::Forked(_) => Code::JournalForked,
            Self::Gone { .. } => Code::EntriesMissing,
        }
    }
}

/// What an answer means for the next request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Progress {
    /// Go on.
    More,
    /// The server took nothing of what was sent: it is asked again later.
    None,
}

/// How far the server has taken the journal.
#[derive(Debug, Clone)]
pub(crate) struct Push {
    /// The record that the server wants; none before it was asked.
    next: Option<u64>,
    /// Records of one request: fewer after one was too large for the server.
    records: usize,
}

impl Default for Push {
    fn default() -> Self {
        Self { next: None, records: RECORDS_MAX }
    }
}

impl Push {
    /// The next request; none if the server has everything that is durable. Reads files on this thread.
    pub(crate) fn due(&self, journal: &Journal) -> Result<Option<JournalPush>, PushError> {
        let (name, last) = (journal.id(), last(journal));
        let Some(next) = self.next else {
            // Beyond the end and empty: it only asks for the place.
            let from = last.saturating_add(1);
            return Ok(Some(asking(name, from, Vec::new())));
        };
        if next > last {
            return Ok(None);
        }
        let page = journal.read(next, self.records).map_err(|error| match error {
            JournalError::Pruned { first } => PushError::Gone { next, first },
            error => error.into(),
        })?;
        let records = page.records.into_iter().map(|line| line.record).collect();
        Ok(Some(asking(name, next, records)))
    }

    /// Takes the server's answer.
    pub(crate) fn acked(
        &mut self,
        journal: &Journal,
        sent: &JournalPush,
        ack: &JournalAck,
    ) -> Result<Progress, PushError> {
        let (next, last) = (ack.next, last(journal));
        if ack.host != journal.host() || ack.nonce != sent.nonce {
            return Err(PushError::Foreign(ack.host));
        }
        if ack.journal != journal.id() || next == 0 {
            return Err(PushError::Unfit(ack.journal));
        }
        if next > last.saturating_add(1) {
            return Err(PushError::Ahead { next, last });
        }
        let before = next.saturating_sub(1);
        if hash_of(journal, sent, before)?.is_some_and(|hash| hash != ack.hash) {
            // What follows goes up all the same: the server sees that it does not follow what it took, and tells.
            self.next = (next <= last).then_some(next);
            return Err(PushError::Forked(before));
        }
        let stays = self.next == Some(next) && !sent.records.is_empty();
        self.next = Some(next);
        journal.taken(next)?;
        Ok(if stays { Progress::None } else { Progress::More })
    }

    /// The request was too large for the server.
    pub(crate) const fn smaller(&mut self) {
        self.records = if self.records > 1 { self.records / 2 } else { 1 };
    }
}

/// A request whose nonce is drawn when it is sent.
fn asking(journal: JournalId, from: u64, records: Vec<String>) -> JournalPush {
    JournalPush { from, journal, nonce: String::new(), records }
}

/// The hash of a record; none for what is not kept any more, and of the place before the first.
fn hash_of(journal: &Journal, sent: &JournalPush, seq: u64) -> Result<Option<Digest>, PushError> {
    if seq == 0 {
        return Ok(None);
    }
    let at = seq.checked_sub(sent.from).and_then(|at| usize::try_from(at).ok());
    if let Some(record) = at.and_then(|at| sent.records.get(at)) {
        return Ok(Some(Digest::of(record.as_bytes())));
    }
    match journal.read(seq, 1) {
        Ok(page) => Ok(page.records.first().map(|line| line.hash)),
        Err(JournalError::Pruned { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn last(journal: &Journal) -> u64 {
    *journal.durable().borrow()
}
