//! What a kill does to releases, names, publishers and installations, beyond stopping calls.
//!
//! A killed digest freezes its name and its publisher's automatic approvals; lifting the order does not end
//! that. A revision at its gate that is killed is given up. What is active stays where it is: the kill set alone
//! keeps it from running, so that a lift gives it back.

use semver::Version;
use soma_policy::{
    CapsuleName, Digest, Fingerprint, InstallationKey, KillScope, KillSet, KillSubject, OrderId,
    PublisherName,
};

/// A release with a digest bound to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Releasing {
    /// The component.
    pub digest: Digest,
    /// The capsule.
    pub name: CapsuleName,
    /// Whose key signed it.
    pub signer: Fingerprint,
    /// The version.
    pub version: Version,
}

/// An installation whose new revision is at its gate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Installing {
    /// The revision at the gate.
    pub revision: u64,
    /// How orders see it.
    pub subject: KillSubject,
}

/// Something to be done because an order stands.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Consequence {
    /// New releases of this name wait for an operator.
    FreezeName {
        /// The release that was killed.
        digest: Digest,
        /// Its name.
        name: CapsuleName,
        /// By which order.
        order: OrderId,
    },
    /// Releases of this publisher are no longer approved by themselves.
    FreezePublisher {
        /// By which order.
        order: OrderId,
        /// Which publisher.
        publisher: PublisherName,
    },
    /// A revision at its gate is given up.
    BackOut {
        /// Which installation.
        key: InstallationKey,
        /// By which order.
        order: OrderId,
        /// Which revision.
        revision: u64,
    },
}

/// Everything that follows from the orders that stand, sorted and without repetitions. Doing it twice does no more
/// than doing it once.
#[must_use]
pub fn consequences<'a>(
    standing: impl IntoIterator<Item = (&'a KillScope, OrderId)>,
    releases: &[Releasing],
    gated: &[Installing],
) -> Vec<Consequence> {
    let mut found = Vec::new();
    for (scope, order) in standing {
        for release in releases.iter().filter(|release| kills(scope, release)) {
            let (digest, name) = (release.digest, release.name.clone());
            let publisher = name.publisher.clone();
            found.push(Consequence::FreezeName { digest, name, order });
            found.push(Consequence::FreezePublisher { order, publisher });
        }
        let set = KillSet::of([(scope, order)]);
        for Installing { revision, subject } in gated {
            if set.judge(subject).is_some() {
                let (key, revision) = (subject.installation.clone(), *revision);
                found.push(Consequence::BackOut { key, order, revision });
            }
        }
    }
    found.sort();
    found.dedup();
    found
}

/// Whether an order is about this release itself, not about where it runs.
fn kills(scope: &KillScope, release: &Releasing) -> bool {
    match scope {
        KillScope::Digest(digest) => *digest == release.digest,
        KillScope::Capsule(name, range) => {
            *name == release.name
                && range.as_ref().is_none_or(|range| range.allows(&release.version))
        }
        KillScope::Tool(name) => *name == release.name,
        KillScope::Publisher(publisher) => *publisher == release.name.publisher,
        KillScope::Signer(signer) => *signer == release.signer,
        KillScope::Capability(_)
        | KillScope::Tenant(_)
        | KillScope::Installation(_)
        | KillScope::Region(_)
        | KillScope::Everything => false,
    }
}
