//! What an order would stop, counted from what is installed. Stops nothing.
//!
//! Which calls run, and what each has reserved, only hosts know: their own dry run says it. Here is what they reported
//! last, and what the ledger has given them leases of.

use std::collections::{BTreeMap, BTreeSet};

use soma_market::kill::blast_radius;
use soma_policy::feed::{HostRole, RiskClass};
use soma_policy::{
    Digest, EnvironmentId, HostId, Installation, InstallationId, InstallationKey, InstallationSpec,
    KillScope, KillSubject, OrgId, RegionId, Timestamp,
};

use super::KillsError;
use crate::server::Server;
use crate::store::{HeldMoney, HostRow, InstallationRow, PlatformScope, PlatformUnit};
use crate::trust::operators;

const SCOPE: PlatformScope = PlatformScope::of("kill dry run");
/// Installations of one look.
const PAGE: u32 = 500;

/// What an order of a scope would stop.
#[derive(Debug, Clone)]
pub(crate) struct Radius {
    pub(crate) scope: KillScope,
    /// How many persons must sign it.
    pub(crate) needed: usize,
    /// Whether one signature only suspends.
    pub(crate) wide: bool,
    pub(crate) tenants: BTreeSet<OrgId>,
    /// As `org/environment/id`.
    pub(crate) installations: BTreeSet<String>,
    /// Those of them with a revision at its gate that it would stop.
    pub(crate) candidates: BTreeSet<String>,
    /// By name, with the digests that are installed of each.
    pub(crate) capsules: BTreeMap<String, BTreeSet<Digest>>,
    /// Live hosts on which any of them may run.
    pub(crate) hosts: Vec<Live>,
    /// What live leases hold for them.
    pub(crate) held: Vec<HeldMoney>,
}

/// A live host, by its last report.
#[derive(Debug, Clone)]
pub(crate) struct Live {
    pub(crate) host: HostId,
    pub(crate) region: Option<RegionId>,
    pub(crate) running: u32,
    pub(crate) seen: Option<Timestamp>,
}

/// What is looked at for one scope.
struct Look<'a> {
    scope: &'a KillScope,
    hosts: Vec<HostRow>,
    regions: BTreeMap<(OrgId, EnvironmentId), Option<RegionId>>,
    subjects: Vec<KillSubject>,
    candidates: Vec<KillSubject>,
}

impl Server {
    /// Counts what an order of this scope would stop.
    pub(crate) async fn kill_radius(&self, scope: &KillScope) -> Result<Radius, KillsError> {
        let needed = operators(&self.trust).await?.operators.needed(scope);
        let mut unit = self.store.survey(SCOPE).await?;
        let hosts = self.running_hosts(&mut unit).await?;
        let none = (BTreeMap::new(), Vec::new(), Vec::new());
        let (regions, subjects, candidates) = none;
        let mut look = Look { scope, hosts, regions, subjects, candidates };
        let mut after: Option<InstallationKey> = None;
        loop {
            let page = unit.installations_from(after.as_ref(), PAGE).await?;
            let Some(last) = page.last() else { break };
            after = Some(last.it.record().key.clone());
            for row in &page {
                self.look_at(&mut unit, &mut look, row).await?;
            }
        }
        let all = look.subjects.iter().chain(&look.candidates);
        let found = blast_radius(scope, needed, all, [], []);
        let candidates = blast_radius(scope, needed, &look.candidates, [], []).installations;
        let held = held(&mut unit, &found.installations).await?;
        let soma_market::kill::BlastRadius { capsules, installations, tenants, wide, .. } = found;
        let hosts = if installations.is_empty() { Vec::new() } else { look.hosts() };
        let scope = scope.clone();
        Ok(Radius {
            scope,
            needed,
            wide,
            tenants,
            installations,
            candidates,
            capsules,
            hosts,
            held,
        })
    }

    async fn running_hosts(&self, unit: &mut PlatformUnit) -> Result<Vec<HostRow>, KillsError> {
        let now = self.now();
        let mut hosts = unit.live_hosts(now).await?;
        hosts.retain(|it| it.role == HostRole::Host && it.is_live(now, RiskClass::Low));
        Ok(hosts)
    }

    /// An installation as orders see what is active of it and what may be next.
    async fn look_at(
        &self,
        unit: &mut PlatformUnit,
        look: &mut Look<'_>,
        row: &InstallationRow,
    ) -> Result<(), KillsError> {
        let record = row.it.record();
        let region = look.region_of(unit, &record.key).await?;
        let subject = |subject: KillSubject| KillSubject { region: region.clone(), ..subject };
        let (id, active) = (&record.key.id, &record.active);
        let running = self.kill_subject(unit, id, &active.spec, active.number).await?;
        look.subjects.extend(running.map(subject));
        if let Some(candidate) = &record.candidate {
            let next = &candidate.revision;
            let next = self.kill_subject(unit, id, &next.spec, next.number).await?;
            look.candidates.extend(next.map(subject));
        }
        Ok(())
    }

    /// A revision as orders see it; none if its release cannot be read or it no longer compiles, as hosts do not run
    /// it then either.
    async fn kill_subject(
        &self,
        unit: &mut PlatformUnit,
        id: &InstallationId,
        spec: &InstallationSpec,
        number: u64,
    ) -> Result<Option<KillSubject>, KillsError> {
        let Ok((approved, _)) = crate::releases::approved(unit, &spec.digest).await else {
            return Ok(None);
        };
        let policy = self.market.policy.last();
        let compiled =
            Installation::compile(id.clone(), spec.clone(), approved.facts(), &policy, number);
        Ok(compiled.ok().map(|compiled| compiled.kill_subject().clone()))
    }
}

impl Look<'_> {
    /// Where an installation runs, as far as the scope asks: what may run anywhere runs where a host is.
    async fn region_of(
        &mut self,
        unit: &mut PlatformUnit,
        key: &InstallationKey,
    ) -> Result<Option<RegionId>, KillsError> {
        let KillScope::Region(asked) = self.scope else { return Ok(None) };
        let place = (key.org.clone(), key.environment.clone());
        let own = match self.regions.get(&place) {
            Some(known) => known.clone(),
            None => {
                let own = unit.region_of(&key.org, &key.environment).await?;
                self.regions.insert(place, own.clone());
                own
            }
        };
        let has_host = || self.hosts.iter().any(|host| host.region.as_ref() == Some(asked));
        Ok(own.or_else(|| has_host().then(|| asked.clone())))
    }

    /// Hosts that the order would reach.
    fn hosts(&self) -> Vec<Live> {
        let reached = self.hosts.iter().filter(|host| match self.scope {
            KillScope::Region(asked) => host.region.as_ref() == Some(asked),
            _ => true,
        });
        let live = |it: &HostRow| Live {
            host: it.host,
            region: it.region.clone(),
            running: it.running,
            seen: it.seen,
        };
        reached.map(live).collect()
    }
}

/// What live leases hold for these installations, by currency.
async fn held(
    unit: &mut PlatformUnit,
    installations: &BTreeSet<String>,
) -> Result<Vec<HeldMoney>, KillsError> {
    let mut sums: Vec<HeldMoney> = Vec::new();
    for (key, one) in unit.held_by_installation().await? {
        if !installations.contains(&key.to_string()) {
            continue;
        }
        match sums.iter_mut().find(|sum| sum.money.currency == one.money.currency) {
            Some(sum) => {
                sum.money.micros = sum.money.micros.saturating_add(one.money.micros);
                sum.leases = sum.leases.saturating_add(one.leases);
            }
            None => sums.push(one),
        }
    }
    Ok(sums)
}
