//! Ledger equals meter: receipts are priced again and compared with their rows, balances with the sums of
//! theirs, the chain with its postings. What differs is an alarm.

use parking_lot::Mutex;
use serde::Serialize;
use serde_json::json;
use soma_market::ledger::{Cause, Posting, link};
use soma_market::settle::recheck;
use soma_policy::{Code, Digest, Timestamp};
use utoipa::ToSchema;

use super::MoneyError;
use crate::audit::Act;
use crate::server::Server;
use crate::store::{PlatformScope, PlatformUnit, SettledRow};

const SCOPE: PlatformScope = PlatformScope::of("ledger check");
/// Receipts, and postings, of one step.
const STEP: u32 = 500;
/// Differences that are told; more are counted.
const DIFFERENCES_MAX: usize = 100;

/// One thing that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Difference {
    /// Always `SOMA-B023`.
    pub(crate) code: String,
    /// A cause, an account or a currency.
    pub(crate) subject: String,
    /// What differs.
    pub(crate) words: String,
}

/// What a whole pass over the ledger found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Checked {
    /// Receipts that were priced again.
    pub(crate) receipts: u64,
    /// Postings whose hashes were made again.
    pub(crate) postings: u64,
    /// How many things differ.
    pub(crate) differing: u64,
    /// The first of them.
    pub(crate) differences: Vec<Difference>,
}

impl Checked {
    fn tell(&mut self, subject: impl ToString, words: impl Into<String>) {
        self.differing += 1;
        if self.differences.len() < DIFFERENCES_MAX {
            self.differences.push(Difference {
                code: Code::LedgerDiffers.to_string(),
                subject: subject.to_string(),
                words: words.into(),
            });
        }
    }
}

/// Where the running check is.
#[derive(Debug, Default)]
pub(crate) struct Walk {
    receipt: (String, u64),
    posting: (u64, Option<Digest>),
    found: Checked,
    /// How many differences an alarm has named in this pass.
    told: u64,
}

/// The running check, and the last whole pass.
#[derive(Debug, Default)]
pub(crate) struct Checks {
    walk: Mutex<Walk>,
}

impl Server {
    /// Checks all of it now.
    pub(crate) async fn check_ledger(&self) -> Result<Checked, MoneyError> {
        let mut walk = Walk::default();
        while !self.check_step(&mut walk).await? {}
        Ok(walk.found)
    }

    /// Goes on with the running check; raises an alarm as soon as something is found.
    pub(crate) async fn check_on(&self, checks: &Checks) -> Result<(), MoneyError> {
        let mut walk = std::mem::take(&mut *checks.walk.lock());
        let step = self.check_step(&mut walk).await;
        let over = step.as_ref().is_ok_and(|over| *over);
        // Told when the first thing is found, and at the end when there was more; what an error left is not forgotten.
        let more = walk.found.differing > walk.told && (walk.told == 0 || over);
        let told = match more {
            true => self.alarm_ledger(&walk.found).await,
            false => Ok(()),
        };
        if more && told.is_ok() {
            walk.told = walk.found.differing;
        }
        *checks.walk.lock() = if over && told.is_ok() { Walk::default() } else { walk };
        told.and(step.map(drop))
    }

    async fn alarm_ledger(&self, found: &Checked) -> Result<(), MoneyError> {
        tracing::error!(differing = found.differing, "ledger and meter are not the same");
        let first: Vec<_> = found.differences.iter().take(5).map(|it| &it.subject).collect();
        let detail = json!({ "differing": found.differing.to_string(), "first": first });
        let mut unit = self.store.platform(SCOPE).await?;
        self.alarm(&mut unit, Act::LedgerDiffered, "ledger", &detail).await?;
        unit.commit().await?;
        self.bell.notify_one();
        Ok(())
    }

    /// One step, all of it on one state of the database; says whether the pass is over.
    async fn check_step(&self, walk: &mut Walk) -> Result<bool, MoneyError> {
        let mut unit = self.store.survey(SCOPE).await?;
        // Read first: what is posted meanwhile is behind it.
        let (head, _) = unit.ledger_head().await?;
        let receipts = unit.settled_after((&walk.receipt.0, walk.receipt.1), STEP).await?;
        for row in &receipts {
            unit.check_receipt(row, &mut walk.found).await?;
            walk.receipt = (row.key.journal.to_string(), row.key.seq);
        }
        let postings = unit.chain_of_postings(walk.posting.0, STEP).await?;
        for (n, posting, told) in &postings {
            walk.follow(*n, posting, *told)?;
        }
        if !(receipts.is_empty() && postings.is_empty()) {
            return Ok(false);
        }
        if head > walk.posting.0 {
            let words = format!("posting {} is missing, the head is at {head}", walk.posting.0 + 1);
            walk.found.tell("chain", words);
        }
        unit.check_sums(&mut walk.found).await?;
        Ok(true)
    }
}

impl Walk {
    fn follow(&mut self, n: u64, posting: &Posting, told: Digest) -> Result<(), MoneyError> {
        self.found.postings += 1;
        if n != self.posting.0 + 1 {
            let words = format!("posting {n} follows {}", self.posting.0);
            self.found.tell(&posting.cause, words);
        }
        let before = self.posting.1.unwrap_or(Digest::ZERO);
        if link(before, posting)? != told {
            self.found.tell(&posting.cause, "its hash is not made of it and the one before");
        }
        self.posting = (n, Some(told));
        Ok(())
    }
}

impl PlatformUnit {
    async fn check_receipt(
        &mut self,
        row: &SettledRow,
        found: &mut Checked,
    ) -> Result<(), MoneyError> {
        found.receipts += 1;
        let cause = Cause::Receipt(row.key);
        let Some(terms) = self.terms(row.terms).await? else {
            found.tell(&cause, "its terms are gone");
            return Ok(());
        };
        let posted = self.posting(&cause, terms.terms.currency()).await?;
        let differs = recheck(&row.receipt, &terms.terms, row.asked, &row.notes, posted.as_ref())?;
        for difference in differs {
            found.tell(&cause, difference.refusal(&cause.to_string()).reason);
        }
        Ok(())
    }

    async fn check_sums(&mut self, found: &mut Checked) -> Result<(), MoneyError> {
        for (currency, sum) in self.imbalances().await? {
            found.tell(&currency, format!("all accounts together are {sum} micro-units, not zero"));
        }
        for (account, currency, stored, summed) in self.unsummed(100).await? {
            let words =
                format!("{stored} {currency} micro-units are stored, its rows make {summed}");
            found.tell(&account, words);
        }
        Ok(())
    }
}

/// Whether anything is old enough to be due.
pub(super) fn due(now: Timestamp, hold: soma_policy::Millis) -> Timestamp {
    Timestamp(now.0.saturating_sub(hold.0))
}
