//! The blast radius: what an order would stop, without stopping it.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use soma_policy::{KillScope, KillSet, KillSubject, Money, OrderId, OrgId};

use super::carry::Target;

/// What an order would stop.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Radius {
    /// What it is about.
    pub scope: KillScope,
    /// How many persons must sign it.
    pub needed: usize,
    /// Whose installations it stops.
    pub tenants: BTreeSet<OrgId>,
    /// Which installations, as `org/environment/id`.
    pub installations: BTreeSet<String>,
    /// How many running calls.
    pub calls: usize,
    /// What those installations' calls have reserved, by currency.
    pub reserved: Vec<Money>,
}

impl Radius {
    pub(super) fn of<'a>(
        scope: &KillScope,
        needed: usize,
        installed: impl IntoIterator<Item = &'a KillSubject>,
        running: &[Target],
        mut reserved: impl FnMut(&KillSubject) -> Vec<Money>,
    ) -> Self {
        // The id is nobody's: only whether the scope meets a subject is asked.
        let set = KillSet::of([(scope, OrderId::from_u128(0))]);
        // Two revisions of one installation are one installation, and one reservation.
        let met: BTreeMap<String, &KillSubject> = installed
            .into_iter()
            .filter(|subject| set.judge(subject).is_some())
            .map(|subject| (subject.installation.to_string(), subject))
            .collect();
        Self {
            scope: scope.clone(),
            needed,
            tenants: met.values().map(|subject| subject.installation.org.clone()).collect(),
            installations: met.keys().cloned().collect(),
            calls: running.iter().filter(|target| set.judge(&target.subject).is_some()).count(),
            reserved: sums(met.values().flat_map(|subject| reserved(subject))),
        }
    }
}

fn sums(amounts: impl Iterator<Item = Money>) -> Vec<Money> {
    let mut sums: Vec<Money> = Vec::new();
    for amount in amounts {
        match sums.iter_mut().find(|sum| sum.currency == amount.currency) {
            Some(sum) => sum.micros = sum.micros.saturating_add(amount.micros),
            None => sums.push(amount),
        }
    }
    sums
}
