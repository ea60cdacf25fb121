//! The moves of a lease: recall, slices that come back, close, finish, lose.

use soma_policy::{Code, JournalId, Timestamp};

use super::grant::about;
use super::{LastEntry, Lease, LeaseState};
use crate::Refusal;
use crate::budget::Amounts;
use crate::ledger::{Account, Cause, Draft, Posting, TransferKind};

/// What may happen to a lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeaseCommand {
    /// The server asks for it back.
    Recall,
    /// The host returns a part of it, signed, as its slice of this number: 1, 2, 3 …
    ReturnSlice {
        /// What comes back; at most what is left.
        amounts: Amounts,
        /// The number of the slice.
        n: u32,
    },
    /// The host says, signed, that no later entry of its journal names the lease.
    Close(LastEntry),
    /// The journal is settled up to `next`, exclusive.
    Finish {
        /// The journal.
        journal: JournalId,
        /// The first entry that is not settled.
        next: u64,
    },
    /// The host has not closed it in time.
    Lose,
}

impl LeaseCommand {
    /// Its name, as refusals spell it.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Recall => "recall",
            Self::ReturnSlice { .. } => "return-slice",
            Self::Close(_) => "close",
            Self::Finish { .. } => "finish",
            Self::Lose => "lose",
        }
    }
}

/// A lease after a move, with all that changes with it, in one transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeaseStep {
    /// What its budgets get back ([`crate::budget::give_back`]).
    pub freed: Amounts,
    /// The lease.
    pub lease: Lease,
    /// Lease → tenant; none if no money moves.
    pub posting: Option<Posting>,
}

impl Lease {
    /// The lease after a command.
    ///
    /// # Errors
    /// [`Code::LeaseMove`], with the legal moves when the state has no such one, or with what is missing for
    /// it. A refused command changes nothing.
    pub fn apply(&self, command: &LeaseCommand, at: Timestamp) -> Result<LeaseStep, Refusal> {
        if !self.state.legal().contains(&command.as_str()) {
            return Err(self.illegal(command.as_str()));
        }
        match *command {
            LeaseCommand::Recall => {
                Ok(self.quiet(Self { state: LeaseState::Recalling, ..self.clone() }))
            }
            LeaseCommand::ReturnSlice { amounts, n } => self.return_slice(&amounts, n, at),
            LeaseCommand::Close(last) => Ok(self.quiet(Self {
                state: LeaseState::Closing,
                last: Some(last),
                ..self.clone()
            })),
            LeaseCommand::Finish { journal, next } => self.finish(journal, next, at),
            LeaseCommand::Lose if at >= self.lost_after => self.end(LeaseState::Lost, at),
            LeaseCommand::Lose => {
                let reason = format!("the host has until {} to close it", self.lost_after);
                Err(self.refuse("lose", reason))
            }
        }
    }

    fn return_slice(&self, amounts: &Amounts, n: u32, at: Timestamp) -> Result<LeaseStep, Refusal> {
        let tried = "return-slice";
        if self.slices.checked_add(1) != Some(n) {
            let reason = format!("slice {n} came, and {} are back already", self.slices);
            return Err(self.refuse(tried, reason));
        }
        if !amounts.is_sound() || amounts.is_none() || !self.left()?.covers(amounts) {
            let reason = "a slice is something, and at most what is left of the lease";
            return Err(self.refuse(tried, reason.to_owned()));
        }
        let granted = self.granted.less(amounts)?;
        let lease = Self { granted, slices: n, ..self.clone() };
        let posting = self.back(Cause::Slice(self.id, n), amounts, at)?;
        Ok(LeaseStep { freed: *amounts, lease, posting })
    }

    fn finish(&self, journal: JournalId, next: u64, at: Timestamp) -> Result<LeaseStep, Refusal> {
        match self.last {
            Some(last) if last.journal == journal && last.seq < next => {
                self.end(LeaseState::Closed, at)
            }
            last => {
                let seq = last.map_or(0, |last| last.seq);
                let reason = format!("the host's journal is to be settled up to {seq} first");
                Err(self.refuse("finish", reason))
            }
        }
    }

    /// The end, in either way: what is left goes back.
    fn end(&self, state: LeaseState, at: Timestamp) -> Result<LeaseStep, Refusal> {
        let freed = self.left()?;
        let posting = self.back(Cause::Residue(self.id), &freed, at)?;
        Ok(LeaseStep { freed, lease: Self { state, ..self.clone() }, posting })
    }

    fn back(
        &self,
        cause: Cause,
        amounts: &Amounts,
        at: Timestamp,
    ) -> Result<Option<Posting>, Refusal> {
        let tenant = Account::Tenant(self.installation.org.clone());
        let draft = Draft::new(cause, self.currency(), about(&self.installation), at).row(
            TransferKind::Residue,
            Account::Lease(self.id),
            tenant,
            amounts.money.micros,
        )?;
        Ok(draft.finish())
    }

    const fn quiet(&self, lease: Self) -> LeaseStep {
        LeaseStep { freed: Amounts::none(self.currency()), lease, posting: None }
    }

    fn illegal(&self, tried: &'static str) -> Refusal {
        let refusal =
            Refusal::illegal("a lease", tried, self.state.as_str(), self.state.legal().to_vec());
        Refusal { code: Code::LeaseMove, ..refusal }
    }

    fn refuse(&self, tried: &'static str, reason: String) -> Refusal {
        Refusal::new(Code::LeaseMove, tried, reason)
            .within(self.state.as_str(), self.state.legal().to_vec())
    }
}
