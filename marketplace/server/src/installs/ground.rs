//! By what a change is judged: the operator's policy, the kill orders that stand, the hosts that live.

use std::collections::BTreeSet;
use std::sync::Arc;

use soma_market::install::{Ground, Installed};
use soma_policy::feed::{HostRole, RiskClass};
use soma_policy::{Grants, HostId, InstallationKey, KillSet, OperatorPolicy};

use crate::constitution::ConstitutionError;
use crate::market::MarketError;
use crate::server::Server;
use crate::store::{PlatformUnit, StoreError};

/// What holds at one moment.
#[derive(Debug)]
pub(crate) struct Grounds {
    killed: KillSet,
    policy: Arc<OperatorPolicy>,
}

impl Grounds {
    pub(crate) fn ground(&self) -> Ground<'_> {
        Ground { killed: &self.killed, policy: &self.policy }
    }
}

impl Server {
    /// Policy and orders as they are now.
    pub(crate) async fn grounds(&self) -> Result<Grounds, MarketError> {
        self.follow_constitution().await.map_err(|error| match error {
            ConstitutionError::Store(error) => error.into(),
            other => MarketError::failed(other),
        })?;
        let server = self.clone();
        let policy = tokio::task::spawn_blocking(move || server.market.policy.now()).await;
        let policy = policy.map_err(MarketError::failed)?;
        let mut unit = self.store.survey(super::moves::SCOPE).await?;
        let killed = self.standing_kills(&mut unit).await;
        let killed =
            killed.map_err(|error| MarketError::unknown(error.code(), error.to_string()))?;
        Ok(Grounds { killed, policy })
    }

    /// The hosts that may run an installation, by where they stand and what they heard last, until they have heard of its
    /// change.
    pub(super) async fn hosts_for(
        &self,
        unit: &mut PlatformUnit,
        key: &InstallationKey,
        class: RiskClass,
    ) -> Result<BTreeSet<HostId>, StoreError> {
        let now = self.now();
        let live = unit.live_hosts(now).await?;
        let region = unit.region_of(&key.org, &key.environment).await?;
        let runs = |host: &&crate::store::HostRow| {
            let stands = region.is_none() || host.region == region;
            host.role == HostRole::Host && stands && host.is_live(now, class)
        };
        Ok(live.iter().filter(runs).map(|host| host.host).collect())
    }
}

/// The class that waits longest among what runs and what ran: a host may still run either.
pub(super) fn class_of(installed: &Installed) -> RiskClass {
    let record = installed.record();
    let of = |grants: &Grants| RiskClass::of(grants);
    let active = of(&record.active.spec.grants);
    record.previous.as_ref().map_or(active, |before| active.min(of(&before.spec.grants)))
}
