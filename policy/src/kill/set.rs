//! What stands now, indexed: asked at each start, allocating nothing.

use std::collections::HashMap;

use semver::Version;

use super::KillScope;
use crate::capability::CapabilityKind;
use crate::id::{
    CapsuleName, Digest, Fingerprint, InstallationKey, OrderId, OrgId, PublisherName, RegionId,
};
use crate::pattern::VersionRange;

/// What may be stopped: one installation as it would run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KillSubject {
    /// What it was granted.
    pub capabilities: Vec<CapabilityKind>,
    /// Its capsule.
    pub capsule: CapsuleName,
    /// Its component.
    pub digest: Digest,
    /// Where it is installed.
    pub installation: InstallationKey,
    /// Where the host is.
    pub region: Option<RegionId>,
    /// Whose key signed it.
    pub signer: Fingerprint,
    /// Capsules that it may call as tools.
    pub tools: Vec<CapsuleName>,
    /// Its version.
    pub version: Version,
}

/// The orders that stand at one moment.
#[derive(Debug, Clone, Default)]
pub struct KillSet {
    everything: Option<OrderId>,
    digests: HashMap<Digest, OrderId>,
    capsules: HashMap<CapsuleName, Vec<(Option<VersionRange>, OrderId)>>,
    publishers: HashMap<PublisherName, OrderId>,
    signers: HashMap<Fingerprint, OrderId>,
    capabilities: HashMap<CapabilityKind, OrderId>,
    tools: HashMap<CapsuleName, OrderId>,
    tenants: HashMap<OrgId, OrderId>,
    installations: HashMap<InstallationKey, OrderId>,
    regions: HashMap<RegionId, OrderId>,
    count: usize,
}

impl KillSet {
    /// A set of these orders.
    #[must_use]
    pub fn of<'a>(orders: impl IntoIterator<Item = (&'a KillScope, OrderId)>) -> Self {
        let mut set = Self::default();
        for (scope, order) in orders {
            set.add(scope, order);
        }
        set
    }

    fn add(&mut self, scope: &KillScope, order: OrderId) {
        self.count += 1;
        match scope.clone() {
            KillScope::Everything => self.everything = Some(order),
            KillScope::Digest(digest) => drop(self.digests.insert(digest, order)),
            KillScope::Capsule(name, range) => {
                self.capsules.entry(name).or_default().push((range, order))
            }
            KillScope::Publisher(name) => drop(self.publishers.insert(name, order)),
            KillScope::Signer(key) => drop(self.signers.insert(key, order)),
            KillScope::Capability(kind) => drop(self.capabilities.insert(kind, order)),
            KillScope::Tool(name) => drop(self.tools.insert(name, order)),
            KillScope::Tenant(org) => drop(self.tenants.insert(org, order)),
            KillScope::Installation(key) => drop(self.installations.insert(key, order)),
            KillScope::Region(region) => drop(self.regions.insert(region, order)),
        }
    }

    /// How many orders stand.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.count
    }

    /// Whether none stands.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The order that stops this subject, if one does.
    #[must_use]
    pub fn judge(&self, subject: &KillSubject) -> Option<OrderId> {
        if self.is_empty() {
            return None;
        }
        self.everything
            .or_else(|| self.digests.get(&subject.digest).copied())
            .or_else(|| self.installations.get(&subject.installation).copied())
            .or_else(|| self.tenants.get(&subject.installation.org).copied())
            .or_else(|| self.publishers.get(&subject.capsule.publisher).copied())
            .or_else(|| self.signers.get(&subject.signer).copied())
            .or_else(|| self.capsule(subject))
            .or_else(|| self.tool(subject))
            .or_else(|| {
                subject.capabilities.iter().find_map(|kind| self.capabilities.get(kind)).copied()
            })
            .or_else(|| {
                subject.region.as_ref().and_then(|region| self.regions.get(region)).copied()
            })
    }

    fn capsule(&self, subject: &KillSubject) -> Option<OrderId> {
        let hits = |range: &Option<VersionRange>| {
            range.as_ref().is_none_or(|r| r.allows(&subject.version))
        };
        let orders = self.capsules.get(&subject.capsule)?;
        orders.iter().find(|(range, _)| hits(range)).map(|(_, order)| *order)
    }

    fn tool(&self, subject: &KillSubject) -> Option<OrderId> {
        let own = self.tools.get(&subject.capsule);
        own.or_else(|| subject.tools.iter().find_map(|name| self.tools.get(name))).copied()
    }
}
