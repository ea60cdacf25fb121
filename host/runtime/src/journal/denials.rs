//! Denials on their way into the journal: counted per installation, code and layer, and written as
//! summaries at a bounded rate, so that a guest that is refused in a loop cannot fill a disk.
//!
//! Each call's own denials are in its receipt; a summary is how an auditor sees what was refused before
//! a call began, and how often.

use std::collections::BTreeMap;

use parking_lot::Mutex;
use soma_policy::{Code, Denial, DenialSummary, InstallationKey, Layer, Timestamp};

/// Distinct denials between two summaries; further ones are counted together.
const KINDS_MAX: usize = 512;
/// The longest sample.
const SAMPLE_MAX: usize = 200;

/// What makes two denials the same.
type Kind = (InstallationKey, Code, Layer);

#[derive(Debug, Default)]
struct Open {
    kinds: BTreeMap<Kind, (u64, String)>,
    uncounted: u64,
    /// When the last summaries were taken.
    taken: Timestamp,
}

/// The denials since the last summaries.
#[derive(Debug)]
pub(crate) struct DenialTally {
    open: Mutex<Open>,
    every_ms: u64,
}

impl DenialTally {
    /// A tally whose summaries are at least so far apart.
    pub(crate) fn new(every: soma_policy::Millis) -> Self {
        Self { open: Mutex::default(), every_ms: every.0 }
    }

    /// Counts a denial.
    pub(crate) fn note(&self, installation: &InstallationKey, denial: &Denial) {
        let mut open = self.open.lock();
        let kind = (installation.clone(), denial.code, denial.layer);
        if let Some((count, _)) = open.kinds.get_mut(&kind) {
            *count = count.saturating_add(1);
        } else if open.kinds.len() < KINDS_MAX {
            open.kinds.insert(kind, (1, sample(&denial.operation)));
        } else {
            open.uncounted = open.uncounted.saturating_add(1);
        }
    }

    /// The summaries that are due: none before the interval has passed since the last ones. A clock
    /// that goes back makes them due.
    pub(crate) fn due(&self, now: Timestamp) -> Vec<DenialSummary> {
        let mut open = self.open.lock();
        let early = now >= open.taken && now.since(open.taken).0 < self.every_ms;
        if open.kinds.is_empty() || early {
            return Vec::new();
        }
        let taken = std::mem::replace(&mut *open, Open { taken: now, ..Open::default() });
        drop(open);
        if taken.uncounted > 0 {
            tracing::warn!(denials = taken.uncounted, "more kinds of denials than are summarised");
        }
        let summary =
            |((key, code, layer), (count, sample)): (Kind, (u64, String))| DenialSummary {
                at: now,
                code,
                count,
                environment: key.environment,
                installation: key.id,
                layer,
                org: key.org,
                sample,
            };
        taken.kinds.into_iter().map(summary).collect()
    }
}

/// The beginning of an operation, without control characters.
fn sample(operation: &str) -> String {
    operation.chars().filter(|c| !c.is_control()).take(SAMPLE_MAX).collect()
}

#[cfg(test)]
mod tests {
    use soma_policy::Millis;

    use super::*;

    fn denial(code: Code, operation: &str) -> Denial {
        Denial::new(code, Layer::Grant, operation, "no grant allows it")
    }

    fn key(id: &str) -> InstallationKey {
        format!("local/production/{id}").parse().unwrap()
    }

    #[test]
    fn a_flood_of_denials_is_one_line_per_interval() {
        let tally = DenialTally::new(Millis(10_000));
        for _ in 0..50_000 {
            tally.note(&key("csv"), &denial(Code::HttpMethod, "POST https://a.example/\u{1b}[31m"));
        }
        let summaries = tally.due(Timestamp(50_000));
        assert_eq!(summaries.len(), 1);
        assert_eq!((summaries[0].count, summaries[0].code), (50_000, Code::HttpMethod));
        assert_eq!(summaries[0].sample, "POST https://a.example/[31m");
        tally.note(&key("csv"), &denial(Code::HttpMethod, "POST /"));
        assert!(tally.due(Timestamp(59_999)).is_empty());
        assert_eq!(tally.due(Timestamp(60_000)).len(), 1);
        assert!(tally.due(Timestamp(99_000)).is_empty());
    }

    #[test]
    fn kinds_are_told_apart_and_bounded() {
        let tally = DenialTally::new(Millis(1));
        for n in 0..2000 {
            tally.note(&key(&format!("i{n}")), &denial(Code::HttpPath, "GET /"));
            tally.note(&key(&format!("i{n}")), &denial(Code::HttpMethod, "POST /"));
        }
        assert_eq!(tally.due(Timestamp(50_000)).len(), KINDS_MAX);
    }

    #[test]
    fn a_clock_that_goes_back_does_not_silence_the_summaries() {
        let tally = DenialTally::new(Millis(10_000));
        tally.note(&key("csv"), &denial(Code::HttpPath, "GET /"));
        assert_eq!(tally.due(Timestamp(1_000_000)).len(), 1);
        tally.note(&key("csv"), &denial(Code::HttpPath, "GET /"));
        assert_eq!(tally.due(Timestamp(5)).len(), 1);
    }
}
