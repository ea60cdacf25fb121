//! One cap: a scope, a measure, a window, what it allows and what is committed of it.

use std::fmt;

use serde::{Deserialize, Serialize};
use soma_policy::{Code, EnvironmentId, InstallationKey, OrgId, Timestamp};

use super::{Measure, Window};
use crate::Refusal;
use crate::money;

/// Whose spending is capped.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scope {
    /// All of an org.
    Org(OrgId),
    /// One of its environments.
    Environment(OrgId, EnvironmentId),
    /// One installation.
    Installation(InstallationKey),
}

impl Scope {
    /// Whether spending of this installation counts.
    #[must_use]
    pub fn covers(&self, key: &InstallationKey) -> bool {
        match self {
            Self::Org(org) => *org == key.org,
            Self::Environment(org, environment) => {
                *org == key.org && *environment == key.environment
            }
            Self::Installation(own) => own == key,
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Org(org) => write!(f, "{org}"),
            Self::Environment(org, environment) => write!(f, "{org}/{environment}"),
            Self::Installation(key) => write!(f, "{key}"),
        }
    }
}

/// A cap in one window. A window that follows has a row of its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Budget {
    /// What may be committed in the window.
    #[serde(with = "soma_policy::decimal")]
    pub cap: i64,
    /// What is leased out, spent or paid in fees.
    #[serde(with = "soma_policy::decimal")]
    pub committed: i64,
    /// Of what.
    pub measure: Measure,
    /// Whose.
    pub scope: Scope,
    /// From how many per cent of the cap people are told; nobody is stopped by it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub soft_percent: Option<u8>,
    /// In which window.
    pub window: Window,
}

/// What may be done to a budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BudgetCommand {
    /// Commit so much.
    Take(i64),
    /// Return so much that was committed and not spent.
    GiveBack(i64),
    /// Set another cap. Below what is committed nothing more is given out, and nothing is taken back.
    Recap(i64),
}

impl Budget {
    /// A fresh cap in the window of `at`.
    ///
    /// # Errors
    /// [`Code::AmountBad`] for a negative cap, [`Code::BudgetBad`] for a soft limit above the whole.
    pub fn open(
        scope: Scope,
        measure: Measure,
        cap: i64,
        soft_percent: Option<u8>,
        window: Window,
    ) -> Result<Self, Refusal> {
        not_negative(cap, "open a budget")?;
        if soft_percent.is_some_and(|percent| percent > 100) {
            let reason = "a soft limit is at most 100 per cent of the cap";
            return Err(Refusal::new(Code::BudgetBad, "open a budget", reason));
        }
        Ok(Self { cap, committed: 0, measure, scope, soft_percent, window })
    }

    /// The budget after a command.
    ///
    /// # Errors
    /// [`Code::BudgetCap`] with what is left, [`Code::BudgetWindow`] in another window, [`Code::AmountBad`]
    /// for a negative amount, [`Code::LedgerDiffers`] when more comes back than was committed.
    pub fn apply(&self, command: BudgetCommand, at: Timestamp) -> Result<Self, Refusal> {
        match command {
            BudgetCommand::Take(amount) => self.take(amount, at),
            BudgetCommand::GiveBack(amount) => {
                not_negative(amount, "return")?;
                if amount > self.committed {
                    let reason =
                        format!("`{}` has {} committed", self.scope, self.shown(self.committed));
                    return Err(Refusal::new(Code::LedgerDiffers, "return", reason));
                }
                Ok(Self { committed: self.committed - amount, ..self.clone() })
            }
            BudgetCommand::Recap(cap) => {
                not_negative(cap, "recap")?;
                Ok(Self { cap, ..self.clone() })
            }
        }
    }

    fn take(&self, amount: i64, at: Timestamp) -> Result<Self, Refusal> {
        not_negative(amount, "take")?;
        if !self.window.holds(at) {
            let reason = format!("`{}` is for {}, and it is {at}", self.scope, self.window);
            return Err(Refusal::new(Code::BudgetWindow, "take", reason));
        }
        let committed = money::add(self.committed, amount, "take")?;
        if committed > self.cap {
            let (scope, window) = (&self.scope, self.window);
            let reason = format!(
                "{} of {} of `{scope}` in {window} are spent or leased, {} are asked for",
                self.shown(self.committed),
                self.shown(self.cap),
                self.shown(amount)
            );
            return Err(Refusal::new(Code::BudgetCap, "take", reason));
        }
        Ok(Self { committed, ..self.clone() })
    }

    /// What may still be committed.
    #[must_use]
    pub const fn left(&self) -> i64 {
        let left = self.cap.saturating_sub(self.committed);
        if left < 0 { 0 } else { left }
    }

    /// Whether people are to be told that it is nearly used up.
    #[must_use]
    pub fn is_soft(&self) -> bool {
        self.soft_percent.is_some_and(|percent| {
            i128::from(self.committed) * 100 >= i128::from(self.cap) * i128::from(percent)
        })
    }

    /// What will be committed at the end of the window if it goes on so; none at its very start.
    ///
    /// # Errors
    /// [`Code::MoneyOverflow`].
    pub fn forecast(&self, at: Timestamp) -> Result<Option<i64>, Refusal> {
        let whole = self.window.end().since(self.window.start()).0;
        money::forecast(self.committed, at.since(self.window.start()).0.min(whole), whole)
    }

    fn shown(&self, amount: i64) -> String {
        self.measure.show(amount)
    }
}

fn not_negative(amount: i64, what: &'static str) -> Result<(), Refusal> {
    let refuse = || Refusal::new(Code::AmountBad, what, format!("`{amount}` is negative"));
    (amount >= 0).then_some(()).ok_or_else(refuse)
}
