//! The review: who may judge an attempt, what may come by itself, and the one door to [`Approved`].
//!
//! Nobody reviews what is their own, judged on natural persons. A decision is about one attempt and one digest;
//! [`crate::release::Release::apply`] takes only decisions that this room made.

mod approved;
mod automatic;

use std::collections::BTreeSet;

use soma_policy::{Code, Digest, Timestamp, UserId};

pub use approved::{Approved, Candidate};
pub use automatic::{Automatic, ReviewRules, automatic};

use crate::finding::Severity;
use crate::org::{Actor, Org, Permission};
use crate::refusal::Refusal;
use crate::release::{Attempt, CapsuleEntry, Judge, Move, Release};
use crate::words::Words;

/// What is decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ruling {
    /// The attempt's digest is bound to the version.
    Approve {
        /// The hash of what was reviewed.
        facts: Digest,
    },
    /// Another attempt is asked for.
    Revise {
        /// Why.
        reason: Words,
    },
    /// It will not be published.
    Reject {
        /// Why.
        reason: Words,
    },
}

/// What a reviewer wants.
#[derive(Debug)]
pub enum Wish<'a> {
    /// Approve, passing grave findings for a reason.
    Approve {
        /// What was verified.
        candidate: &'a Candidate,
        /// Needed where a finding is of severity high.
        overrides: Option<Words>,
    },
    /// Ask for another attempt.
    Revise(Words),
    /// Reject.
    Reject(Words),
}

/// A decision. Made by [`decide`] and [`automatic()`] only.
///
/// ```compile_fail,E0451
/// fn forge(other: soma_market::review::Decision) -> soma_market::review::Decision {
///     soma_market::review::Decision { attempt: 2, ..other }
/// }
/// ```
#[derive(Debug)]
pub struct Decision {
    attempt: u32,
    digest: Digest,
    judge: Judge,
    ruling: Ruling,
}

impl Decision {
    /// The attempt that was judged.
    #[must_use]
    pub const fn attempt(&self) -> u32 {
        self.attempt
    }

    /// Its component.
    #[must_use]
    pub const fn digest(&self) -> Digest {
        self.digest
    }

    /// Who decided.
    #[must_use]
    pub const fn judge(&self) -> &Judge {
        &self.judge
    }

    /// What was decided.
    #[must_use]
    pub const fn ruling(&self) -> &Ruling {
        &self.ruling
    }
}

/// A person's decision about the present attempt.
///
/// # Errors
/// When the release is not in review, the reviewer may not or is on the publisher's side, the name is frozen, a
/// finding blocks it, or a grave one is passed without right or reason.
pub fn decide(
    release: &Release,
    publisher: &Org,
    entry: &CapsuleEntry,
    reviewer: &Actor,
    wish: Wish<'_>,
    now: Timestamp,
) -> Result<Decision, Refusal> {
    let wanted = match wish {
        Wish::Approve { .. } => Move::Approve,
        Wish::Revise(_) => Move::Revise,
        Wish::Reject(_) => Move::Reject,
    };
    release.state().allow(wanted)?;
    reviewer.may(Permission::ReviewDecide)?;
    not_their_own(release, publisher, reviewer.person(), now, wanted)?;
    let attempt = present(release, wanted)?;
    let (attempt_number, digest) = (attempt.number, attempt.digest);
    let (ruling, overrode) = match wish {
        Wish::Approve { candidate, overrides } => {
            entry.free(wanted.as_str())?;
            let overrode = passed(attempt, reviewer, overrides)?;
            (Ruling::Approve { facts: candidate.fits(release, attempt)? }, overrode)
        }
        Wish::Revise(reason) => (Ruling::Revise { reason }, None),
        Wish::Reject(reason) => (Ruling::Reject { reason }, None),
    };
    let judge = Judge::Person { reviewer: reviewer.person(), overrode };
    Ok(Decision { attempt: attempt_number, digest, judge, ruling })
}

fn present(release: &Release, wanted: Move) -> Result<&Attempt, Refusal> {
    let none = || Refusal::new(Code::RecordCorrupt, wanted.as_str(), "there is no attempt");
    release.attempt().ok_or_else(none)
}

/// Natural persons: members of the publishing organisation, those who lately left it, those who answer for its
/// service accounts, and whoever submitted any attempt.
fn not_their_own(
    release: &Release,
    publisher: &Org,
    reviewer: UserId,
    now: Timestamp,
    wanted: Move,
) -> Result<(), Refusal> {
    let record = release.record();
    if publisher.head.id != record.owner {
        let reason = format!("the publisher is `{}`, not `{}`", record.owner, publisher.head.id);
        return Err(Refusal::new(Code::MoveStale, wanted.as_str(), reason));
    }
    let submitters: BTreeSet<UserId> = record.attempts.iter().map(|a| a.person).collect();
    if publisher.persons(now).contains(&reviewer) || submitters.contains(&reviewer) {
        let reason = format!("the reviewer belongs to `{}` or submitted an attempt", record.owner);
        return Err(Refusal::new(Code::ReviewSelf, wanted.as_str(), reason));
    }
    Ok(())
}

/// Whether the findings may be passed, and the reason where grave ones are.
fn passed(
    attempt: &Attempt,
    reviewer: &Actor,
    overrides: Option<Words>,
) -> Result<Option<Words>, Refusal> {
    let refuse = |code, reason: String| Err(Refusal::new(code, "approve", reason));
    let report = attempt.report.as_ref();
    let grave = report.and_then(|report| report.findings.first());
    match grave.filter(|finding| finding.severity >= Severity::High) {
        None => Ok(None),
        Some(finding) if finding.severity == Severity::Critical => {
            refuse(Code::ReviewBlocked, format!("{}: {}", finding.code, finding.evidence))
        }
        Some(finding) => {
            if let Err(lacks) = reviewer.may(Permission::ReviewOverride) {
                return refuse(Code::ReviewOverride, format!("{}: {lacks}", finding.code));
            }
            match overrides {
                Some(reason) => Ok(Some(reason)),
                None => refuse(
                    Code::ReviewReason,
                    format!("{} is passed without a reason", finding.code),
                ),
            }
        }
    }
}

#[cfg(test)]
mod tests;
