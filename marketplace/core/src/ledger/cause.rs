//! Why a posting exists. One cause has one posting: its text is the key that makes posting idempotent.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use soma_policy::{EntryId, InstallationKey, JournalId, LeaseId, OrgId, PayoutId};

use crate::budget::Window;

/// A receipt's place: settled once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReceiptKey {
    /// The journal that holds it.
    pub journal: JournalId,
    /// Its sequence number there.
    #[serde(with = "soma_policy::decimal")]
    pub seq: u64,
}

impl fmt::Display for ReceiptKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.journal, self.seq)
    }
}

/// Which movement of a payout.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PayoutStep {
    /// Available → held, when it is requested.
    Hold,
    /// Held → paid, when it is settled.
    Pay,
    /// Held → available, when it failed.
    Return,
}

impl PayoutStep {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Hold => "hold",
            Self::Pay => "pay",
            Self::Return => "return",
        }
    }
}

/// Why a posting exists.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Cause {
    /// A settled receipt.
    Receipt(ReceiptKey),
    /// A lease was given: tenant → lease.
    Lease(LeaseId),
    /// A slice of a lease came back before its end, by number.
    Slice(LeaseId, u32),
    /// What was left of a lease at its end.
    Residue(LeaseId),
    /// The flat fee of an offer for one window.
    Fee(InstallationKey, Window),
    /// A top-up, credit or adjustment.
    Entry(EntryId),
    /// A refund or chargeback.
    Refund(EntryId),
    /// The earnings of an author from one UTC day became available.
    Maturity(OrgId, Window),
    /// A movement of a payout.
    Payout(PayoutId, PayoutStep),
}

/// Why a text is no cause.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not the cause of a posting such as receipt:JOURNAL:SEQ")]
pub struct CauseError(String);

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Receipt(key) => write!(f, "receipt:{key}"),
            Self::Lease(lease) => write!(f, "lease:{lease}"),
            Self::Slice(lease, n) => write!(f, "slice:{lease}:{n}"),
            Self::Residue(lease) => write!(f, "residue:{lease}"),
            Self::Fee(key, window) => write!(f, "fee:{key}:{window}"),
            Self::Entry(id) => write!(f, "entry:{id}"),
            Self::Refund(id) => write!(f, "refund:{id}"),
            Self::Maturity(org, window) => write!(f, "maturity:{org}:{window}"),
            Self::Payout(id, step) => write!(f, "payout:{id}:{}", step.as_str()),
        }
    }
}

impl FromStr for Cause {
    type Err = CauseError;
    fn from_str(text: &str) -> Result<Self, CauseError> {
        let found = read(text).filter(|cause| cause.to_string() == text);
        found
            .ok_or_else(|| CauseError(text.chars().filter(|c| !c.is_control()).take(120).collect()))
    }
}

fn read(text: &str) -> Option<Cause> {
    let (kind, rest) = text.split_once(':')?;
    let pair = || rest.split_once(':');
    Some(match kind {
        "receipt" => {
            let (journal, seq) = pair()?;
            let (journal, seq) = (journal.parse().ok()?, seq.parse().ok()?);
            Cause::Receipt(ReceiptKey { journal, seq })
        }
        "lease" => Cause::Lease(rest.parse().ok()?),
        "slice" => {
            let (lease, n) = pair()?;
            Cause::Slice(lease.parse().ok()?, n.parse().ok()?)
        }
        "residue" => Cause::Residue(rest.parse().ok()?),
        "fee" => {
            let (key, window) = pair()?;
            Cause::Fee(key.parse().ok()?, window.parse().ok()?)
        }
        "entry" => Cause::Entry(rest.parse().ok()?),
        "refund" => Cause::Refund(rest.parse().ok()?),
        "maturity" => {
            let (org, window) = pair()?;
            Cause::Maturity(org.parse().ok()?, window.parse().ok()?)
        }
        "payout" => {
            let (id, step) = pair()?;
            let steps = [PayoutStep::Hold, PayoutStep::Pay, PayoutStep::Return];
            let step = steps.into_iter().find(|known| known.as_str() == step)?;
            Cause::Payout(id.parse().ok()?, step)
        }
        _ => return None,
    })
}

impl TryFrom<String> for Cause {
    type Error = CauseError;
    fn try_from(text: String) -> Result<Self, CauseError> {
        text.parse()
    }
}

impl From<Cause> for String {
    fn from(cause: Cause) -> Self {
        cause.to_string()
    }
}
