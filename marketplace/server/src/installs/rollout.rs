//! Updates that come by themselves: for installations that say so, when a new release asks for nothing more.
//!
//! A chore after the publication, one transaction for each installation, in the name of whoever made the active
//! revision, if they still may. What asks for anything waits for its tenant; what fails is left as it is.

use soma_market::install::{Gate, InstallCommand, InstallState, Update, consider};
use soma_market::release::Release;
use soma_policy::{CapsuleName, InstallationKey, Millis, OnUpdate};

use super::effects::keep;
use super::ground::class_of;
use super::moves::{RELEASES_MAX, SCOPE};
use crate::identity::Subject;
use crate::market::{MarketError, actor_of};
use crate::releases;
use crate::server::Server;

/// Installations of one look.
const PAGE: u32 = 100;

impl Server {
    /// Whoever may have missed a release while no chore ran is looked at again.
    pub(crate) async fn note_willing(&self) -> Result<(), MarketError> {
        let mut unit = self.store.survey(SCOPE).await?;
        for capsule in unit.self_updating().await? {
            self.market.note_published(capsule);
        }
        Ok(())
    }

    /// Brings what was published lately to those who want it, and says how many changed.
    pub(crate) async fn roll_out(&self) -> Result<u64, MarketError> {
        let mut changed = 0;
        while let Some(capsule) = self.market.next_published() {
            let mut after: Option<InstallationKey> = None;
            loop {
                let mut unit = self.store.survey(SCOPE).await?;
                let page = unit.installations_of(&capsule, after.as_ref(), PAGE).await?;
                drop(unit);
                let Some(last) = page.last() else { break };
                after = Some(last.it.record().key.clone());
                let willing = page.iter().filter(|row| {
                    row.it.state() == InstallState::Active
                        && row.it.record().active.spec.on_update == OnUpdate::NarrowerOrEqual
                });
                for row in willing {
                    match self.update_one(&row.it.record().key, &capsule).await {
                        Ok(true) => changed += 1,
                        Ok(false) | Err(MarketError::Raced | MarketError::Refused(_)) => {}
                        Err(error) => return Err(error),
                    }
                }
            }
        }
        Ok(changed)
    }

    async fn update_one(
        &self,
        key: &InstallationKey,
        capsule: &CapsuleName,
    ) -> Result<bool, MarketError> {
        let grounds = self.grounds().await?;
        let mut unit = self.store.platform(SCOPE).await?;
        let Some(row) = unit.installation(key).await? else { return Ok(false) };
        let record = row.it.record();
        let published = unit.published(capsule, RELEASES_MAX).await?;
        let fits = |release: &&Release| {
            release.state().is_installable()
                && record.active.spec.version.allows(&release.record().version)
        };
        let newest = published.iter().filter(fits).max_by_key(|it| it.record().version.clone());
        let Some(newest) = newest else { return Ok(false) };
        let (approved, _) = releases::approved_of(&mut unit, newest).await?;
        let (running, _) = releases::approved(&mut unit, &record.active.spec.digest).await?;
        let update = consider(&row.it, running.facts(), &approved, grounds.ground(), self.now());
        let Update::Roll(plan) = update else { return Ok(false) };
        let subject = Subject::User(record.active.consent.by);
        let Ok(by) = actor_of(&mut unit, &key.org, &subject).await else { return Ok(false) };
        let hosts = self.hosts_for(&mut unit, key, class_of(&row.it)).await?;
        let (gate, within) = (Gate::Open, Millis(0));
        let command = InstallCommand::Change { accepted: None, by: &by, gate, hosts, plan, within };
        let step = row.it.apply(command, self.now())?;
        keep(self, &mut unit, "rules", &row, step).await?;
        unit.commit().await?;
        self.bell.notify_one();
        Ok(true)
    }
}
