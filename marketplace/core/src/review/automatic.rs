//! What is decided without a person: little risk is approved, what cannot be approved is sent back.

use super::{Candidate, Decision, Ruling, present};
use crate::finding::Severity;
use crate::namespace::Namespace;
use crate::refusal::Refusal;
use crate::release::{CapsuleEntry, Judge, Move, Release};
use crate::risk::Score;
use crate::words::Words;

/// What the operator lets pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReviewRules {
    /// Whether anything is approved without a person.
    pub auto_approve: bool,
    /// Only below this score.
    pub below: Score,
    /// Only with a conformance passport.
    pub passport: bool,
}

impl Default for ReviewRules {
    /// Nobody is spared a review until the operator says so.
    fn default() -> Self {
        Self { auto_approve: false, below: Score::QUEUE, passport: true }
    }
}

/// What comes without a person.
#[derive(Debug)]
pub enum Automatic {
    /// A decision.
    Decided(Decision),
    /// A person must look, for each of these reasons.
    Queue(Vec<String>),
}

/// Judges the present attempt by the rules alone.
///
/// # Errors
/// When the release is not in review, or the candidate is another component.
pub fn automatic(
    release: &Release,
    namespace: &Namespace,
    entry: &CapsuleEntry,
    candidate: Option<&Candidate>,
    rules: &ReviewRules,
) -> Result<Automatic, Refusal> {
    release.state().allow(Move::Approve)?;
    let attempt = present(release, Move::Approve)?;
    let Some(report) = &attempt.report else {
        return Ok(Automatic::Queue(vec!["it has no report".to_owned()]));
    };
    let decision = |ruling| Decision {
        attempt: attempt.number,
        digest: attempt.digest,
        judge: Judge::Automatic,
        ruling,
    };
    let blocking: Vec<String> = report
        .findings
        .iter()
        .filter(|finding| finding.severity == Severity::Critical)
        .map(|finding| format!("{}: {}", finding.code, finding.evidence))
        .collect();
    if !blocking.is_empty() {
        let reason = Words::clipped(&blocking.join("\n"));
        return Ok(Automatic::Decided(decision(Ruling::Revise { reason })));
    }
    let score = report.risk.score();
    let mut why = Vec::new();
    let mut unless = |fine: bool, reason: String| {
        if !fine {
            why.push(reason);
        }
    };
    unless(rules.auto_approve, "the operator has every release looked at".to_owned());
    unless(score < rules.below, format!("its risk is {score}, not below {}", rules.below));
    unless(report.gravest() < Some(Severity::High), "it has a grave finding".to_owned());
    unless(
        !rules.passport || report.passport.is_some(),
        "its behaviour was not observed".to_owned(),
    );
    unless(
        namespace.name == release.record().name.publisher,
        "the publisher is another one".to_owned(),
    );
    unless(
        namespace.frozen.is_none(),
        "releases of this publisher are looked at since a kill".to_owned(),
    );
    unless(entry.frozen.is_none(), "the name is frozen since a kill".to_owned());
    match candidate {
        Some(candidate) if why.is_empty() => {
            let facts = candidate.fits(release, attempt)?;
            Ok(Automatic::Decided(decision(Ruling::Approve { facts })))
        }
        Some(_) => Ok(Automatic::Queue(why)),
        None => {
            why.push("it did not pass verification".to_owned());
            Ok(Automatic::Queue(why))
        }
    }
}
