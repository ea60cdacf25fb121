//! Earnings: what authors get is pending for a while, so that refunds and chargebacks find it, then available.
//!
//! Kept per author, currency and UTC day of settlement, not per call: one row and one posting a day.

#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};
use soma_policy::{Code, Millis, Money, OrgId, Timestamp};

use crate::Refusal;
use crate::budget::Window;
use crate::ledger::{About, Account, Cause, Draft, Posting, TransferKind};
use crate::money;
use crate::named::named;

named! {
    /// Where an author's share is.
    EarningState "a state of an earning" {
        /// It may still be taken back.
        Pending "pending",
        /// A payout may take it.
        Available "available",
    }
}

/// What an author earned in a UTC day, by the server's clock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Earning {
    /// The author's org.
    pub author: OrgId,
    /// All that was earned.
    pub earned: Money,
    /// What was taken back of it, in micro-units.
    #[serde(with = "soma_policy::decimal")]
    pub reversed: i64,
    /// Where it is.
    pub state: EarningState,
    /// The day.
    pub window: Window,
}

/// What may happen to an earning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EarningCommand {
    /// A settlement of the day earned so much.
    Earn(Money),
    /// A refund or chargeback took back so much.
    Reverse(Money),
    /// Its time has passed: so long after the end of the day.
    Mature(Millis),
}

impl Earning {
    /// A day on which nothing is earned yet.
    #[must_use]
    pub const fn open(author: OrgId, currency: soma_policy::Currency, at: Timestamp) -> Self {
        let window = Window::day(at);
        let earned = Money::zero(currency);
        Self { author, earned, reversed: 0, state: EarningState::Pending, window }
    }

    /// The earning after a command, and the posting that goes with it: pending → available.
    ///
    /// # Errors
    /// [`Code::EarningMove`] with the legal moves or the instant of maturity, [`Code::RefundTooLarge`] when
    /// more is taken back than was earned, [`Code::MoneyCurrency`], [`Code::AmountBad`].
    pub fn apply(
        &self,
        command: EarningCommand,
        at: Timestamp,
    ) -> Result<(Self, Option<Posting>), Refusal> {
        match command {
            EarningCommand::Earn(money) => self.earn(money, at).map(|next| (next, None)),
            EarningCommand::Reverse(money) => self.reverse(money).map(|next| (next, None)),
            EarningCommand::Mature(hold) => self.mature(hold, at),
        }
    }

    fn earn(&self, money: Money, at: Timestamp) -> Result<Self, Refusal> {
        if self.state != EarningState::Pending || !self.window.holds(at) {
            let reason = format!("the day {} is over", self.window);
            return Err(self.refuse("earn", reason));
        }
        money::same(money.currency, self.earned.currency, "earn")?;
        if money.micros < 0 {
            return Err(Refusal::new(Code::AmountBad, "earn", format!("`{money}` is negative")));
        }
        let micros = money::add(self.earned.micros, money.micros, "earn")?;
        Ok(Self { earned: Money { micros, ..self.earned }, ..self.clone() })
    }

    fn reverse(&self, money: Money) -> Result<Self, Refusal> {
        money::same(money.currency, self.earned.currency, "reverse")?;
        let reversed = money::add(self.reversed, money::positive(money, "reverse")?, "reverse")?;
        if reversed > self.earned.micros {
            let reason = format!("{money} of {}, of which {} is left", self.earned, self.left());
            return Err(Refusal::new(Code::RefundTooLarge, "reverse", reason));
        }
        Ok(Self { reversed, ..self.clone() })
    }

    fn mature(&self, hold: Millis, at: Timestamp) -> Result<(Self, Option<Posting>), Refusal> {
        if self.state != EarningState::Pending {
            return Err(self.refuse("mature", "it is available already".to_owned()));
        }
        let due = self.window.end().plus(hold);
        if at < due {
            return Err(self.refuse("mature", format!("it is available from {due}")));
        }
        let author = || self.author.clone();
        let about = About { author: Some(author()), ..About::default() };
        let cause = Cause::Maturity(author(), self.window);
        let (from, to) = (Account::Pending(author()), Account::Available(author()));
        let posting = Draft::new(cause, self.earned.currency, about, at)
            .row(TransferKind::Maturity, from, to, self.left().micros)?
            .finish();
        Ok((Self { state: EarningState::Available, ..self.clone() }, posting))
    }

    /// What was earned and not taken back.
    #[must_use]
    pub const fn left(&self) -> Money {
        let micros = self.earned.micros.saturating_sub(self.reversed);
        Money { micros, currency: self.earned.currency }
    }

    fn refuse(&self, tried: &'static str, reason: String) -> Refusal {
        let legal: &[&'static str] = match self.state {
            EarningState::Pending => &["earn", "reverse", "mature"],
            EarningState::Available => &["reverse"],
        };
        Refusal::new(Code::EarningMove, tried, reason).within(self.state.as_str(), legal.to_vec())
    }
}
