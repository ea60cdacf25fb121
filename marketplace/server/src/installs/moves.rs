//! What tenants do with installations: plan, install, change, upgrade, roll back, remove.

use soma_capsule::{Manifest, crash_point};
use soma_market::Refusal;
use soma_market::install::{
    Canary, Gate, InstallCommand, InstallMove, Installed, Plan, Update, consider,
};
use soma_market::org::Actor;
use soma_market::release::Release;
use soma_market::review::Approved;
use soma_policy::feed::RiskClass;
use soma_policy::{Code, Digest, InstallationKey, InstallationSpec, Millis};

use super::effects::{keep, keep_first};
use super::ground::{Grounds, class_of};
use crate::market::MarketError;
use crate::releases;
use crate::server::Server;
use crate::store::{INSTALLATIONS_MAX, InstallationRow, Limit, PlatformScope, PlatformUnit};

pub(super) const SCOPE: PlatformScope = PlatformScope::of("installations");
/// How long a gate may stay undecided if nobody says otherwise.
const WITHIN: Millis = Millis(3_600_000);
/// How often it is said that the platform fills.
const ALARM_EVERY: u64 = 1_000;
/// Releases of a capsule among which the next one is looked for.
pub(super) const RELEASES_MAX: u32 = 1000;

/// What is to be changed.
#[derive(Debug, Clone)]
pub(crate) enum ChangeWish {
    /// To this file.
    To(Box<InstallationSpec>),
    /// To this version, or to the newest that the range allows, with the grants carried over.
    Upgrade(Option<semver::Version>),
}

/// How a new revision is to be judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct GateWish {
    pub(crate) gate: Gate,
    pub(crate) within: Option<Millis>,
}

impl GateWish {
    pub(crate) const fn canary(calls: u32, share: u16, tolerance: u16) -> Gate {
        Gate::Canary(Canary { calls, share, tolerance })
    }
}

/// A plan with what it is about.
#[derive(Debug)]
pub(crate) struct Planned {
    pub(crate) plan: Plan,
    pub(crate) approved: Approved,
    pub(crate) manifest: Manifest,
}

impl Server {
    /// What a first installation would mean.
    pub(crate) async fn plan_first(
        &self,
        unit: &mut PlatformUnit,
        key: &InstallationKey,
        spec: InstallationSpec,
        grounds: &Grounds,
    ) -> Result<Planned, MarketError> {
        let (approved, manifest) = releases::approved(unit, &spec.digest).await?;
        let plan = Plan::first(key, &approved, spec, grounds.ground())?;
        Ok(Planned { plan, approved, manifest })
    }

    /// Installs what was planned. A plan that is named must be this one.
    pub(crate) async fn install(
        &self,
        unit: &mut PlatformUnit,
        by: &Actor,
        who: &str,
        key: &InstallationKey,
        planned: Planned,
        accepted: Option<Digest>,
    ) -> Result<Installed, MarketError> {
        if let Some(before) = unit.installation(key).await? {
            let gone = before.it.record().removed;
            let reason = match gone {
                true => format!("`{key}` was removed, and its id is not given again"),
                false => format!("`{key}` is installed"),
            };
            return Err(Refusal::new(Code::InstallationExists, "install", reason)
                .fix("choose another id")
                .into());
        }
        agreed(&planned.plan, accepted)?;
        room(unit, key).await?;
        let class = RiskClass::of(&planned.plan.spec().grants);
        let hosts = self.hosts_for(unit, key, class).await?;
        let step = Installed::install(key.clone(), planned.plan, by, hosts, self.now())?;
        keep_first(self, unit, who, step).await
    }

    /// What a change would mean.
    pub(crate) async fn plan_change(
        &self,
        unit: &mut PlatformUnit,
        installed: &Installed,
        wish: ChangeWish,
        grounds: &Grounds,
    ) -> Result<Planned, MarketError> {
        match wish {
            ChangeWish::To(spec) => {
                let (approved, manifest) = releases::approved(unit, &spec.digest).await?;
                let ground = grounds.ground();
                let plan = Plan::change(installed, &approved, *spec, ground, self.now())?;
                Ok(Planned { plan, approved, manifest })
            }
            ChangeWish::Upgrade(version) => {
                self.plan_upgrade(unit, installed, version, grounds).await
            }
        }
    }

    async fn plan_upgrade(
        &self,
        unit: &mut PlatformUnit,
        installed: &Installed,
        version: Option<semver::Version>,
        grounds: &Grounds,
    ) -> Result<Planned, MarketError> {
        let record = installed.record();
        let releases = unit.published(&record.capsule, RELEASES_MAX).await?;
        let fits = |release: &&Release| {
            let its = &release.record().version;
            release.state().is_installable()
                && version
                    .as_ref()
                    .map_or_else(|| record.active.spec.version.allows(its), |it| it == its)
        };
        let newest = releases.iter().filter(fits).max_by_key(|it| it.record().version.clone());
        let none = || {
            let what = format!("no release of `{}` that could be installed fits", record.capsule);
            MarketError::unknown(Code::ReleaseUnknown, what)
        };
        let (approved, manifest) = releases::approved_of(unit, newest.ok_or_else(none)?).await?;
        let (running, _) = releases::approved(unit, &record.active.spec.digest).await?;
        let ground = grounds.ground();
        match consider(installed, running.facts(), &approved, ground, self.now()) {
            Update::Roll(plan) => Ok(Planned { plan: *plan, approved, manifest }),
            Update::Ask { plan, .. } => Ok(Planned { plan: *plan?, approved, manifest }),
            Update::Ignore(why) => {
                let legal: Vec<&'static str> =
                    installed.state().moves().iter().map(|legal| legal.as_str()).collect();
                let state = installed.state().as_str();
                let busy = !installed.state().moves().contains(&InstallMove::Change);
                let code = if busy { Code::ActivationPending } else { Code::MoveIllegal };
                Err(Refusal::new(code, "upgrade", why).within(state, legal).into())
            }
        }
    }

    /// Makes a change that was planned.
    pub(crate) async fn change(
        &self,
        unit: &mut PlatformUnit,
        by: &Actor,
        who: &str,
        row: &InstallationRow,
        planned: Planned,
        (accepted, wish): (Option<Digest>, GateWish),
    ) -> Result<Installed, MarketError> {
        if wish.gate == Gate::Check && planned.manifest.health.is_none() {
            let reason = "the capsule declares no check; use a canary";
            return Err(Refusal::new(Code::FieldBad, "change", reason).into());
        }
        if accepted.is_some() {
            agreed(&planned.plan, accepted)?;
        }
        let hosts = self.hosts_for(unit, &row.it.record().key, class_of(&row.it)).await?;
        let (gate, within) = (wish.gate, wish.within.unwrap_or(WITHIN));
        let plan = Box::new(planned.plan);
        let command = InstallCommand::Change { accepted, by, gate, hosts, plan, within };
        let step = row.it.apply(command, self.now())?;
        let next = keep(self, unit, who, row, step).await?;
        crash_point!("server.upgrade.kept");
        Ok(next)
    }

    /// The revision before becomes active again, if it may.
    pub(crate) async fn roll_back(
        &self,
        unit: &mut PlatformUnit,
        by: &Actor,
        who: &str,
        row: &InstallationRow,
        grounds: &Grounds,
    ) -> Result<Installed, MarketError> {
        let Some(previous) = &row.it.record().previous else {
            let reason = "there is no revision before the active one";
            return Err(Refusal::new(Code::NoPrevious, "rollback", reason).into());
        };
        let (approved, _) = releases::approved(unit, &previous.spec.digest).await?;
        let hosts = self.hosts_for(unit, &row.it.record().key, class_of(&row.it)).await?;
        let ground = grounds.ground();
        let command = InstallCommand::Rollback { approved: &approved, by: Some(by), ground, hosts };
        let step = row.it.apply(command, self.now())?;
        let next = keep(self, unit, who, row, step).await?;
        crash_point!("server.rollback.kept");
        Ok(next)
    }
}

/// Refuses an installation for which there is no room: every host holds them all.
async fn room(unit: &mut PlatformUnit, key: &InstallationKey) -> Result<(), MarketError> {
    let refuse = |reason: String, fix: &str| {
        MarketError::from(Refusal::new(Code::TooMany, "install", reason).fix(fix))
    };
    for limit in [Limit::Installations, Limit::InstallationIds] {
        if !unit.has_room(&key.org, limit).await? {
            let (field, what, remedy) = limit.words();
            let reason = format!("`{field}`: an org has at most {} {what}", limit.most());
            return Err(refuse(reason, remedy));
        }
    }
    let all = unit.installations_of_all().await?;
    if all >= INSTALLATIONS_MAX {
        let reason = format!("`installation`: this platform has at most {INSTALLATIONS_MAX}");
        return Err(refuse(reason, "ask its operator"));
    }
    // From half on, once for each thousand: there is time to divide the platform.
    if all >= INSTALLATIONS_MAX / 2 && all % ALARM_EVERY == 0 {
        tracing::error!(
            all,
            most = INSTALLATIONS_MAX,
            "more than half of what hosts hold is installed"
        );
    }
    Ok(())
}

/// Whether the plan that was agreed to is the one that is made.
fn agreed(plan: &Plan, accepted: Option<Digest>) -> Result<(), Refusal> {
    match accepted {
        Some(hash) if hash != plan.hash() => {
            let reason = format!("{hash} was accepted, the plan is {}", plan.hash());
            Err(Refusal::new(Code::ConsentStale, "install", reason))
        }
        _ => Ok(()),
    }
}
