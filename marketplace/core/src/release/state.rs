//! The states of a release, the moves of each, and what must hold in each.

use super::ReleaseRecord;
use crate::named::named;
use crate::refusal::Refusal;

named! {
    /// Where a release is.
    ReleaseState "a state of a release" {
        /// The version is reserved; nothing was submitted.
        Draft "draft",
        /// An attempt waits for verification.
        Submitted "submitted",
        /// It is being verified.
        Verifying "verifying",
        /// It waits for a decision.
        InReview "in_review",
        /// Another attempt, with another digest, is asked for.
        NeedsRevision "needs_revision",
        /// It will not be published; the version stays used.
        Rejected "rejected",
        /// A digest is bound to it.
        Approved "approved",
        /// It can be installed.
        Published "published",
        /// It can be installed, but something else is better.
        Deprecated "deprecated",
        /// What is installed stays; new installations are refused.
        Yanked "yanked",
        /// Never run again.
        Revoked "revoked",
    }
}

named! {
    /// A move of a release.
    Move "a move of a release" {
        /// A new attempt.
        Submit "submit",
        /// Verification begins.
        Verify "verify",
        /// Verification ended; its findings go to review.
        Report "report",
        /// Review approves.
        Approve "approve",
        /// Review asks for another attempt.
        Revise "revise",
        /// Review rejects.
        Reject "reject",
        /// It enters the catalogue.
        Publish "publish",
        /// Something else is better.
        Deprecate "deprecate",
        /// Taken back for now.
        Yank "yank",
        /// Given back.
        Unyank "unyank",
        /// Taken back for good.
        Revoke "revoke",
    }
}

impl ReleaseState {
    /// What can happen next.
    #[must_use]
    pub const fn moves(self) -> &'static [Move] {
        use Move::{
            Approve, Deprecate, Publish, Reject, Report, Revise, Revoke, Submit, Unyank, Verify,
            Yank,
        };
        match self {
            Self::Draft | Self::NeedsRevision => &[Submit],
            Self::Submitted => &[Submit, Verify],
            Self::Verifying => &[Submit, Report],
            Self::InReview => &[Submit, Approve, Revise, Reject],
            Self::Rejected | Self::Revoked => &[],
            Self::Approved => &[Publish, Revoke],
            Self::Published => &[Deprecate, Yank, Revoke],
            Self::Deprecated => &[Yank, Revoke],
            Self::Yanked => &[Unyank, Revoke],
        }
    }

    /// Whether a digest is bound to the version.
    #[must_use]
    pub const fn is_bound(self) -> bool {
        matches!(
            self,
            Self::Approved | Self::Published | Self::Deprecated | Self::Yanked | Self::Revoked
        )
    }

    /// Whether it may be installed anew.
    #[must_use]
    pub const fn is_installable(self) -> bool {
        matches!(self, Self::Published | Self::Deprecated)
    }

    /// Whether what is installed may go on.
    #[must_use]
    pub const fn may_run(self) -> bool {
        matches!(self, Self::Published | Self::Deprecated | Self::Yanked)
    }

    /// Refuses a move that this state does not have, with those that it has.
    pub(crate) fn allow(self, wanted: Move) -> Result<(), Refusal> {
        if self.moves().contains(&wanted) {
            return Ok(());
        }
        let legal: Vec<&'static str> = self.moves().iter().map(|legal| legal.as_str()).collect();
        Err(Refusal::illegal("a release", wanted.as_str(), self.as_str(), legal))
    }
}

/// What no sequence of commands could have made.
pub(super) fn contradiction(record: &ReleaseRecord) -> Option<&'static str> {
    let state = record.state;
    let attempt = record.attempts.last();
    let numbered = record.attempts.iter().zip(1u32..).all(|(attempt, n)| attempt.number == n);
    let bound = record.approval.as_ref().zip(attempt);
    let judged = matches!(state, ReleaseState::NeedsRevision | ReleaseState::Rejected);
    let catalogued = state.may_run();
    if attempt.is_none() != (state == ReleaseState::Draft) {
        Some("attempts and state do not agree")
    } else if !numbered || record.attempts.len() > super::ATTEMPTS_MAX {
        Some("the attempts are not numbered from one")
    } else if record.approval.is_some() != state.is_bound() {
        Some("approval and state do not agree")
    } else if bound.is_some_and(|(a, b)| a.digest != b.digest || a.attempt != b.number) {
        Some("another digest is bound than was approved")
    } else if judged != attempt.is_some_and(|attempt| attempt.verdict.is_some()) {
        Some("verdict and state do not agree")
    } else if state == ReleaseState::InReview && attempt.is_some_and(|a| a.report.is_none()) {
        Some("it is in review without a report")
    } else if catalogued && record.published_at.is_none() {
        Some("it was never published")
    } else if record.yank.is_some() != (state == ReleaseState::Yanked) {
        Some("yank and state do not agree")
    } else if record.yank.as_ref().is_some_and(|yank| !yank.from.is_installable()) {
        Some("it was yanked from a state that has no yank")
    } else {
        None
    }
}
