//! The blast radius: what an order would stop, counted from what the caller knows. Stops nothing.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use soma_policy::{Currency, Digest, KillScope, KillSet, KillSubject, Money, OrderId, OrgId};

/// Something that runs: a call or a job, with what it has reserved.
#[derive(Debug, Clone, Copy)]
pub struct Running<'a> {
    /// What is reserved for it.
    pub reserved: Option<Money>,
    /// How orders see it.
    pub subject: &'a KillSubject,
}

/// What an order would stop.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BlastRadius {
    /// How many running calls.
    pub calls: usize,
    /// Which capsules, by name, with the digests that are installed of each.
    pub capsules: BTreeMap<String, BTreeSet<Digest>>,
    /// Which installations, as `org/environment/id`.
    pub installations: BTreeSet<String>,
    /// How many jobs, running or queued.
    pub jobs: usize,
    /// How many persons must sign it.
    pub needed: usize,
    /// What its calls and jobs have reserved, by currency.
    pub reserved: Vec<Money>,
    /// What it is about.
    pub scope: KillScope,
    /// Whose installations.
    pub tenants: BTreeSet<OrgId>,
    /// Whether one signature only suspends for an hour.
    pub wide: bool,
}

/// Counts what an order of this scope would stop.
#[must_use]
pub fn blast_radius<'a>(
    scope: &KillScope,
    needed: usize,
    installed: impl IntoIterator<Item = &'a KillSubject>,
    calls: impl IntoIterator<Item = Running<'a>>,
    jobs: impl IntoIterator<Item = Running<'a>>,
) -> BlastRadius {
    // The id is nobody's: only whether the scope meets a subject is asked.
    let set = KillSet::of([(scope, OrderId::from_u128(0))]);
    let met = |subject: &KillSubject| set.judge(subject).is_some();
    let mut sums: BTreeMap<String, Money> = BTreeMap::new();
    let mut count = |running: Running<'_>| {
        if !met(running.subject) {
            return 0;
        }
        if let Some(reserved) = running.reserved {
            add(&mut sums, reserved);
        }
        1
    };
    let calls = calls.into_iter().map(&mut count).sum();
    let jobs = jobs.into_iter().map(&mut count).sum();
    let mut radius = BlastRadius {
        calls,
        capsules: BTreeMap::new(),
        installations: BTreeSet::new(),
        jobs,
        needed,
        reserved: sums.into_values().collect(),
        scope: scope.clone(),
        tenants: BTreeSet::new(),
        wide: scope.is_wide(),
    };
    for subject in installed.into_iter().filter(|subject| met(subject)) {
        radius.tenants.insert(subject.installation.org.clone());
        radius.installations.insert(subject.installation.to_string());
        radius.capsules.entry(subject.capsule.to_string()).or_default().insert(subject.digest);
    }
    radius
}

fn add(sums: &mut BTreeMap<String, Money>, amount: Money) {
    let currency: Currency = amount.currency;
    let sum = sums.entry(currency.as_str().to_owned()).or_insert(Money::zero(currency));
    sum.micros = sum.micros.saturating_add(amount.micros);
}
