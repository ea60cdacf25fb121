//! Installations: the file that a tenant writes, and what it compiles to.
//!
//! `Installation::compile` is the only constructor. It refuses what is wider than declared, lacks something
//! required or asks for more than the operator allows; what it returns needs no further checking per call.

mod compile;
mod narrow;
mod right;
mod rights;
mod spec;

use std::collections::BTreeMap;
use std::sync::Arc;

use schemars::JsonSchema;
use semver::Version;

pub use right::{
    BudgetRight, ClocksRight, ConfigRight, EmitRight, FilesRight, HttpRight, KvRight, LoggingRight,
    RandomRight, Right, SecretRight, ServeRight, ToolRight,
};
pub use rights::{InterfaceState, Rights};
pub use spec::{Budget, InstallationSpec, OfferSpec, OnUpdate};

use crate::amount::Money;
use crate::canonical;
use crate::capability::{ConfigKey, Declarations};
use crate::id::{CapsuleName, Digest, Fingerprint, InstallationKey};
use crate::kill::KillSubject;
use crate::limits::{Limits, LimitsAsk};

/// What policy needs to know of a verified capsule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CapsuleFacts {
    /// Its full name.
    pub name: CapsuleName,
    /// Its version.
    pub version: Version,
    /// Its content.
    pub digest: Digest,
    /// What it may ask for.
    pub declarations: Declarations,
    /// The limits that its manifest asks for.
    pub limits_asked: LimitsAsk,
    /// What its author takes per call.
    pub price: Option<Money>,
    /// Whose key signed it.
    pub signer: Fingerprint,
    /// The interfaces that it imports.
    pub imports: Vec<String>,
}

impl CapsuleFacts {
    /// The hash of the offer: of the canonical `[price]` table.
    #[must_use]
    pub fn offer(&self) -> Digest {
        #[derive(serde::Serialize, JsonSchema)]
        struct Price {
            #[serde(skip_serializing_if = "Option::is_none")]
            per_call: Option<Money>,
        }
        // INVARIANT: a table of one optional string has a canonical form.
        canonical::digest(&Price { per_call: self.price }).unwrap_or(Digest::ZERO)
    }
}

/// One revision of an installation, ready to be called.
#[derive(Debug)]
pub struct Installation {
    /// Its address.
    pub key: InstallationKey,
    /// Rises with each change.
    pub revision: u64,
    /// What is installed.
    pub capsule: CapsuleName,
    /// In which version.
    pub version: Version,
    /// By content.
    pub digest: Digest,
    /// Whose key signed it.
    pub signer: Fingerprint,
    /// What one call may use.
    pub limits: Limits,
    /// Configuration values.
    pub config: BTreeMap<ConfigKey, String>,
    /// What it may spend; none for an installation that may not spend.
    pub budget: Option<Budget>,
    /// What its author takes per call.
    pub price: Option<Money>,
    /// The hash of the offer that it is settled by.
    pub offer: Digest,
    /// The hash of its grants.
    pub grants_hash: Digest,
    /// Whether updates ask.
    pub on_update: OnUpdate,
    rights: Rights,
    kill_subject: KillSubject,
    entities: Arc<crate::cedar::Subject>,
}

impl Installation {
    /// Its address.
    #[must_use]
    pub const fn key(&self) -> &InstallationKey {
        &self.key
    }

    /// What it may do.
    #[must_use]
    pub const fn rights(&self) -> &Rights {
        &self.rights
    }

    /// How kill orders see it.
    #[must_use]
    pub const fn kill_subject(&self) -> &KillSubject {
        &self.kill_subject
    }

    /// How the operator's policy sees it.
    pub(crate) const fn subject(&self) -> &Arc<crate::cedar::Subject> {
        &self.entities
    }
}

#[cfg(test)]
mod tests;
