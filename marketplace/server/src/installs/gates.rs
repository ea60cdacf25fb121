//! Health gates: what hosts and receipts say of a candidate.
//!
//! [`note_settled`] is called once for each receipt, in the transaction that settles it: so what a gate counts is
//! what the ledger has, never more and never twice.

use std::collections::BTreeSet;

use soma_market::install::{Gate, GateResult, Tally, judge};
use soma_policy::{CallFacts, HostId, InstallationKey, Outcome, Timestamp};

use crate::market::MarketError;
use crate::store::{HostCheck, InstallationRow, PlatformUnit, StoreError};

/// A receipt was settled: its tenant ran the capsule, and a gate may be counting.
pub(crate) async fn note_settled(
    unit: &mut PlatformUnit,
    facts: &CallFacts,
    outcome: Outcome,
    at: Timestamp,
) -> Result<(), StoreError> {
    let key = InstallationKey {
        environment: facts.environment.clone(),
        id: facts.installation.clone(),
        org: facts.org.clone(),
    };
    let Some(revision) = unit.revision(&key, facts.revision).await? else { return Ok(()) };
    let version = revision.version.to_string();
    unit.note_run(&key.org, &revision.spec.capsule, &version, at).await?;
    let Some(row) = unit.installation(&key).await? else { return Ok(()) };
    let record = row.it.record();
    let Some(candidate) = &record.candidate else { return Ok(()) };
    let number = candidate.revision.number;
    let concerns = facts.revision == number || facts.revision == record.active.number;
    let since = facts.started_at >= candidate.revision.at;
    let one = Tally::default().and(outcome);
    if concerns && since && one != Tally::default() {
        unit.count_at_gate(&key, number, facts.revision, one).await?;
    }
    Ok(())
}

/// What a gate says now.
pub(super) async fn result(
    unit: &mut PlatformUnit,
    row: &InstallationRow,
    live: &BTreeSet<HostId>,
) -> Result<GateResult, MarketError> {
    let record = row.it.record();
    let Some(candidate) = &record.candidate else { return Ok(GateResult::Waiting) };
    let number = candidate.revision.number;
    match &candidate.gate {
        Gate::Open => Ok(GateResult::Passed),
        Gate::Canary(canary) => {
            let its = unit.tally(&record.key, number, number).await?;
            let active = unit.tally(&record.key, number, record.active.number).await?;
            Ok(judge(canary, its, active))
        }
        Gate::Check => {
            let said = unit.host_checks(&record.key, number).await?;
            Ok(checked(&said, live))
        }
    }
}

/// One host that finds it ill is enough; well it is when every live host finds it so, and there is one.
fn checked(said: &[HostCheck], live: &BTreeSet<HostId>) -> GateResult {
    if let Some(HostCheck { host, words, .. }) = said.iter().find(|check| !check.passed) {
        return GateResult::Failed(format!("the declared check failed on host {host}: {words}"));
    }
    let passed: BTreeSet<HostId> = said.iter().map(|check| check.host).collect();
    if !live.is_empty() && live.is_subset(&passed) {
        return GateResult::Passed;
    }
    GateResult::Waiting
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_check_passes_on_all_live_hosts_and_fails_on_any() {
        let host = HostId::from_u128;
        let live = BTreeSet::from([host(1), host(2)]);
        let at = Timestamp(1);
        let said = |n, passed| HostCheck { host: host(n), passed, words: "said".to_owned(), at };
        assert_eq!(checked(&[], &live), GateResult::Waiting);
        assert_eq!(checked(&[said(1, true)], &live), GateResult::Waiting);
        assert_eq!(checked(&[said(1, true), said(2, true)], &live), GateResult::Passed);
        let failed = checked(&[said(1, true), said(3, false)], &live);
        assert!(matches!(failed, GateResult::Failed(why) if why.contains("said")));
        assert_eq!(checked(&[said(1, true)], &BTreeSet::new()), GateResult::Waiting);
    }
}
