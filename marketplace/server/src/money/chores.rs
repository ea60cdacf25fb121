//! What happens to money by itself: leases that nobody closed come back, earnings become available, the
//! ledger is checked against the meter step by step.

use serde_json::json;
use soma_market::earnings::EarningCommand;
use soma_market::lease::LeaseCommand;

use super::check::{Checks, due};
use super::{HOLD, MoneyError};
use crate::audit::Act;
use crate::server::Server;
use crate::store::PlatformScope;

const SCOPE: PlatformScope = PlatformScope::of("money chores");
/// Of each kind, in one transaction.
const STEP: u32 = 200;

impl Server {
    /// One round. Each chore may fail and is tried again.
    pub(crate) async fn money_chores(&self, checks: &Checks) {
        told("lost leases", self.lose_leases().await.map(drop));
        told("earnings", self.mature_earnings().await.map(drop));
        told("ledger check", self.check_on(checks).await);
    }

    /// Leases of hosts that did not close them in time: what they hold goes back.
    pub(crate) async fn lose_leases(&self) -> Result<usize, MoneyError> {
        let now = self.now();
        let mut unit = self.store.platform(SCOPE).await?;
        let mut book = unit.book(&self.platform).await?;
        let rows = unit.overdue_leases(now, STEP).await?;
        let count = rows.len();
        for mut row in rows {
            let (id, host) = (row.lease.id, row.lease.host);
            let left = row.lease.left()?.money;
            unit.end(&mut book, &mut row, &LeaseCommand::Lose, now).await?;
            let detail = json!({ "host": host, "returned": left });
            self.alarm(&mut unit, Act::LeaseLost, id, &detail).await?;
        }
        unit.keep(book, now).await?;
        unit.commit().await?;
        Ok(count)
    }

    /// Earnings whose time has passed.
    pub(crate) async fn mature_earnings(&self) -> Result<usize, MoneyError> {
        let now = self.now();
        let mut unit = self.store.platform(SCOPE).await?;
        let mut book = unit.book(&self.platform).await?;
        let rows = unit.pending_earnings(due(now, HOLD), STEP).await?;
        for earning in &rows {
            let (next, posting) = earning.apply(EarningCommand::Mature(HOLD), now)?;
            if let Some(posting) = &posting {
                book.post(posting, None)?;
            }
            unit.set_earning(&next).await?;
        }
        unit.keep(book, now).await?;
        unit.commit().await?;
        Ok(rows.len())
    }
}

fn told(chore: &str, done: Result<(), MoneyError>) {
    if let Err(error) = done {
        tracing::warn!(chore, %error, "a chore failed and will be tried again");
    }
}
