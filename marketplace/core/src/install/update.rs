//! Whether a new release comes by itself, asks, or is none of this installation's business.

use soma_policy::{CapsuleFacts, InstallationSpec, OnUpdate, Timestamp};

use super::meet::meet;
use super::plan::Plan;
use super::{Ground, InstallState, Installed};
use crate::diff::{Class, Diff};
use crate::refusal::Refusal;
use crate::review::Approved;

/// What a new release means for an installation.
#[derive(Debug)]
pub enum Update {
    /// Nothing.
    Ignore(&'static str),
    /// It may be installed without a question.
    Roll(Box<Plan>),
    /// The tenant is asked.
    Ask {
        /// What the author asks for beyond the version that runs.
        declared: Diff,
        /// What it would mean with the present grants, or why they do not do.
        plan: Result<Box<Plan>, Refusal>,
    },
}

/// Judges a new release for an installation. `running` are the facts of what is active.
#[must_use]
pub fn consider(
    installed: &Installed,
    running: &CapsuleFacts,
    approved: &Approved,
    ground: Ground<'_>,
    now: Timestamp,
) -> Update {
    let record = installed.record();
    let (facts, spec) = (approved.facts(), &record.active.spec);
    if installed.state() != InstallState::Active {
        return Update::Ignore("a change is under way");
    }
    if facts.name != record.capsule || running.digest != spec.digest {
        return Update::Ignore("it is another capsule");
    }
    if facts.version.cmp_precedence(&record.active.version).is_le() {
        return Update::Ignore("it is not newer");
    }
    if !spec.version.allows(&facts.version) {
        return Update::Ignore("it is outside the installation's range");
    }
    if !approved.state().is_installable() {
        return Update::Ignore("it cannot be installed");
    }
    let declared = Diff::declared(&running.declarations, &facts.declarations)
        .and(Diff::limits(&running.limits_asked, &facts.limits_asked));
    let plan = Plan::change(installed, approved, carried(spec, approved), ground, now);
    let by_itself = spec.on_update == OnUpdate::NarrowerOrEqual
        && record.owner_asked.is_none()
        && declared.class() != Class::Wider;
    match plan {
        Ok(plan) if by_itself && plan.asks().is_empty() => Update::Roll(Box::new(plan)),
        plan => Update::Ask { declared, plan: plan.map(Box::new) },
    }
}

/// The same file for another release: its grants narrowed to what that declares, and its offer named.
fn carried(spec: &InstallationSpec, approved: &Approved) -> InstallationSpec {
    let facts = approved.facts();
    let mut next = spec.clone();
    next.digest = facts.digest;
    next.grants = meet(&spec.grants, &facts.declarations);
    if let Some(offer) = &mut next.offer {
        offer.digest = facts.offer();
    }
    next
}
