//! What the rooms of the marketplace share: who acts under its rules, how its refusals travel, and what the
//! operator set. Rules are soma-market's; here rows become their values and their values become rows.

mod acting;
mod error;
mod policy;

use std::collections::BTreeSet;

use parking_lot::Mutex;
use soma_market::review::ReviewRules;
use soma_market::risk::Score;
use soma_policy::CapsuleName;
use tokio::sync::Semaphore;

pub(crate) use acting::{actor, actor_of, org_of};
pub(crate) use error::MarketError;
pub(crate) use policy::PolicyFolder;

use crate::config::{ConfigError, MarketConfig};
use crate::examine::Advisories;

/// Submissions that are examined at one time: each holds a component in memory.
const EXAMINED_AT_ONCE: usize = 4;

/// What the marketplace stands on besides the database.
#[derive(Debug)]
pub(crate) struct Market {
    pub(crate) advisories: Advisories,
    pub(crate) policy: PolicyFolder,
    pub(crate) rules: ReviewRules,
    pub(crate) examining: Semaphore,
    /// Capsules with a release that was published lately: their installations may want it.
    published: Mutex<BTreeSet<CapsuleName>>,
}

impl Market {
    /// Reads the operator's policy and the advisories.
    ///
    /// # Errors
    /// When one of them cannot be taken over whole.
    pub(crate) fn open(config: &MarketConfig) -> Result<Self, ConfigError> {
        let MarketConfig { policy, advisories, auto_approve, below_thousandths, passport } = config;
        let (auto_approve, passport) = (auto_approve.unwrap_or(false), *passport);
        let below = Score::thousandths(*below_thousandths);
        Ok(Self {
            advisories: Advisories::load(advisories.as_deref())?,
            policy: PolicyFolder::open(policy)?,
            rules: ReviewRules { auto_approve, below, passport },
            examining: Semaphore::new(EXAMINED_AT_ONCE),
            published: Mutex::default(),
        })
    }

    /// A release was published, or may have been while nobody looked.
    pub(crate) fn note_published(&self, capsule: CapsuleName) {
        self.published.lock().insert(capsule);
    }

    /// The next capsule whose installations are to be looked at.
    pub(crate) fn next_published(&self) -> Option<CapsuleName> {
        self.published.lock().pop_first()
    }
}
