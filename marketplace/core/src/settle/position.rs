//! How far a host's journal is settled: entries are taken in order, each once, and never two for one place.

use serde::{Deserialize, Serialize};
use soma_policy::{Code, Digest, HostId, JournalId};

use crate::Refusal;
use crate::named::named;

named! {
    /// Whether a journal is taken from.
    JournalState "a state of a journal" {
        /// It is.
        Good "good",
        /// It contradicted itself or a lease: nothing is, until an operator decides.
        Quarantined "quarantined",
    }
}

/// The frame of one entry of any kind. That its hash is the hash of its content is checked before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// Its hash.
    pub hash: Digest,
    /// The hash of the entry before it.
    pub prev: Digest,
    /// Its place.
    pub seq: u64,
}

/// How far a journal is settled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Position {
    /// The hash of the last entry that was taken.
    pub head: Digest,
    /// Whose it is.
    pub host: HostId,
    /// The journal.
    pub journal: JournalId,
    /// The place of the next entry.
    #[serde(with = "soma_policy::decimal")]
    pub next: u64,
    /// Whether it is taken from.
    pub state: JournalState,
}

/// What an entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrival {
    /// The next one; the position after it.
    Next(Position),
    /// One that was taken before: nothing is to be done.
    Known,
}

/// What an operator or a fork does to a journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JournalCommand {
    /// Take nothing more from it.
    Quarantine,
    /// Take from it again, from the same position.
    Lift,
}

/// What of a batch may be settled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// The places in the batch of the entries to settle, in order.
    pub accepted: Vec<usize>,
    /// The position after them.
    pub position: Position,
    /// Why the rest is not taken; none if all of it is.
    pub refusal: Option<Refusal>,
}

impl Position {
    /// The start of a journal. Its entries are counted from `first`.
    #[must_use]
    pub const fn start(host: HostId, journal: JournalId, first: u64) -> Self {
        Self { head: Digest::ZERO, host, journal, next: first, state: JournalState::Good }
    }

    /// Takes one entry. `known` is the hash of the entry that was taken for its place, if there is one.
    ///
    /// # Errors
    /// [`Code::JournalForked`] for another entry in a known place or after another predecessor,
    /// [`Code::EntriesMissing`] with the place to send from, [`Code::JournalQuarantined`].
    pub fn arrive(&self, entry: &Entry, known: Option<Digest>) -> Result<Arrival, Refusal> {
        if self.state == JournalState::Quarantined {
            let reason = format!("journal {} is quarantined", self.journal);
            return Err(Refusal::new(Code::JournalQuarantined, "settle", reason));
        }
        match known {
            Some(known) if known == entry.hash => return Ok(Arrival::Known),
            Some(known) => return Err(self.fork(entry.seq, known, entry.hash)),
            None => {}
        }
        if entry.seq != self.next {
            let reason =
                format!("journal {} goes on at {}, not {}", self.journal, self.next, entry.seq);
            return Err(Refusal::new(Code::EntriesMissing, "settle", reason));
        }
        if entry.prev != self.head {
            return Err(self.fork(entry.seq.saturating_sub(1), self.head, entry.prev));
        }
        let next = entry.seq.checked_add(1).ok_or_else(|| crate::money::overflow("the journal"))?;
        Ok(Arrival::Next(Self { head: entry.hash, next, ..*self }))
    }

    /// Takes a batch: what is in order, up to the first entry that is not. Of two entries for one place
    /// neither is taken, even if one of them came first.
    #[must_use]
    pub fn arrive_all(&self, batch: &[Entry], known: impl Fn(u64) -> Option<Digest>) -> Batch {
        let mut taken = Batch { accepted: Vec::new(), position: *self, refusal: None };
        let mut seen = std::collections::BTreeMap::new();
        for (at, entry) in batch.iter().enumerate() {
            let twin =
                batch.iter().find(|other| other.seq == entry.seq && other.hash != entry.hash);
            let arrival = match twin {
                Some(twin) => Err(self.fork(entry.seq, entry.hash, twin.hash)),
                None => {
                    let earlier = seen.get(&entry.seq).copied();
                    taken.position.arrive(entry, earlier.or_else(|| known(entry.seq)))
                }
            };
            match arrival {
                Ok(Arrival::Known) => {}
                Ok(Arrival::Next(position)) => {
                    seen.insert(entry.seq, entry.hash);
                    taken.accepted.push(at);
                    taken.position = position;
                }
                Err(refusal) => {
                    if refusal.code == Code::JournalForked {
                        taken.position.state = JournalState::Quarantined;
                    }
                    taken.refusal = Some(refusal);
                    break;
                }
            }
        }
        taken
    }

    /// The position after a command.
    ///
    /// # Errors
    /// [`Code::MoveIllegal`] with the legal move.
    pub fn apply(&self, command: JournalCommand) -> Result<Self, Refusal> {
        let (state, tried) = match command {
            JournalCommand::Quarantine => (JournalState::Quarantined, "quarantine"),
            JournalCommand::Lift => (JournalState::Good, "lift"),
        };
        if state == self.state {
            let legal = match self.state {
                JournalState::Good => "quarantine",
                JournalState::Quarantined => "lift",
            };
            return Err(Refusal::illegal("a journal", tried, self.state.as_str(), [legal]));
        }
        Ok(Self { state, ..*self })
    }

    fn fork(&self, seq: u64, one: Digest, other: Digest) -> Refusal {
        let reason = format!("journal {} has {one} and {other} at {seq}", self.journal);
        Refusal::new(Code::JournalForked, "settle", reason)
    }
}
