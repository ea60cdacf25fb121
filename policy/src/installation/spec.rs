//! The installation file as a type. Unknown keys do not parse; nothing is inherited or implied.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::amount::{Money, Period};
use crate::capability::ConfigKey;
use crate::grant::Grants;
use crate::id::{CapsuleName, Digest, EnvironmentId, OrgId};
use crate::limits::LimitsAsk;
use crate::pattern::VersionRange;

/// Whether a new version may come by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OnUpdate {
    /// Every update asks.
    #[default]
    Ask,
    /// An update that asks for no more than before may come by itself.
    NarrowerOrEqual,
}

/// `[budget]`: what the installation may spend.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Budget {
    /// Calls at one time.
    pub concurrent_calls: u32,
    /// How much per period.
    pub limit: Money,
    /// The period.
    pub per: Period,
}

/// `[offer]`: the price that the tenant accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OfferSpec {
    /// The hash of the capsule's price.
    pub digest: Digest,
}

/// The installation file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct InstallationSpec {
    /// The version of this format: 1.
    pub schema: u32,
    /// The organisation that owns it.
    pub tenant: OrgId,
    /// The environment that it belongs to.
    pub environment: EnvironmentId,
    /// What is installed.
    pub capsule: CapsuleName,
    /// Which versions updates may bring.
    pub version: VersionRange,
    /// What runs.
    pub digest: Digest,
    /// Whether updates ask.
    #[serde(default)]
    pub on_update: OnUpdate,
    /// What it may do.
    #[serde(default)]
    pub grants: Grants,
    /// What it may spend.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget: Option<Budget>,
    /// Configuration values.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub config: BTreeMap<ConfigKey, String>,
    /// Limits other than the manifest's.
    #[serde(default, skip_serializing_if = "is_empty")]
    pub limits: LimitsAsk,
    /// The price that the tenant accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offer: Option<OfferSpec>,
}

fn is_empty(ask: &LimitsAsk) -> bool {
    *ask == LimitsAsk::default()
}

impl InstallationSpec {
    /// The version of the format that this crate reads.
    pub const SCHEMA: u32 = 1;
}
