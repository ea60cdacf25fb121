//! Commands on an installation.

use std::collections::BTreeSet;

use soma_policy::{Code, Digest, HostId, InstallationKey, Millis, OrgId, Timestamp};

use super::gate::{Gate, GateResult};
use super::plan::{Plan, compile, runnable};
use super::{
    Candidate, Consent, Ground, InstallMove, InstallState, Installed, InstalledRecord, Revision,
};
use crate::org::{Actor, Permission};
use crate::refusal::Refusal;
use crate::review::Approved;
use crate::step::Step;
use crate::words::Words;

/// A command on an installation.
#[derive(Debug)]
pub enum InstallCommand<'a> {
    /// A new revision.
    Change {
        /// The hash of the plan that the tenant agreed to, where it asks for anything.
        accepted: Option<Digest>,
        /// Who.
        by: &'a Actor,
        /// How the new revision is judged before it becomes active.
        gate: Gate,
        /// The hosts that are live now.
        hosts: BTreeSet<HostId>,
        /// What was planned.
        plan: Box<Plan>,
        /// How long the gate may stay undecided.
        within: Millis,
    },
    /// The gate says something about a revision.
    Judge {
        /// The hosts that are live now.
        hosts: BTreeSet<HostId>,
        /// What it says.
        result: GateResult,
        /// About which.
        revision: u64,
    },
    /// The new revision is given up: by a person, or because it was killed. Undecided gates end so too.
    BackOut {
        /// Why.
        reason: Words,
    },
    /// A host runs this revision.
    Acknowledge {
        /// Which host.
        host: HostId,
        /// Which revision.
        revision: u64,
    },
    /// A host went stale, and runs nothing.
    HostGone(HostId),
    /// The revision before becomes active again.
    Rollback {
        /// The approval of its release, as it is now.
        approved: &'a Approved,
        /// Who; none where a rule does it.
        by: Option<&'a Actor>,
        /// Policy and kills, as they are now.
        ground: Ground<'a>,
        /// The hosts that are live now.
        hosts: BTreeSet<HostId>,
    },
    /// The revision before must not come back: its consent is withdrawn.
    Forget {
        /// Who.
        by: &'a Actor,
    },
    /// The publisher's name has another owner.
    OwnerChanged(OrgId),
    /// The tenant agrees to the owner.
    AcceptOwner {
        /// Who.
        by: &'a Actor,
        /// To whom they agree.
        owner: OrgId,
    },
    /// It is removed.
    Remove {
        /// Who.
        by: &'a Actor,
    },
}

impl InstallCommand<'_> {
    /// The move that it makes.
    #[must_use]
    pub const fn wanted(&self) -> InstallMove {
        match self {
            Self::Change { .. } => InstallMove::Change,
            Self::Judge { .. } => InstallMove::Judge,
            Self::BackOut { .. } => InstallMove::BackOut,
            Self::Acknowledge { .. } => InstallMove::Acknowledge,
            Self::HostGone(_) => InstallMove::HostGone,
            Self::Rollback { .. } => InstallMove::Rollback,
            Self::Forget { .. } => InstallMove::Forget,
            Self::OwnerChanged(_) => InstallMove::OwnerChanged,
            Self::AcceptOwner { .. } => InstallMove::AcceptOwner,
            Self::Remove { .. } => InstallMove::Remove,
        }
    }
}

/// What has to happen when an installation changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InstallEffect {
    /// A revision was made: its row is inserted and never changes.
    Record(Box<Revision>),
    /// Another revision is active: the feed says so to every host.
    Activate(u64),
    /// A revision is at its gate: the feed says so to every host.
    Try(u64),
    /// A new revision was given up.
    BackedOut(u64),
    /// Everybody runs the active revision.
    Settled(u64),
    /// It is gone: hosts stop it, leases are recalled.
    Gone,
}

impl Installed {
    /// A first installation.
    ///
    /// # Errors
    /// When the actor may not install for this tenant, or the plan is for another one.
    pub fn install(
        key: InstallationKey,
        plan: Plan,
        by: &Actor,
        hosts: BTreeSet<HostId>,
        now: Timestamp,
    ) -> Result<Step<Self, InstallEffect>, Refusal> {
        by.may_in(Permission::InstallationManage, &key.org)?;
        if plan.base != 0 || plan.spec.tenant != key.org || plan.spec.environment != key.environment
        {
            let reason = "the plan is for another installation";
            return Err(Refusal::new(Code::MoveStale, "install", reason));
        }
        let owner = plan.owner.clone();
        let active = revision(plan, by, 1, now);
        let effects = activated(&active, &hosts);
        let next = Self(InstalledRecord {
            candidate: None,
            capsule: active.spec.capsule.clone(),
            key,
            latest: 1,
            owner,
            owner_asked: None,
            previous: None,
            refused: None,
            removed: false,
            sequence: 1,
            waiting: hosts,
            active: active.clone(),
        });
        let record = InstallEffect::Record(Box::new(active));
        Ok(Step::with(next, std::iter::once(record).chain(effects)))
    }

    /// The installation after a command.
    ///
    /// # Errors
    /// When the state has no such move (the refusal names those it has), the actor may not, consent is missing or
    /// for something else, or what becomes active would not pass verify, kill, policy and consent.
    pub fn apply(
        &self,
        command: InstallCommand<'_>,
        now: Timestamp,
    ) -> Result<Step<Self, InstallEffect>, Refusal> {
        let wanted = command.wanted();
        self.state().allow(wanted)?;
        let mut next = self.clone();
        next.0.sequence = self.0.sequence.saturating_add(1);
        let effects = match command {
            InstallCommand::Change { accepted, by, gate, hosts, plan, within } => {
                self.agreed(&plan, accepted, by)?;
                next.change(*plan, by, (gate, within), hosts, now)?
            }
            InstallCommand::Judge { hosts, result, revision } => {
                next.judge(revision, result, hosts, now)?
            }
            InstallCommand::BackOut { reason } => next.back_out(reason),
            InstallCommand::Acknowledge { host, revision } if revision == self.0.active.number => {
                next.heard(host)
            }
            // What a host said of a revision that is no longer the active one is true and means nothing here.
            InstallCommand::Acknowledge { .. } => return Ok(Step::quiet(self.clone())),
            InstallCommand::HostGone(host) => next.heard(host),
            InstallCommand::Rollback { approved, by, ground, hosts } => {
                if let Some(by) = by {
                    by.may_in(Permission::InstallationManage, &self.0.key.org)?;
                }
                next.rollback(approved, ground, hosts)?
            }
            InstallCommand::Forget { by } => {
                by.may_in(Permission::InstallationManage, &self.0.key.org)?;
                next.0.previous.take().map(|_| Vec::new()).ok_or_else(|| none_before("forget"))?
            }
            InstallCommand::OwnerChanged(owner) => {
                next.0.owner_asked = (owner != self.0.owner).then_some(owner);
                Vec::new()
            }
            InstallCommand::AcceptOwner { by, owner } => {
                by.may_in(Permission::ConsentGive, &self.0.key.org)?;
                if self.0.owner_asked.as_ref() != Some(&owner) {
                    let reason = format!("nobody asks for agreement to `{owner}`");
                    return Err(Refusal::new(Code::ConsentStale, "accept_owner", reason));
                }
                (next.0.owner, next.0.owner_asked) = (owner, None);
                Vec::new()
            }
            InstallCommand::Remove { by } => {
                by.may_in(Permission::InstallationManage, &self.0.key.org)?;
                (next.0.removed, next.0.candidate) = (true, None);
                next.0.waiting.clear();
                vec![InstallEffect::Gone]
            }
        };
        Ok(Step::with(next, effects))
    }

    /// Whether a plan may be carried out: by whom, on what, and with whose consent.
    fn agreed(&self, plan: &Plan, accepted: Option<Digest>, by: &Actor) -> Result<(), Refusal> {
        by.may_in(Permission::InstallationManage, &self.0.key.org)?;
        let refuse = |code, reason: String| Err(Refusal::new(code, "change", reason));
        if plan.base != self.0.active.number || plan.spec.tenant != self.0.key.org {
            let reason = format!(
                "it was planned on revision {}, not on {}",
                plan.base, self.0.active.number
            );
            return refuse(Code::MoveStale, reason);
        }
        if plan.asks.is_empty() {
            return Ok(());
        }
        let questions: Vec<String> = plan.asks.iter().map(ToString::to_string).collect();
        match accepted {
            None => refuse(Code::ConsentNeeded, questions.join("; ")),
            Some(hash) if hash != plan.hash => refuse(
                Code::ConsentStale,
                format!("{hash} was accepted, the change is {}", plan.hash),
            ),
            Some(_) => by.may_in(Permission::ConsentGive, &self.0.key.org),
        }
    }

    fn change(
        &mut self,
        plan: Plan,
        by: &Actor,
        (gate, within): (Gate, Millis),
        hosts: BTreeSet<HostId>,
        now: Timestamp,
    ) -> Result<Vec<InstallEffect>, Refusal> {
        if !gate.is_sound() || within.0 > Gate::TIME_MAX.0 {
            let reason = format!(
                "a canary has calls, a share up to 500 ‰, a tolerance below 1000 ‰ and up to {}",
                Gate::TIME_MAX
            );
            return Err(Refusal::new(Code::FieldBad, "change", reason));
        }
        self.0.latest = self.0.latest.saturating_add(1);
        let owner = plan.owner.clone();
        let made = revision(plan, by, self.0.latest, now);
        let mut effects = vec![InstallEffect::Record(Box::new(made.clone()))];
        if gate == Gate::Open {
            effects.extend(self.activate(made, owner, hosts));
        } else {
            effects.push(InstallEffect::Try(made.number));
            let until = now.plus(within);
            self.0.candidate = Some(Candidate { gate, owner, revision: made, until });
        }
        Ok(effects)
    }

    fn judge(
        &mut self,
        revision: u64,
        result: GateResult,
        hosts: BTreeSet<HostId>,
        now: Timestamp,
    ) -> Result<Vec<InstallEffect>, Refusal> {
        let Some(candidate) = self.0.candidate.take_if(|at| at.revision.number == revision) else {
            let reason = format!("revision {revision} is not at the gate");
            return Err(Refusal::new(Code::MoveStale, "judge", reason));
        };
        match result {
            GateResult::Passed => Ok(self.activate(candidate.revision, candidate.owner, hosts)),
            GateResult::Waiting if now < candidate.until => {
                self.0.candidate = Some(candidate);
                Ok(Vec::new())
            }
            GateResult::Waiting => {
                let until = candidate.until;
                self.0.candidate = Some(candidate);
                Ok(self.back_out(Words::clipped(&format!("nothing was decided until {until}"))))
            }
            GateResult::Failed(reason) => {
                self.0.candidate = Some(candidate);
                Ok(self.back_out(Words::clipped(&reason)))
            }
        }
    }

    /// The active revision was never touched: giving up the new one is all there is to do.
    fn back_out(&mut self, reason: Words) -> Vec<InstallEffect> {
        let Some(candidate) = self.0.candidate.take() else { return Vec::new() };
        let number = candidate.revision.number;
        self.0.refused = Some((number, reason));
        vec![InstallEffect::BackedOut(number)]
    }

    fn activate(
        &mut self,
        made: Revision,
        owner: OrgId,
        hosts: BTreeSet<HostId>,
    ) -> Vec<InstallEffect> {
        let effects = activated(&made, &hosts);
        self.0.previous = Some(std::mem::replace(&mut self.0.active, made));
        self.0.owner_asked = self.0.owner_asked.take().filter(|asked| *asked != owner);
        (self.0.owner, self.0.waiting, self.0.refused) = (owner, hosts, None);
        effects
    }

    fn heard(&mut self, host: HostId) -> Vec<InstallEffect> {
        let waited = self.0.waiting.remove(&host);
        let settled = waited && self.state() == InstallState::Active;
        if settled { vec![InstallEffect::Settled(self.0.active.number)] } else { Vec::new() }
    }

    /// Verify, kill, policy and consent pass again, as if it were new.
    fn rollback(
        &mut self,
        approved: &Approved,
        ground: Ground<'_>,
        hosts: BTreeSet<HostId>,
    ) -> Result<Vec<InstallEffect>, Refusal> {
        let previous = self.0.previous.take().ok_or_else(|| none_before("rollback"))?;
        if approved.facts().digest != previous.spec.digest {
            let reason = format!("revision {} is another component", previous.number);
            return Err(Refusal::new(Code::MoveStale, "rollback", reason));
        }
        runnable(approved.state(), "rollback")?;
        compile(&self.0.key, &previous.spec, approved, ground, previous.number, "rollback")?;
        if *approved.owner() != self.0.owner {
            let reason =
                format!("it is now published by `{}`; accept the owner first", approved.owner());
            return Err(Refusal::new(Code::ConsentNeeded, "rollback", reason));
        }
        let effects = activated(&previous, &hosts);
        self.0.previous = Some(std::mem::replace(&mut self.0.active, previous));
        self.0.waiting = hosts;
        Ok(effects)
    }
}

fn revision(plan: Plan, by: &Actor, number: u64, now: Timestamp) -> Revision {
    Revision {
        at: now,
        by: by.principal(),
        consent: Consent { at: now, by: by.person(), plan: plan.hash },
        limits: plan.limits,
        number,
        offer: plan.offer,
        price: plan.price,
        proof: plan.proof,
        spec: plan.spec,
        version: plan.version,
    }
}

/// Without a live host there is nobody to wait for.
fn activated(revision: &Revision, hosts: &BTreeSet<HostId>) -> Vec<InstallEffect> {
    let settled = hosts.is_empty().then_some(InstallEffect::Settled(revision.number));
    std::iter::once(InstallEffect::Activate(revision.number)).chain(settled).collect()
}

fn none_before(attempted: &'static str) -> Refusal {
    Refusal::new(Code::NoPrevious, attempted, "there is no revision before the active one")
}
