//! Payouts: what is available to an author leaves through a payment provider, which is outside.
//!
//! A payout holds its money from the request on, so that two payouts never take the same. The provider's word
//! ends it: settled or failed. Deliberately absent: the provider, and who may approve.

#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};
use soma_policy::{Code, Money, OrgId, PayoutId, Timestamp};

use crate::Refusal;
use crate::Words;
use crate::ledger::{About, Account, Cause, Draft, PayoutStep, Posting, TransferKind};
use crate::money;
use crate::named::named;

named! {
    /// Where a payout is.
    PayoutState "a state of a payout" {
        /// The author asked for it; its money is held.
        Requested "requested",
        /// An operator agreed.
        Approved "approved",
        /// It is in a file for the provider.
        Exported "exported",
        /// The provider paid it.
        Settled "settled",
        /// It was refused here or failed there; its money is available again.
        Failed "failed",
    }
}

impl PayoutState {
    /// The moves that are legal in it.
    #[must_use]
    pub const fn legal(self) -> &'static [&'static str] {
        match self {
            Self::Requested => &["approve", "fail"],
            Self::Approved => &["export", "fail"],
            Self::Exported => &["settle", "fail"],
            Self::Settled | Self::Failed => &[],
        }
    }
}

/// A payout, as it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Payout {
    /// How much.
    pub amount: Money,
    /// The author's org.
    pub author: OrgId,
    /// Its id.
    pub id: PayoutId,
    /// The export's or provider's reference, or why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<Words>,
    /// Where it is.
    pub state: PayoutState,
}

/// What may happen to a payout.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PayoutCommand {
    /// An operator agrees.
    Approve,
    /// It is written into a file of this reference.
    Export(Words),
    /// The provider paid it, by this reference.
    Settle(Words),
    /// It is refused or failed, for this reason.
    Fail(Words),
}

impl PayoutCommand {
    const fn as_str(&self) -> &'static str {
        match self {
            Self::Approve => "approve",
            Self::Export(_) => "export",
            Self::Settle(_) => "settle",
            Self::Fail(_) => "fail",
        }
    }
}

impl Payout {
    /// Requests a payout of what is available: `available` is the balance of the author's account.
    ///
    /// # Errors
    /// [`Code::PayoutTooLarge`] with what is available, [`Code::AmountBad`], [`Code::MoneyCurrency`].
    pub fn request(
        id: PayoutId,
        author: OrgId,
        amount: Money,
        available: Money,
        at: Timestamp,
    ) -> Result<(Self, Posting), Refusal> {
        money::same(amount.currency, available.currency, "request")?;
        if money::positive(amount, "request")? > available.micros {
            let reason = format!("{amount} of {available} that is available");
            return Err(Refusal::new(Code::PayoutTooLarge, "request", reason));
        }
        let payout = Self { amount, author, id, note: None, state: PayoutState::Requested };
        let posting = payout.post(PayoutStep::Hold, at)?;
        Ok((payout, posting))
    }

    /// The payout after a command, and the posting that goes with it.
    ///
    /// # Errors
    /// [`Code::PayoutMove`] with the legal moves.
    pub fn apply(
        &self,
        command: PayoutCommand,
        at: Timestamp,
    ) -> Result<(Self, Option<Posting>), Refusal> {
        let (state, legal) = (self.state, self.state.legal());
        if !legal.contains(&command.as_str()) {
            let refusal =
                Refusal::illegal("a payout", command.as_str(), state.as_str(), legal.to_vec());
            return Err(Refusal { code: Code::PayoutMove, ..refusal });
        }
        let (state, note, step) = match command {
            PayoutCommand::Approve => (PayoutState::Approved, None, None),
            PayoutCommand::Export(file) => (PayoutState::Exported, Some(file), None),
            PayoutCommand::Settle(reference) => {
                (PayoutState::Settled, Some(reference), Some(PayoutStep::Pay))
            }
            PayoutCommand::Fail(why) => (PayoutState::Failed, Some(why), Some(PayoutStep::Return)),
        };
        let posting = step.map(|step| self.post(step, at)).transpose()?;
        Ok((Self { state, note, ..self.clone() }, posting))
    }

    fn post(&self, step: PayoutStep, at: Timestamp) -> Result<Posting, Refusal> {
        let author = || self.author.clone();
        let (debit, credit) = match step {
            PayoutStep::Hold => (Account::Available(author()), Account::Held(author())),
            PayoutStep::Pay => (Account::Held(author()), Account::Paid(author())),
            PayoutStep::Return => (Account::Held(author()), Account::Available(author())),
        };
        let about = About { author: Some(author()), ..About::default() };
        Draft::new(Cause::Payout(self.id, step), self.amount.currency, about, at)
            .row(TransferKind::Payout, debit, credit, self.amount.micros)?
            .whole()
    }
}
