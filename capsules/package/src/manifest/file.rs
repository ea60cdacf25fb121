//! `capsule.toml` itself: the manifest and, for the author alone, how it is built.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use semver::Version;
use serde::Deserialize;
use soma_policy::{CapsuleName, Code, Declarations, FunctionName, LimitsAsk};

use super::{FunctionWords, Health, Kind, Manifest, ManifestError, Price, SCHEMA, locate, rules};
use crate::section::MANIFEST_BYTES_MAX;

/// What `capsule.toml` says: the manifest, and the table that is not embedded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CapsuleFile {
    /// What is embedded.
    pub manifest: Manifest,
    /// How the author builds it.
    pub build: Option<Build>,
}

/// How the author builds the component.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Build {
    /// The command, run in the folder of capsule.toml.
    pub command: String,
    /// The component that it writes, relative to that folder.
    pub component: String,
}

/// The file as it is written. Kept apart from [`Manifest`], so that nothing of `[build]` can be
/// embedded by mistake.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(
    rename = "capsule.toml",
    title = "capsule.toml",
    description = "What an author says of a capsule"
)]
#[serde(deny_unknown_fields)]
pub(super) struct Raw {
    /// Version of this format: 1.
    pub(super) schema: u32,
    /// Publisher and name: acme/csv.
    name: CapsuleName,
    /// The release, as a semantic version.
    #[schemars(with = "String")]
    version: Version,
    /// What it is for.
    kind: Kind,
    /// One line for people, at most 200 characters.
    summary: String,
    /// An SPDX expression such as Apache-2.0.
    licence: String,
    /// How the author builds it; not embedded.
    #[serde(default)]
    build: Option<Build>,
    /// Words about exported functions.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, FunctionWords>")]
    functions: BTreeMap<FunctionName, FunctionWords>,
    /// What it asks for.
    #[serde(default)]
    capabilities: Declarations,
    /// The limits it asks for.
    #[serde(default)]
    limits: LimitsAsk,
    /// What a call costs.
    #[serde(default)]
    price: Option<Price>,
    /// A call without side effects that tells whether it works.
    #[serde(default)]
    health: Option<Health>,
}

impl CapsuleFile {
    /// Reads `capsule.toml`.
    ///
    /// # Errors
    /// When it is not TOML, has unknown or missing keys, or a value breaks its rule. The error
    /// names the line and what to write instead.
    pub fn parse(text: &str) -> Result<Self, ManifestError> {
        if text.len() > MANIFEST_BYTES_MAX {
            let message = format!("the file has more than {MANIFEST_BYTES_MAX} bytes");
            return Err(ManifestError::new(Code::ManifestTooLarge, None, message));
        }
        refuse_newer_toml(text)?;
        let raw: Raw = toml::from_str(text).map_err(|error| ManifestError::toml(text, &error))?;
        let build = raw.build.clone();
        let manifest = raw.manifest();
        rules::check(&manifest).map_err(|broken| {
            let line = locate(text, &broken.path);
            ManifestError::new(broken.code, line, broken.message)
        })?;
        Ok(Self { manifest, build })
    }
}

impl Raw {
    fn manifest(self) -> Manifest {
        Manifest {
            schema: self.schema,
            name: self.name,
            version: self.version,
            kind: self.kind,
            summary: self.summary,
            licence: self.licence,
            functions: self.functions,
            capabilities: self.capabilities,
            limits: self.limits,
            price: self.price,
            health: self.health,
        }
    }
}

/// Looked at before anything else, so that an old soma says "update" instead of tripping over a
/// key that it cannot know.
fn refuse_newer_toml(text: &str) -> Result<(), ManifestError> {
    let document: toml::Table =
        toml::from_str(text).map_err(|error| ManifestError::syntax(text, &error))?;
    let schema = document.get("schema").and_then(toml::Value::as_integer);
    refuse_newer(schema, || locate(text, &["schema"]))
}

pub(super) fn refuse_newer_json(bytes: &[u8]) -> Result<(), ManifestError> {
    #[derive(Deserialize)]
    struct Schema {
        schema: i64,
    }
    let schema: Result<Schema, _> = serde_json::from_slice(bytes);
    refuse_newer(schema.ok().map(|found| found.schema), || None)
}

fn refuse_newer(
    schema: Option<i64>,
    line: impl FnOnce() -> Option<usize>,
) -> Result<(), ManifestError> {
    match schema {
        Some(found) if found != i64::from(SCHEMA) => {
            let message = format!(
                "schema {found} is not known; this soma, {}, reads schema {SCHEMA}",
                env!("CARGO_PKG_VERSION")
            );
            Err(ManifestError::new(Code::ManifestSchema, line(), message))
        }
        _ => Ok(()),
    }
}
