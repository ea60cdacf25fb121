//! The chore that ends what waits: hosts acknowledge by the number of the feed that they report, the dead are no
//! longer waited for, and gates are judged when they can be.

use std::collections::BTreeMap;

use soma_capsule::crash_point;
use soma_market::Step;
use soma_market::install::{GateResult, InstallCommand, InstallEffect, InstallState, Installed};
use soma_policy::feed::HostRole;
use soma_policy::{HostId, InstallationKey};

use super::effects::keep;
use super::gates::result;
use super::ground::class_of;
use super::moves::SCOPE;
use crate::market::MarketError;
use crate::server::Server;
use crate::store::{HostRow, InstallationRow, PlatformUnit};

/// Installations of one look.
const PAGE: u32 = 100;

/// What becomes of an installation, with what follows from it.
type Settled = Step<Installed, InstallEffect>;

impl Server {
    /// Settles what can be settled now, and says how many installations changed.
    pub(crate) async fn settle_installations(&self) -> Result<u64, MarketError> {
        let (mut changed, mut after): (u64, Option<InstallationKey>) = (0, None);
        loop {
            let mut unit = self.store.survey(SCOPE).await?;
            let page = unit.unsettled(after.as_ref(), PAGE).await?;
            drop(unit);
            let Some(last) = page.last() else { return Ok(changed) };
            after = Some(last.it.record().key.clone());
            for row in &page {
                match self.settle_one(&row.it.record().key).await {
                    Ok(true) => changed += 1,
                    // Somebody else was quicker; the next look sees what became of it.
                    Ok(false) | Err(MarketError::Raced) => {}
                    Err(error) => return Err(error),
                }
            }
        }
    }

    async fn settle_one(&self, key: &InstallationKey) -> Result<bool, MarketError> {
        // Most of what waits goes on waiting: that is seen without keeping others from writing.
        let mut look = self.store.survey(SCOPE).await?;
        if self.next_of(&mut look, key).await?.is_none() {
            return Ok(false);
        }
        drop(look);
        let mut unit = self.store.platform(SCOPE).await?;
        let Some((row, step)) = self.next_of(&mut unit, key).await? else { return Ok(false) };
        keep(self, &mut unit, "rules", &row, step).await?;
        crash_point!("server.activation.kept");
        unit.commit().await?;
        crash_point!("server.activation.committed");
        self.bell.notify_one();
        Ok(true)
    }

    /// The step that an installation can take now, if there is one.
    async fn next_of(
        &self,
        unit: &mut PlatformUnit,
        key: &InstallationKey,
    ) -> Result<Option<(InstallationRow, Settled)>, MarketError> {
        let Some(row) = unit.installation(key).await? else { return Ok(None) };
        let live = unit.live_hosts(self.now()).await?;
        let hosts: BTreeMap<HostId, &HostRow> =
            live.iter().filter(|it| it.role == HostRole::Host).map(|it| (it.host, it)).collect();
        let next = match row.it.state() {
            InstallState::Pending => self.heard(unit, &row, &hosts).await?,
            InstallState::Gating => self.judged(unit, &row).await?,
            InstallState::Active | InstallState::Removed => None,
        };
        Ok(next.map(|step| (row, step)))
    }

    /// The step by what hosts reported; none if nothing new was said.
    async fn heard(
        &self,
        unit: &mut PlatformUnit,
        row: &InstallationRow,
        hosts: &BTreeMap<HostId, &HostRow>,
    ) -> Result<Option<Settled>, MarketError> {
        let record = row.it.record();
        let number = unit.number_of(&record.key.org, &row.change).await?;
        let head = unit.head(crate::store::Stream::Feed).await?;
        let (class, now) = (class_of(&row.it), self.now());
        let mut step: Option<Step<Installed, _>> = None;
        for host in &record.waiting {
            let known = hosts.get(host).filter(|it| it.is_live(now, class));
            let command = match known {
                None => InstallCommand::HostGone(*host),
                Some(it) => {
                    let there = head.as_ref().is_some_and(|head| head.epoch == it.head.epoch)
                        && number.is_some_and(|number| it.head.n >= number);
                    if !there {
                        continue;
                    }
                    let revision = record.active.number;
                    InstallCommand::Acknowledge { host: *host, revision }
                }
            };
            let from = step.as_ref().map_or(&row.it, |step| &step.next);
            let mut next = from.apply(command, now)?;
            if let Some(before) = step {
                next.effects.splice(0..0, before.effects);
            }
            step = Some(next);
        }
        Ok(step)
    }

    /// The step by what the gate says; none while it says nothing.
    async fn judged(
        &self,
        unit: &mut PlatformUnit,
        row: &InstallationRow,
    ) -> Result<Option<Settled>, MarketError> {
        let Some(candidate) = &row.it.record().candidate else { return Ok(None) };
        let hosts = self.hosts_for(unit, &row.it.record().key, class_of(&row.it)).await?;
        let result = result(unit, row, &hosts).await?;
        if result == GateResult::Waiting && self.now() < candidate.until {
            return Ok(None);
        }
        let revision = candidate.revision.number;
        Ok(Some(row.it.apply(InstallCommand::Judge { hosts, result, revision }, self.now())?))
    }
}
