//! The published JSON Schema of capsule.toml, for editors. Made from the types that parse it.

use schemars::generate::SchemaSettings;
use serde_json::Value;

use super::file::Raw;

/// The JSON Schema of capsule.toml. docs/reference/capsule.schema.json holds the same, kept so by
/// a test.
#[must_use]
pub fn json_schema() -> Value {
    SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<Raw>().to_value()
}
