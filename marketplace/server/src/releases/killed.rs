//! What a kill order means for releases, names and installations, beyond stopping calls.
//!
//! Doing it twice does no more than doing it once, so that whoever takes orders may call it for each that stands,
//! again after a crash too. A lift undoes nothing of it: that is for a person of the platform.

use soma_market::Words;
use soma_market::install::InstallCommand;
use soma_market::kill::{Consequence, Installing, Releasing, consequences};
use soma_policy::{Installation, InstallationKey, KillScope, OrderId};

use crate::installs::keep;
use crate::kills::OrderView;
use crate::market::MarketError;
use crate::server::Server;
use crate::store::{InstallationRow, PlatformScope, PlatformUnit};

const SCOPE: PlatformScope = PlatformScope::of("kill consequences");
/// Installations of one look.
const PAGE: u32 = 100;

impl Server {
    /// Follows an order that was taken just now. The order stands whatever becomes of this; what failed is done at
    /// the next start.
    pub(crate) async fn follow_taken(&self, scope: &KillScope, order: OrderId) {
        if let Err(error) = self.follow_alone(scope, order).await {
            tracing::error!(%order, %error, "what a kill means for releases was not done yet");
        }
    }

    /// Follows every order that stands: what a crash left undone.
    pub(crate) async fn follow_standing(&self) -> Result<(), MarketError> {
        let failed =
            |error: crate::kills::KillsError| MarketError::unknown(error.code(), error.to_string());
        let mut unit = self.store.survey(SCOPE).await?;
        let standing = self.standing_kills(&mut unit).await.map_err(failed)?;
        drop(unit);
        let mut after = String::new();
        while !standing.is_empty() {
            let page = self.kill_views(&after, PAGE).await.map_err(failed)?;
            let Some((last, _)) = page.last() else { break };
            after = last.order.id.to_string();
            let stands = |view: &OrderView| matches!(view.state, "complete" | "suspended");
            for (view, _) in page.iter().filter(|(view, _)| stands(view)) {
                self.follow_alone(&view.order.scope, view.order.id).await?;
            }
        }
        Ok(())
    }

    async fn follow_alone(&self, scope: &KillScope, order: OrderId) -> Result<(), MarketError> {
        let mut unit = self.store.platform(SCOPE).await?;
        self.follow_kill(&mut unit, scope, order).await?;
        unit.commit().await?;
        self.bell.notify_one();
        Ok(())
    }

    /// Follows an order that stands: freezes names and publishers, gives up candidates.
    pub(crate) async fn follow_kill(
        &self,
        unit: &mut PlatformUnit,
        scope: &KillScope,
        order: OrderId,
    ) -> Result<(), MarketError> {
        let releases = killed_releases(unit, scope).await?;
        let gated = self.gated(unit).await?;
        for consequence in consequences([(scope, order)], &releases, &gated) {
            match consequence {
                Consequence::FreezeName { digest, name, order } => {
                    self.freeze_name(unit, &name, digest, order).await?;
                }
                Consequence::FreezePublisher { order, publisher } => {
                    self.freeze_publisher(unit, &publisher, order).await?;
                }
                Consequence::BackOut { key, order, .. } => {
                    self.give_up(unit, &key, order).await?;
                }
            }
        }
        Ok(())
    }

    /// Installations with a revision at its gate, as orders see that revision.
    async fn gated(&self, unit: &mut PlatformUnit) -> Result<Vec<Installing>, MarketError> {
        let policy = self.market.policy.last();
        let (mut found, mut after): (Vec<Installing>, Option<InstallationKey>) = (Vec::new(), None);
        loop {
            let page = unit.unsettled(after.as_ref(), PAGE).await?;
            let Some(last) = page.last() else { return Ok(found) };
            after = Some(last.it.record().key.clone());
            for row in &page {
                let record = row.it.record();
                let Some(candidate) = &record.candidate else { continue };
                let spec = candidate.revision.spec.clone();
                let (approved, _) = super::approved(unit, &spec.digest).await?;
                let revision = candidate.revision.number;
                let id = record.key.id.clone();
                let compiled = Installation::compile(id, spec, approved.facts(), &policy, revision);
                // What no longer compiles does not pass its gate anyway.
                if let Ok(compiled) = compiled {
                    let subject = compiled.kill_subject().clone();
                    found.push(Installing { revision, subject });
                }
            }
        }
    }

    async fn give_up(
        &self,
        unit: &mut PlatformUnit,
        key: &InstallationKey,
        order: OrderId,
    ) -> Result<(), MarketError> {
        let Some(row): Option<InstallationRow> = unit.installation(key).await? else {
            return Ok(());
        };
        let reason = Words::clipped(&format!("order {order} stops it"));
        let step = row.it.apply(InstallCommand::BackOut { reason }, self.now())?;
        keep(self, unit, "rules", &row, step).await.map(drop)
    }
}

/// The releases that an order can be about, with their signers.
async fn killed_releases(
    unit: &mut PlatformUnit,
    scope: &KillScope,
) -> Result<Vec<Releasing>, MarketError> {
    let (mut publisher, mut capsule, mut digest, mut signer) =
        (String::new(), String::new(), String::new(), String::new());
    match scope {
        KillScope::Digest(it) => digest = it.to_string(),
        KillScope::Capsule(it, _) | KillScope::Tool(it) => capsule = it.to_string(),
        KillScope::Publisher(it) => publisher = it.to_string(),
        KillScope::Signer(it) => signer = it.to_string(),
        KillScope::Capability(_)
        | KillScope::Tenant(_)
        | KillScope::Installation(_)
        | KillScope::Region(_)
        | KillScope::Everything => return Ok(Vec::new()),
    }
    let bound = unit.bound_releases([&publisher, &capsule, &digest, &signer]).await?;
    let releasing = |(release, signer): (soma_market::release::Release, _)| {
        let (digest, record) = (release.digest()?, release.record());
        let (name, version) = (record.name.clone(), record.version.clone());
        Some(Releasing { digest, name, signer, version })
    };
    Ok(bound.into_iter().filter_map(releasing).collect())
}
