//! Publisher names: who owns one, who owned it, and how it changes hands.
//!
//! A name is given out once. A transfer has two sides and a pause in which either can stop it; when it
//! completes, every tenant with a capsule of that name is asked again. Keys and signatures are elsewhere.

mod change;

use serde::{Deserialize, Serialize};
use soma_policy::{Code, Millis, OrderId, OrgId, PublisherName, Timestamp, UserId};

pub use change::NamespaceCommand;

use crate::org::{Actor, Permission};
use crate::refusal::Refusal;

/// Between the acceptance of a transfer and its taking effect.
pub const TRANSFER_PAUSE: Millis = Millis(7 * 86_400_000);
/// How long an offered transfer can be accepted.
pub const TRANSFER_OFFER: Millis = Millis(14 * 86_400_000);
/// Names that people would take for the marketplace itself: given out by the platform only.
pub const RESERVED: &[&str] = &[
    "admin",
    "api",
    "billing",
    "host",
    "local",
    "marketplace",
    "official",
    "operator",
    "platform",
    "registry",
    "security",
    "soma",
    "staff",
    "support",
    "system",
    "verified",
    "wasi",
    "wasm",
];

/// One owner in the history of a name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ownership {
    /// Who claimed or accepted it.
    pub by: UserId,
    /// The owner.
    pub owner: OrgId,
    /// From when on.
    pub since: Timestamp,
}

/// A transfer under way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Handover {
    /// When and by whom the other side accepted.
    pub accepted: Option<(Timestamp, UserId)>,
    /// When it was offered.
    pub offered_at: Timestamp,
    /// By whom.
    pub offered_by: UserId,
    /// To whom.
    pub to: OrgId,
}

impl Handover {
    /// When it may take effect; none before it is accepted.
    #[must_use]
    pub fn ready_at(&self) -> Option<Timestamp> {
        self.accepted.map(|(at, _)| at.plus(TRANSFER_PAUSE))
    }
}

/// Why approvals of a publisher's releases do not come by themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Freeze {
    /// The kill order.
    pub order: OrderId,
    /// Since when.
    pub since: Timestamp,
}

/// What has to happen when a name changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NamespaceEffect {
    /// Every installation of this publisher's capsules asks its tenant again.
    AskTenants {
        /// Whose name it was.
        from: OrgId,
        /// Whose it is.
        to: OrgId,
    },
}

/// A publisher name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Namespace {
    /// Set while releases of this publisher are not approved by themselves.
    pub frozen: Option<Freeze>,
    /// Every owner, the present one last.
    pub history: Vec<Ownership>,
    /// The name.
    pub name: PublisherName,
    /// The owner.
    pub owner: OrgId,
    /// Rises with each change: what a conditional update compares.
    pub sequence: u64,
    /// A transfer under way.
    pub transfer: Option<Handover>,
}

impl Namespace {
    /// Claims a name for an organisation. The platform may claim one for any publisher, reserved ones too.
    ///
    /// # Errors
    /// When the name is taken or reserved, or the actor may not.
    pub fn claim(
        name: PublisherName,
        taken: Option<&Self>,
        owner: OrgId,
        by: &Actor,
        now: Timestamp,
    ) -> Result<Self, Refusal> {
        if by.is_platform() {
            by.may(Permission::NamespaceRule)?;
        } else {
            by.may_in(Permission::NamespaceManage, &owner)?;
            if RESERVED.contains(&name.as_str()) {
                let reason = format!("`{name}` is given out by the platform only");
                return Err(Refusal::new(Code::NamespaceReserved, "claim", reason));
            }
        }
        if let Some(taken) = taken {
            let reason = format!("`{name}` belongs to `{}`", taken.owner);
            return Err(Refusal::new(Code::NamespaceTaken, "claim", reason));
        }
        let first = Ownership { by: by.person(), owner: owner.clone(), since: now };
        Ok(Self { frozen: None, history: vec![first], name, owner, sequence: 1, transfer: None })
    }

    /// Who owned the name at an instant.
    #[must_use]
    pub fn owner_at(&self, at: Timestamp) -> Option<&OrgId> {
        self.history.iter().rev().find(|entry| entry.since <= at).map(|entry| &entry.owner)
    }
}

#[cfg(test)]
mod tests;
