//! The operator's policy: a Cedar bundle, the ceiling of limits and the map of peers, judged as one document.
//!
//! Default deny, forbid wins, and a policy that errors denies. A bundle is loaded whole or not at all. Texts
//! come in as values; reading the folder, watching and swapping it are the host's. See `cedar/load.rs` for
//! what is refused, `cedar/judge.rs` for the questions, `cedar/asked.rs` for when a host call is asked about.

mod asked;
mod cache;
mod judge;
mod load;
mod peers;
mod subject;

use std::collections::BTreeMap;

use cedar_policy::{PolicySet, Schema};

pub use load::{PolicyError, PolicySources, PolicyText};
pub use peers::{Peer, PeerMap};
pub(crate) use subject::Subject;

use crate::id::{Digest, RegionId};
use crate::limits::Limits;
use crate::request::HostAction;
use asked::Asked;
use cache::Cache;

/// The vocabulary of policies.
pub const POLICY_SCHEMA: &str = include_str!("../schema.cedarschema");
/// The policy that a new home gets: ordinary installations run under it.
pub const STARTER_POLICY: &str = include_str!("../starter.cedar");
/// The ceiling of limits that a new home gets.
pub const STARTER_LIMITS: &str = include_str!("../starter-limits.toml");

/// A loaded policy bundle.
#[derive(Debug)]
pub struct OperatorPolicy {
    hash: Digest,
    schema: Schema,
    call: PolicySet,
    host: BTreeMap<HostAction, PolicySet>,
    asked: Asked,
    notes: BTreeMap<String, Note>,
    ceiling: Limits,
    peers: PeerMap,
    region: Option<RegionId>,
    cache: Cache,
}

/// What people are told about a policy.
#[derive(Debug, Clone)]
struct Note {
    file: String,
    reason: String,
}

impl OperatorPolicy {
    /// The hash of the whole bundle: policies, limits, peers with their anchors, and the schema.
    #[must_use]
    pub const fn hash(&self) -> Digest {
        self.hash
    }

    /// The most that one call may use.
    #[must_use]
    pub const fn ceiling(&self) -> &Limits {
        &self.ceiling
    }

    /// Origins whose address the operator gives.
    #[must_use]
    pub const fn peers(&self) -> &PeerMap {
        &self.peers
    }

    /// Where this host is.
    #[must_use]
    pub const fn region(&self) -> Option<&RegionId> {
        self.region.as_ref()
    }

    /// Whether host calls of this action have to be judged one by one. They need not be where an
    /// unconditional permit holds and no forbid applies: the answer is then yes for every parameter.
    #[must_use]
    pub const fn mentions(&self, action: HostAction) -> bool {
        self.asked.has(action)
    }
}

#[cfg(test)]
mod tests;
