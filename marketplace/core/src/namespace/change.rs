//! Transfers of a publisher name, and the freeze of its automatic approvals.

use soma_policy::{Code, OrderId, OrgId, Timestamp};

use super::{Freeze, Handover, Namespace, NamespaceEffect, Ownership, TRANSFER_OFFER};
use crate::org::{Actor, Permission};
use crate::refusal::Refusal;
use crate::step::Step;
use crate::words::Words;

/// A change of a publisher name.
#[derive(Debug, Clone)]
pub enum NamespaceCommand<'a> {
    /// The owner offers it to another organisation.
    Offer {
        /// Who.
        by: &'a Actor,
        /// To whom.
        to: OrgId,
    },
    /// That organisation accepts; the pause begins.
    Accept {
        /// Who.
        by: &'a Actor,
    },
    /// Either side, or the platform, stops it.
    Cancel {
        /// Who.
        by: &'a Actor,
    },
    /// The pause is over: the name changes hands. Nobody's decision.
    Complete,
    /// A digest of this publisher was killed.
    Freeze(OrderId),
    /// The platform looked and lets approvals come by themselves again.
    Unfreeze {
        /// Who.
        by: &'a Actor,
        /// Why it is right.
        reason: Words,
    },
}

impl NamespaceCommand<'_> {
    const fn name(&self) -> &'static str {
        match self {
            Self::Offer { .. } => "offer",
            Self::Accept { .. } => "accept",
            Self::Cancel { .. } => "cancel",
            Self::Complete => "complete",
            Self::Freeze(_) => "freeze",
            Self::Unfreeze { .. } => "unfreeze",
        }
    }
}

impl Namespace {
    /// The name after a change.
    ///
    /// # Errors
    /// When the actor may not, the move is not legal now, or the pause is not over.
    pub fn apply(
        &self,
        command: NamespaceCommand<'_>,
        now: Timestamp,
    ) -> Result<Step<Self, NamespaceEffect>, Refusal> {
        let mut next = self.clone();
        next.sequence = self.sequence.saturating_add(1);
        let mut effects = Vec::new();
        let illegal = || self.illegal(command.name(), now);
        match &command {
            NamespaceCommand::Offer { by, to } => {
                by.may_in(Permission::NamespaceManage, &self.owner)?;
                if self.open(now).is_some() || *to == self.owner {
                    return Err(illegal());
                }
                next.transfer = Some(Handover {
                    accepted: None,
                    offered_at: now,
                    offered_by: by.person(),
                    to: to.clone(),
                });
            }
            NamespaceCommand::Accept { by } => {
                let open = self.open(now).filter(|open| open.accepted.is_none());
                let open = open.ok_or_else(illegal)?;
                by.may_in(Permission::NamespaceManage, &open.to)?;
                next.transfer =
                    Some(Handover { accepted: Some((now, by.person())), ..open.clone() });
            }
            NamespaceCommand::Cancel { by } => {
                let open = self.open(now).ok_or_else(illegal)?;
                self.may_cancel(by, open)?;
                next.transfer = None;
            }
            NamespaceCommand::Complete => {
                let open = self.open(now).ok_or_else(illegal)?;
                let (ready, (_, by)) = open.ready_at().zip(open.accepted).ok_or_else(illegal)?;
                if now < ready {
                    let reason = format!("`{}` changes hands at {ready}", self.name);
                    return Err(Refusal::new(Code::CoolOff, "complete", reason));
                }
                let to = open.to.clone();
                effects
                    .push(NamespaceEffect::AskTenants { from: self.owner.clone(), to: to.clone() });
                next.history.push(Ownership { by, owner: to.clone(), since: now });
                (next.owner, next.transfer) = (to, None);
            }
            // The first order stays the reason; a second changes nothing.
            NamespaceCommand::Freeze(order) => {
                next.frozen = self.frozen.or(Some(Freeze { order: *order, since: now }));
            }
            NamespaceCommand::Unfreeze { by, .. } => {
                by.may(Permission::NamespaceRule)?;
                if self.frozen.is_none() {
                    return Err(illegal());
                }
                next.frozen = None;
            }
        }
        Ok(Step::with(next, effects))
    }

    /// The transfer, unless its offer has lapsed.
    fn open(&self, now: Timestamp) -> Option<&Handover> {
        let lives = |open: &&Handover| {
            open.accepted.is_some() || now.since(open.offered_at).0 < TRANSFER_OFFER.0
        };
        self.transfer.as_ref().filter(lives)
    }

    fn may_cancel(&self, by: &Actor, open: &Handover) -> Result<(), Refusal> {
        if by.is_platform() {
            return by.may(Permission::NamespaceRule);
        }
        let side = if *by.org() == open.to { &open.to } else { &self.owner };
        by.may_in(Permission::NamespaceManage, side)
    }

    fn illegal(&self, attempted: &'static str, now: Timestamp) -> Refusal {
        let (state, mut legal) = match self.open(now) {
            None => ("settled", vec!["offer"]),
            Some(open) if open.accepted.is_none() => ("offered", vec!["accept", "cancel"]),
            Some(_) => ("pausing", vec!["cancel", "complete"]),
        };
        if self.frozen.is_some() {
            legal.push("unfreeze");
        }
        Refusal::illegal("a publisher name", attempted, state, legal)
    }
}
