//! Leases: a slice of an installation's budget, given to one host for one UTC day.
//!
//! Money moves tenant → lease when it is given, and lease → tenant when what is left comes back: on the
//! host's signed close, once its journal is settled up to the position that the close names, or when the
//! host is lost. What arrives after that is the platform's loss, never the tenant's. Deliberately absent: how
//! leases travel to hosts, and what a host does with one ([`crate::budget::Purse`]).

mod grant;
mod moves;
mod spend;
mod state;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};
use soma_policy::{
    BootId, Code, Currency, Digest, HostId, InstallationKey, JournalId, LeaseId, Millis, Timestamp,
};

pub use grant::{Granted, LeaseAsk, grant};
pub use moves::{LeaseCommand, LeaseStep};
pub use spend::{Payer, Spent};
pub use state::LeaseState;

use crate::Refusal;
use crate::budget::{Amounts, Window};

/// The last entry of a journal that can name a lease, as the host's signed close says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LastEntry {
    /// The journal.
    pub journal: JournalId,
    /// The sequence number.
    #[serde(with = "soma_policy::decimal")]
    pub seq: u64,
}

/// A lease, as it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lease {
    /// The run of the host that may start calls on it.
    pub boot: BootId,
    /// What it holds, less what came back in slices.
    pub granted: Amounts,
    /// The host that it was given to.
    pub host: HostId,
    /// Its id.
    pub id: LeaseId,
    /// The installation whose budget it is of.
    pub installation: InstallationKey,
    /// The host's last entry for it, once it is closing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<LastEntry>,
    /// Authors' prices that came too late for it: what the platform bore, in micro-units.
    #[serde(with = "soma_policy::decimal")]
    pub late: i64,
    /// From when it may be taken for lost.
    pub lost_after: Timestamp,
    /// Slices that came back.
    pub slices: u32,
    /// No call starts on it from then on.
    pub start_by: Timestamp,
    /// Where it is in its life.
    pub state: LeaseState,
    /// The digest of the terms by which its receipts are charged.
    pub terms: Digest,
    /// What settled receipts took of it.
    pub used: Amounts,
    /// The UTC day that it belongs to.
    pub window: Window,
}

impl Lease {
    /// The currency of its money.
    #[must_use]
    pub const fn currency(&self) -> Currency {
        self.granted.money.currency
    }

    /// What is left of it. Settling never takes more than it holds, so no coordinate is negative.
    ///
    /// # Errors
    /// [`Code::MoneyOverflow`] for a record that was changed by something else.
    pub fn left(&self) -> Result<Amounts, Refusal> {
        self.granted.less(&self.used)
    }

    /// Whether a call may start on it now, on this run of the host.
    ///
    /// # Errors
    /// [`Code::LeaseStart`] with the reason.
    pub fn may_start(&self, boot: BootId, at: Timestamp) -> Result<(), Refusal> {
        let reason = if self.state != LeaseState::Open {
            format!("the lease is {}", self.state)
        } else if boot != self.boot {
            "the host was started again since the lease was given".to_owned()
        } else if at >= self.start_by {
            format!("calls were to start before {}", self.start_by)
        } else {
            return Ok(());
        };
        Err(Refusal::new(Code::LeaseStart, "start", reason))
    }

    /// Whether the server should ask for it back: its time to start calls is over, or nothing of it was
    /// settled for so long. `touched` is when it was given or a receipt of it was settled.
    #[must_use]
    pub fn is_idle(&self, touched: Timestamp, at: Timestamp, idle_after: Millis) -> bool {
        self.state == LeaseState::Open
            && (at >= self.start_by || at.since(touched).0 >= idle_after.0)
    }
}
