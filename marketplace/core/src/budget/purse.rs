//! Reserving for a call before it starts: the rule that makes an overspend impossible, not unlikely.

use soma_policy::{Code, Denial, InstallationKey, Layer, Money};

use crate::Refusal;
use crate::money;

/// What is left of a lease while calls run on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Purse {
    /// What the lease holds.
    pub limit: Money,
    /// The worst cases of calls that run, in micro-units.
    pub reserved: i64,
    /// Calls that run.
    pub running: u32,
    /// Spent by calls that ended, in micro-units.
    pub spent: i64,
}

impl Purse {
    /// A purse of which nothing is spent.
    #[must_use]
    pub const fn new(limit: Money) -> Self {
        Self { limit, reserved: 0, running: 0, spent: 0 }
    }

    /// Reserves the worst case of a call.
    ///
    /// # Errors
    /// A denial that says what is spent and reserved, and what to do.
    pub fn reserve(&self, worst: Money, key: &InstallationKey) -> Result<Self, Box<Denial>> {
        if worst.micros > 0 && worst.currency != self.limit.currency {
            let reason = format!("the call costs {worst}, the lease is in {}", self.limit.currency);
            let denial = Denial::new(Code::BudgetCurrency, Layer::Budget, "call", reason);
            return Err(Box::new(denial));
        }
        let worst = worst.micros.max(0);
        let sum = self.spent.checked_add(self.reserved).and_then(|sum| sum.checked_add(worst));
        match sum {
            Some(sum) if sum <= self.limit.micros => Ok(Self {
                reserved: self.reserved + worst,
                running: self.running.saturating_add(1),
                ..*self
            }),
            _ => Err(Box::new(self.denial(worst, key))),
        }
    }

    /// A call ended: its reservation goes, what it cost is spent.
    ///
    /// # Errors
    /// [`Code::ReservationMissing`] when that much is not reserved, or when it cost more than it reserved.
    pub fn settle(&self, worst: i64, cost: i64) -> Result<Self, Refusal> {
        let known = self.running > 0 && (0..=self.reserved).contains(&worst);
        if !known || !(0..=worst).contains(&cost) {
            let reason =
                format!("{cost} of {worst} micro-units, where {} are reserved", self.reserved);
            return Err(Refusal::new(Code::ReservationMissing, "settle", reason));
        }
        let spent = money::add(self.spent, cost, "settle")?;
        Ok(Self { reserved: self.reserved - worst, running: self.running - 1, spent, ..*self })
    }

    fn denial(&self, worst: i64, key: &InstallationKey) -> Denial {
        let number = |micros| Money { micros, ..self.limit }.number();
        let spent = if self.spent > 0 {
            format!("{} spent and ", number(self.spent))
        } else {
            String::new()
        };
        let reason = format!(
            "{spent}{} of {} reserved by {} running calls, and this one may cost {}",
            number(self.reserved),
            self.limit,
            self.running,
            number(worst)
        );
        Denial::new(Code::BudgetExhausted, Layer::Budget, "call", reason)
            .fix(format!("retry, or raise budget.limit in {}", key.file()))
    }
}
