//! The manifest: what an author says of a capsule. Written as `capsule.toml`, carried inside the
//! component as canonical JSON.
//!
//! This room reads, bounds and writes it. The capability tables are types of soma-policy; whether
//! the manifest agrees with the component is judged in `check`.

mod error;
mod file;
mod locate;
mod rules;
mod schema;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use semver::Version;
use serde::{Deserialize, Serialize};
use soma_policy::{
    CapsuleFacts, CapsuleName, Declarations, Digest, Fingerprint, FunctionName, LimitsAsk, Money,
};

pub use error::ManifestError;
pub use file::{Build, CapsuleFile};
pub use locate::locate;
pub use schema::json_schema;

use crate::component::Analysis;

/// The version of the manifest format that this crate reads and writes.
pub const SCHEMA: u32 = 1;

/// What an author says of a capsule, without the `[build]` table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Version of the format.
    pub schema: u32,
    /// `publisher/name`.
    pub name: CapsuleName,
    /// The release.
    pub version: Version,
    /// What it is for.
    pub kind: Kind,
    /// One line for people.
    pub summary: String,
    /// An SPDX expression.
    pub licence: String,
    /// Words for people and tools about exported functions.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub functions: BTreeMap<FunctionName, FunctionWords>,
    /// What it asks for.
    #[serde(default)]
    pub capabilities: Declarations,
    /// The limits it asks for; the operator decides.
    #[serde(default)]
    pub limits: LimitsAsk,
    /// What a call costs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price: Option<Price>,
    /// A call without side effects that tells whether it works.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health: Option<Health>,
}

/// What a capsule is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Turns input into output.
    Task,
    /// Reaches something outside.
    Tool,
    /// Plans steps for others to take.
    Planner,
    /// Judges what others do.
    Governance,
    /// Speaks in a voice.
    Persona,
    /// Answers web requests.
    Http,
}

impl std::fmt::Display for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Task => "task",
            Self::Tool => "tool",
            Self::Planner => "planner",
            Self::Governance => "governance",
            Self::Persona => "persona",
            Self::Http => "http",
        })
    }
}

/// Words about one exported function. Its types come from WIT.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FunctionWords {
    /// What it does.
    pub summary: String,
    /// What each parameter means.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub inputs: BTreeMap<String, String>,
    /// What comes back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<String>,
}

/// What the author asks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Price {
    /// For each call, in exact decimal text with a currency.
    pub per_call: Money,
}

/// A call that tells whether the capsule works.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Health {
    /// The function to call. It must have no side effects.
    pub function: FunctionName,
    /// Its arguments.
    #[serde(default, skip_serializing_if = "serde_json::Map::is_empty")]
    pub args: serde_json::Map<String, serde_json::Value>,
    /// The result that means "well"; any, if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expect: Option<serde_json::Value>,
}

impl Manifest {
    /// The bytes that are embedded: RFC 8785 JSON.
    ///
    /// # Errors
    /// When a value has no canonical form: a number with a fraction in `[health]`.
    pub fn to_canonical(&self) -> Result<Vec<u8>, ManifestError> {
        // By way of a JSON value, so that the numbers of `[health]` stay numbers.
        let value = serde_json::to_value(self).map_err(|error| ManifestError::json(&error))?;
        soma_policy::canonical::value_to_vec(&value)
            .map_err(|error| ManifestError::canonical(&error))
    }

    /// Reads embedded bytes. They must be exactly what [`Manifest::to_canonical`] writes, so that
    /// no two files say the same in different ways.
    ///
    /// # Errors
    /// When they are not JSON of this format, break a rule, or are in another form.
    pub fn from_canonical(bytes: &[u8]) -> Result<Self, ManifestError> {
        file::refuse_newer_json(bytes)?;
        let manifest: Self =
            serde_json::from_slice(bytes).map_err(|error| ManifestError::json(&error))?;
        rules::check(&manifest).map_err(|broken| broken.without_file())?;
        if manifest.to_canonical()? != bytes {
            return Err(ManifestError::not_canonical());
        }
        Ok(manifest)
    }

    /// What policy needs to know of a capsule with this manifest.
    #[must_use]
    pub fn facts(&self, digest: Digest, signer: Fingerprint, analysis: &Analysis) -> CapsuleFacts {
        CapsuleFacts {
            name: self.name.clone(),
            version: self.version.clone(),
            digest,
            declarations: self.capabilities.clone(),
            limits_asked: self.limits,
            price: self.price.as_ref().map(|price| price.per_call),
            signer,
            imports: analysis.imports.iter().map(|import| import.name.clone()).collect(),
        }
    }
}

#[cfg(test)]
mod tests;
