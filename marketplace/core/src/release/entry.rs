//! What is known of a capsule's name beyond its releases: whether new ones wait for an operator.

use serde::{Deserialize, Serialize};
use soma_policy::{CapsuleName, Code, Digest, OrderId, Timestamp};

use crate::org::{Actor, Permission};
use crate::refusal::Refusal;
use crate::words::Words;

/// Why a name is frozen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NameFreeze {
    /// The digest that was killed.
    pub digest: Digest,
    /// By which order.
    pub order: OrderId,
    /// Since when.
    pub since: Timestamp,
}

/// A capsule's name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CapsuleEntry {
    /// Set while new releases wait for an operator.
    pub frozen: Option<NameFreeze>,
    /// The name.
    pub name: CapsuleName,
    /// Rises with each change: what a conditional update compares.
    pub sequence: u64,
}

/// A change of an entry.
#[derive(Debug, Clone)]
pub enum EntryCommand<'a> {
    /// A release of this name was killed.
    Freeze {
        /// Which.
        digest: Digest,
        /// By which order.
        order: OrderId,
    },
    /// An operator looked. Lifting the kill alone does not do this.
    Unfreeze {
        /// Who.
        by: &'a Actor,
        /// Why it is right.
        reason: Words,
    },
}

impl CapsuleEntry {
    /// A name that nothing is known of.
    #[must_use]
    pub const fn new(name: CapsuleName) -> Self {
        Self { frozen: None, name, sequence: 1 }
    }

    /// The entry after a change.
    ///
    /// # Errors
    /// When the actor may not, or the name is not frozen.
    pub fn apply(&self, command: EntryCommand<'_>, now: Timestamp) -> Result<Self, Refusal> {
        let frozen = match command {
            // The first kill stays the reason.
            EntryCommand::Freeze { digest, order } => {
                self.frozen.or(Some(NameFreeze { digest, order, since: now }))
            }
            EntryCommand::Unfreeze { by, .. } => {
                by.may(Permission::NamespaceRule)?;
                if self.frozen.is_none() {
                    let legal = ["freeze"];
                    return Err(Refusal::illegal("a capsule's name", "unfreeze", "free", legal));
                }
                None
            }
        };
        Ok(Self { frozen, name: self.name.clone(), sequence: self.sequence.saturating_add(1) })
    }

    /// Refuses a move of a release while the name is frozen.
    pub(crate) fn free(&self, attempted: &'static str) -> Result<(), Refusal> {
        let Some(frozen) = &self.frozen else { return Ok(()) };
        let (name, order, digest) = (&self.name, frozen.order, frozen.digest.short());
        let reason = format!(
            "`{name}` is frozen since {} because order {order} killed {digest}",
            frozen.since
        );
        Err(Refusal::new(Code::NameFrozen, attempted, reason))
    }
}
