//! Commands on a release. Each names its move; the state decides whether the move is legal before anything else.

use semver::Version;
use soma_policy::{Code, Digest, Timestamp};

use super::attempt::{Approval, Attempt, Package, Report, Verdict};
use super::{ATTEMPTS_MAX, CapsuleEntry, Move, Release, ReleaseState, Yank};
use crate::namespace::Namespace;
use crate::org::{Actor, Permission};
use crate::refusal::Refusal;
use crate::review::{Decision, Ruling};
use crate::step::Step;
use crate::words::Words;

/// A command on a release.
#[derive(Debug)]
pub enum ReleaseCommand<'a> {
    /// A new attempt. Before approval it replaces the one before.
    Submit {
        /// Who.
        by: &'a Actor,
        /// The publisher's name.
        namespace: &'a Namespace,
        /// The capsule's name.
        entry: &'a CapsuleEntry,
        /// What is submitted.
        package: Package,
    },
    /// Verification of an attempt begins.
    Verify {
        /// Its number.
        attempt: u32,
    },
    /// Verification of an attempt ended.
    Report {
        /// Its number.
        attempt: u32,
        /// What it says.
        report: Report,
    },
    /// A review decided. Only the review room makes decisions.
    Decide(Decision),
    /// It enters the catalogue, countersigned.
    Publish {
        /// The capsule's name.
        entry: &'a CapsuleEntry,
    },
    /// Something else is better.
    Deprecate {
        /// Who.
        by: &'a Actor,
        /// What to use instead.
        instead: Option<Version>,
        /// Why.
        reason: Words,
    },
    /// Taken back for now.
    Yank {
        /// Who.
        by: &'a Actor,
        /// Why.
        reason: Words,
    },
    /// Given back.
    Unyank {
        /// Who.
        by: &'a Actor,
        /// Why.
        reason: Words,
    },
    /// Taken back for good.
    Revoke {
        /// Who.
        by: &'a Actor,
        /// Why.
        reason: Words,
    },
}

impl ReleaseCommand<'_> {
    /// The move that it makes.
    #[must_use]
    pub const fn wanted(&self) -> Move {
        match self {
            Self::Submit { .. } => Move::Submit,
            Self::Verify { .. } => Move::Verify,
            Self::Report { .. } => Move::Report,
            Self::Decide(decision) => match decision.ruling() {
                Ruling::Approve { .. } => Move::Approve,
                Ruling::Revise { .. } => Move::Revise,
                Ruling::Reject { .. } => Move::Reject,
            },
            Self::Publish { .. } => Move::Publish,
            Self::Deprecate { .. } => Move::Deprecate,
            Self::Yank { .. } => Move::Yank,
            Self::Unyank { .. } => Move::Unyank,
            Self::Revoke { .. } => Move::Revoke,
        }
    }
}

/// What has to happen when a release changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReleaseEffect {
    /// Verification and behaviour review of this attempt are due.
    Examine(Digest),
    /// The catalogue has a new release of this digest.
    Announce(Digest),
    /// Everything of this digest is to be killed, by an order.
    Kill(Digest),
}

impl Release {
    /// The release after a command.
    ///
    /// # Errors
    /// When the state has no such move (the refusal names those it has), the actor may not, the attempt is no
    /// longer the present one, or the name is frozen.
    pub fn apply(
        &self,
        command: ReleaseCommand<'_>,
        now: Timestamp,
    ) -> Result<Step<Self, ReleaseEffect>, Refusal> {
        let wanted = command.wanted();
        if let (ReleaseCommand::Submit { package, .. }, Some(bound)) = (&command, self.digest())
            && package.digest != bound
        {
            let (name, version) = (&self.0.name, &self.0.version);
            let reason = format!("{name}@{version} is bound to {bound}");
            return Err(Refusal::new(Code::VersionTaken, "submit", reason));
        }
        self.0.state.allow(wanted)?;
        let mut next = self.clone();
        next.0.sequence = self.0.sequence.saturating_add(1);
        let mut effects = Vec::new();
        match command {
            ReleaseCommand::Submit { by, namespace, entry, package } => {
                next.submit(by, namespace, entry, package, now)?;
                effects.push(ReleaseEffect::Examine(package.digest));
            }
            ReleaseCommand::Verify { attempt } => {
                self.present(attempt, wanted)?;
                next.0.state = ReleaseState::Verifying;
            }
            ReleaseCommand::Report { attempt, report } => {
                self.present(attempt, wanted)?;
                next.with_attempt(|present| present.report = Some(report));
                next.0.state = ReleaseState::InReview;
            }
            ReleaseCommand::Decide(decision) => next.decide(&decision, now)?,
            ReleaseCommand::Publish { entry } => {
                entry.free(wanted.as_str())?;
                next.0.published_at = Some(now);
                next.0.state = ReleaseState::Published;
                effects.extend(self.digest().map(ReleaseEffect::Announce));
            }
            ReleaseCommand::Deprecate { by, instead, reason } => {
                self.withdraws(by, Permission::ReleaseWithdraw)?;
                (next.0.instead, next.0.reason) = (instead, Some(reason));
                next.0.state = ReleaseState::Deprecated;
            }
            ReleaseCommand::Yank { by, reason } => {
                self.withdraws(by, Permission::ReleaseWithdraw)?;
                next.0.yank = Some(Yank { by_platform: by.is_platform(), from: self.0.state });
                next.0.reason = Some(reason);
                next.0.state = ReleaseState::Yanked;
            }
            ReleaseCommand::Unyank { by, reason } => next.unyank(by, reason)?,
            ReleaseCommand::Revoke { by, reason } => {
                self.withdraws(by, Permission::ReleaseRevoke)?;
                (next.0.yank, next.0.reason) = (None, Some(reason));
                next.0.state = ReleaseState::Revoked;
                effects.extend(self.digest().map(ReleaseEffect::Kill));
            }
        }
        Ok(Step::with(next, effects))
    }

    fn submit(
        &mut self,
        by: &Actor,
        namespace: &Namespace,
        entry: &CapsuleEntry,
        package: Package,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        if namespace.name != self.0.name.publisher || entry.name != self.0.name {
            let reason = format!("`{}` is not the name of this release", entry.name);
            return Err(Refusal::new(Code::NamespaceForeign, "submit", reason));
        }
        by.may_in(Permission::ReleaseSubmit, &namespace.owner)?;
        entry.free("submit")?;
        if self.0.attempts.iter().any(|before| before.digest == package.digest) {
            let reason = format!("{} was submitted before", package.digest);
            return Err(Refusal::new(Code::DigestRepeated, "submit", reason));
        }
        let number = u32::try_from(self.0.attempts.len() + 1).unwrap_or(u32::MAX);
        if self.0.attempts.len() >= ATTEMPTS_MAX {
            let reason = format!("a version has at most {ATTEMPTS_MAX} attempts");
            return Err(Refusal::new(Code::TooMany, "submit", reason).fix("raise the version"));
        }
        self.0.owner = namespace.owner.clone();
        self.0.attempts.push(Attempt {
            at: now,
            by: by.principal(),
            digest: package.digest,
            id: package.id,
            number,
            person: by.person(),
            proof: package.proof,
            report: None,
            verdict: None,
        });
        self.0.state = ReleaseState::Submitted;
        Ok(())
    }

    fn decide(&mut self, decision: &Decision, now: Timestamp) -> Result<(), Refusal> {
        self.present(decision.attempt(), Move::Approve)?;
        let (at, judge) = (now, decision.judge().clone());
        let (reason, state) = match decision.ruling() {
            Ruling::Approve { facts } => {
                let score = self.attempt().and_then(|a| a.report.as_ref()).map(|r| r.risk.score());
                let (attempt, digest) = (decision.attempt(), decision.digest());
                let score = score.unwrap_or_default();
                self.0.approval =
                    Some(Approval { at, attempt, digest, facts: *facts, judge, score });
                self.0.state = ReleaseState::Approved;
                return Ok(());
            }
            Ruling::Revise { reason } => (reason.clone(), ReleaseState::NeedsRevision),
            Ruling::Reject { reason } => (reason.clone(), ReleaseState::Rejected),
        };
        self.with_attempt(|present| present.verdict = Some(Verdict { at, judge, reason }));
        self.0.state = state;
        Ok(())
    }

    fn unyank(&mut self, by: &Actor, reason: Words) -> Result<(), Refusal> {
        self.withdraws(by, Permission::ReleaseWithdraw)?;
        let Some(yank) = self.0.yank.take() else { return Ok(()) };
        if yank.by_platform && !by.is_platform() {
            let reason = "the platform yanked it, and the platform alone gives it back";
            return Err(Refusal::new(Code::RoleLacks, "unyank", reason));
        }
        (self.0.state, self.0.reason) = (yank.from, Some(reason));
        Ok(())
    }

    /// The owner's members and the platform's may take a release back.
    fn withdraws(&self, by: &Actor, permission: Permission) -> Result<(), Refusal> {
        if by.is_platform() { by.may(permission) } else { by.may_in(permission, &self.0.owner) }
    }

    /// Refuses what is about an attempt that another one has replaced.
    fn present(&self, attempt: u32, wanted: Move) -> Result<(), Refusal> {
        let present = self.attempt().map_or(0, |present| present.number);
        if attempt == present {
            return Ok(());
        }
        let reason = format!("attempt {attempt} was replaced by attempt {present}");
        Err(Refusal::new(Code::MoveStale, wanted.as_str(), reason))
    }

    fn with_attempt(&mut self, change: impl FnOnce(&mut Attempt)) {
        if let Some(present) = self.0.attempts.last_mut() {
            change(present);
        }
    }

    /// A transfer of the publisher's name takes its releases along.
    #[must_use]
    pub fn handed_over(&self, namespace: &Namespace) -> Self {
        let mut next = self.clone();
        if namespace.name == self.0.name.publisher && namespace.owner != self.0.owner {
            next.0.owner = namespace.owner.clone();
            next.0.sequence = self.0.sequence.saturating_add(1);
        }
        next
    }
}
