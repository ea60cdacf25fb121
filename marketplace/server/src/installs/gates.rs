//! Health gates: what hosts and receipts say of a candidate.
//!
//! Each receipt is added to the [`Notes`] of the transaction that settles it, and they are kept with it: so what a gate
//! counts is what the ledger has, never more and never twice. Many receipts of one revision cost as much as one.

use std::collections::{BTreeMap, BTreeSet};

use soma_market::install::{Gate, GateResult, Tally, judge};
use soma_policy::{CallFacts, HostId, InstallationKey, Outcome, Timestamp};

use crate::market::MarketError;
use crate::store::{HostCheck, InstallationRow, PlatformUnit, StoreError};

/// What was settled of each revision in one transaction.
#[derive(Debug, Default)]
pub(crate) struct Notes {
    added: usize,
    revisions: BTreeMap<(InstallationKey, u64), Noted>,
}

#[derive(Debug, Default)]
struct Noted {
    /// Its place in the order of last receipts.
    last: usize,
    /// When each call began, and how it ended.
    calls: Vec<(Timestamp, Outcome)>,
}

impl Notes {
    /// A receipt was settled: its tenant ran the capsule, and a gate may be counting.
    pub(crate) fn add(&mut self, facts: &CallFacts, outcome: Outcome) {
        let key = InstallationKey {
            environment: facts.environment.clone(),
            id: facts.installation.clone(),
            org: facts.org.clone(),
        };
        self.added += 1;
        let noted = self.revisions.entry((key, facts.revision)).or_default();
        noted.last = self.added;
        noted.calls.push((facts.started_at, outcome));
    }

    /// Keeps them; the version that ran last is noted last.
    pub(crate) async fn keep(
        self,
        unit: &mut PlatformUnit,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        let mut all: Vec<_> = self.revisions.into_iter().collect();
        all.sort_by_key(|(_, noted)| noted.last);
        for ((key, revision), noted) in all {
            keep(unit, &key, revision, &noted.calls, at).await?;
        }
        Ok(())
    }
}

async fn keep(
    unit: &mut PlatformUnit,
    key: &InstallationKey,
    number: u64,
    calls: &[(Timestamp, Outcome)],
    at: Timestamp,
) -> Result<(), StoreError> {
    let Some(revision) = unit.revision(key, number).await? else { return Ok(()) };
    let version = revision.version.to_string();
    let count = u64::try_from(calls.len()).unwrap_or(u64::MAX);
    unit.note_runs(&key.org, &revision.spec.capsule, (&version, count), at).await?;
    let Some(row) = unit.installation(key).await? else { return Ok(()) };
    let record = row.it.record();
    let Some(candidate) = &record.candidate else { return Ok(()) };
    let its = candidate.revision.number;
    let concerns = number == its || number == record.active.number;
    let since = calls.iter().filter(|(started, _)| *started >= candidate.revision.at);
    let tally = since.fold(Tally::default(), |tally, (_, outcome)| tally.and(*outcome));
    if concerns && tally != Tally::default() {
        unit.count_at_gate(key, its, number, tally).await?;
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
