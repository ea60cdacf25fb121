//! Checking a bundle when it is loaded: syntax, `@id` and `@reason`, strict validation. Any warning refuses.

use std::collections::BTreeSet;
use std::str::FromStr;

use cedar_policy::{Policy, PolicyId, PolicySet, Schema, ValidationMode, Validator};

use super::POLICY_SCHEMA;
use crate::code::Code;
use crate::suggest::explain_serde;

/// Policies of one bundle at most: evaluation costs time in proportion.
const POLICIES_MAX: usize = 512;
/// Text of one file at most, in bytes.
const FILE_BYTES_MAX: usize = 256 * 1024;

/// One fault of a policy folder.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}: {message}")]
pub struct PolicyError {
    /// The code that `soma explain` knows.
    pub code: Code,
    /// The file.
    pub file: String,
    /// What is wrong, and where.
    pub message: String,
}

impl PolicyError {
    pub(super) fn new(code: Code, file: &str, message: impl Into<String>) -> Self {
        Self { code, file: file.to_owned(), message: message.into() }
    }

    pub(super) fn toml(file: &str, text: &str, error: &toml::de::Error) -> Self {
        let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        Self::new(Code::PolicySyntax, file, format!("line {line}: {}", explain_serde(error.message())))
    }
}

/// A bundle that passed.
pub(super) struct Checked {
    pub(super) policies: PolicySet,
    pub(super) schema: Schema,
}

/// Parses and validates all files together.
pub(super) fn policies(files: &[(String, String)]) -> Result<Checked, Vec<PolicyError>> {
    let schema = schema().map_err(|fault| vec![fault])?;
    let mut faults = Vec::new();
    let mut named = Vec::new();
    let mut seen = BTreeSet::new();
    for (file, text) in files {
        match read(file, text) {
            Err(fault) => faults.push(fault),
            Ok(policies) => {
                for policy in policies {
                    match name(file, &policy, &mut seen) {
                        Ok(policy) => named.push(policy),
                        Err(fault) => faults.push(fault),
                    }
                }
            }
        }
    }
    if named.len() > POLICIES_MAX {
        faults.push(PolicyError::new(Code::PolicyTooLarge, "policy/", format!("more than {POLICIES_MAX} policies")));
    }
    if !faults.is_empty() {
        return Err(faults);
    }
    let set = PolicySet::from_policies(named);
    let policies = set.map_err(|error| vec![PolicyError::new(Code::PolicyDuplicate, "policy/", error.to_string())])?;
    validate(&policies, &schema)?;
    Ok(Checked { policies, schema })
}

fn schema() -> Result<Schema, PolicyError> {
    let parsed = Schema::from_cedarschema_str(POLICY_SCHEMA);
    let (schema, mut warnings) = parsed.map_err(|error| PolicyError::new(Code::PolicyInvalid, "schema.cedarschema", error.to_string()))?;
    match warnings.next() {
        None => Ok(schema),
        Some(warning) => Err(PolicyError::new(Code::PolicyInvalid, "schema.cedarschema", warning.to_string())),
    }
}

fn read(file: &str, text: &str) -> Result<Vec<Policy>, PolicyError> {
    if text.len() > FILE_BYTES_MAX {
        return Err(PolicyError::new(Code::PolicyTooLarge, file, format!("more than {FILE_BYTES_MAX} bytes")));
    }
    let set = PolicySet::from_str(text).map_err(|error| PolicyError::new(Code::PolicySyntax, file, error.to_string()))?;
    if set.templates().next().is_some() {
        return Err(PolicyError::new(Code::PolicyTemplate, file, "templates are not linked here; write a policy"));
    }
    Ok(set.policies().cloned().collect())
}

fn name(file: &str, policy: &Policy, seen: &mut BTreeSet<String>) -> Result<Policy, PolicyError> {
    let annotation = |key: &str| policy.annotation(key).filter(|text| !text.trim().is_empty());
    let Some(id) = annotation("id") else {
        return Err(PolicyError::new(Code::PolicyNoId, file, format!("a policy has no @id(\"…\"):\n{policy}")));
    };
    if annotation("reason").is_none() {
        return Err(PolicyError::new(Code::PolicyNoReason, file, format!("the policy `{id}` has no @reason(\"…\")")));
    }
    if !seen.insert(id.to_owned()) {
        return Err(PolicyError::new(Code::PolicyDuplicate, file, format!("the @id `{id}` occurs twice")));
    }
    Ok(policy.new_id(PolicyId::new(id)))
}

fn validate(policies: &PolicySet, schema: &Schema) -> Result<(), Vec<PolicyError>> {
    let result = Validator::new(schema.clone()).validate(policies, ValidationMode::Strict);
    let errors = result.validation_errors().map(|error| PolicyError::new(Code::PolicyInvalid, "policy/", error.to_string()));
    let warnings = result.validation_warnings().map(|warning| PolicyError::new(Code::PolicyInvalid, "policy/", warning.to_string()));
    let faults: Vec<_> = errors.chain(warnings).collect();
    if faults.is_empty() { Ok(()) } else { Err(faults) }
}
