//! What an order would stop, counted from what is installed. Stops nothing.
//!
//! Which calls run, and what they have reserved, only hosts know: their own dry run says it.

use std::collections::{BTreeMap, BTreeSet};

use soma_market::kill::blast_radius;
use soma_policy::{Digest, Installation, InstallationKey, KillScope, KillSubject, OrgId};

use super::KillsError;
use crate::server::Server;
use crate::store::{InstallationRow, PlatformScope, PlatformUnit};
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
    /// By name, with the digests that are installed of each.
    pub(crate) capsules: BTreeMap<String, BTreeSet<Digest>>,
}

impl Server {
    /// Counts what an order of this scope would stop.
    pub(crate) async fn kill_radius(&self, scope: &KillScope) -> Result<Radius, KillsError> {
        let needed = operators(&self.trust).await?.operators.needed(scope);
        let mut unit = self.store.survey(SCOPE).await?;
        let (mut subjects, mut after): (Vec<KillSubject>, Option<InstallationKey>) =
            Default::default();
        loop {
            let page = unit.installations_from(after.as_ref(), PAGE).await?;
            let Some(last) = page.last() else { break };
            after = Some(last.it.record().key.clone());
            for row in &page {
                subjects.extend(self.kill_subject(&mut unit, row).await?);
            }
        }
        let found = blast_radius(scope, needed, &subjects, [], []);
        let soma_market::kill::BlastRadius { capsules, installations, tenants, wide, .. } = found;
        Ok(Radius { scope: scope.clone(), needed, wide, tenants, installations, capsules })
    }

    /// An installation as orders see what is active of it; none if its release cannot be read or no longer
    /// compiles, as hosts do not run it then either.
    async fn kill_subject(
        &self,
        unit: &mut PlatformUnit,
        row: &InstallationRow,
    ) -> Result<Option<KillSubject>, KillsError> {
        let record = row.it.record();
        let spec = record.active.spec.clone();
        let Ok((approved, _)) = crate::releases::approved(unit, &spec.digest).await else {
            return Ok(None);
        };
        let (id, number) = (record.key.id.clone(), record.active.number);
        let policy = self.market.policy.last();
        let compiled = Installation::compile(id, spec, approved.facts(), &policy, number);
        Ok(compiled.ok().map(|compiled| compiled.kill_subject().clone()))
    }
}
