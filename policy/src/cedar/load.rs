//! From texts to a bundle, or to every reason why not. Nothing is taken that is not understood whole.

use std::collections::BTreeMap;
use std::fmt;

use cedar_policy::{Policy, PolicyId, PolicySet, Schema, ValidationMode, Validator};
use serde::Serialize;

use super::asked::{self, Asked};
use super::cache::Cache;
use super::peers::{PeerMap, toml_error};
use super::{Note, OperatorPolicy, POLICY_SCHEMA};
use crate::canonical;
use crate::code::Code;
use crate::id::{Digest, RegionId};
use crate::limits::{Limits, LimitsAsk};
use crate::request::HostAction;

const BYTES_MAX: usize = 1 << 20;
const POLICIES_MAX: usize = 1000;
const LIMITS_FILE: &str = "limits.toml";
const PEERS_FILE: &str = "peers.toml";

/// One `*.cedar` file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PolicyText {
    /// Its name below `policy/`.
    pub name: String,
    /// Its content.
    pub text: String,
}

/// The operator's folder `policy/` as values.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct PolicySources {
    /// The PEM files beside `peers.toml`, by name.
    pub anchors: BTreeMap<String, String>,
    /// `limits.toml`, if it is there.
    pub limits: Option<String>,
    /// `peers.toml`, if it is there.
    pub peers: Option<String>,
    /// The `*.cedar` files.
    pub policies: Vec<PolicyText>,
    /// Where this host is.
    pub region: Option<RegionId>,
}

impl PolicySources {
    /// What a new home gets.
    #[must_use]
    pub fn starter() -> Self {
        let policy =
            PolicyText { name: "starter.cedar".to_owned(), text: super::STARTER_POLICY.to_owned() };
        Self {
            limits: Some(super::STARTER_LIMITS.to_owned()),
            policies: vec![policy],
            ..Self::default()
        }
    }
}

/// One reason why a bundle is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct PolicyError {
    /// Its code.
    pub code: Code,
    /// The file below `policy/`.
    pub file: String,
    /// The line, where it is known.
    pub line: Option<usize>,
    /// What is wrong, and what would be right.
    pub message: String,
}

impl fmt::Display for PolicyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} policy/{}", self.code, self.file)?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        write!(f, " {}", self.message)
    }
}

fn error(code: Code, file: &str, line: Option<usize>, message: impl Into<String>) -> PolicyError {
    PolicyError { code, file: file.to_owned(), line, message: message.into() }
}

impl OperatorPolicy {
    /// Loads a bundle.
    ///
    /// # Errors
    /// Everything that is wrong with it. A warning of the validator counts as wrong.
    pub fn load(sources: &PolicySources) -> Result<Self, Vec<PolicyError>> {
        let mut errors = Vec::new();
        let bytes: usize = sources.policies.iter().map(|file| file.text.len()).sum();
        if bytes > BYTES_MAX {
            return Err(vec![error(
                Code::PolicyTooLarge,
                "",
                None,
                format!("the bundle has {bytes} bytes"),
            )]);
        }
        let (policies, notes) = read_all(&sources.policies, &mut errors);
        let ceiling = read_ceiling(sources, &mut errors);
        let peers = read_peers(sources, &mut errors);
        let schema = read_schema(&mut errors);
        let (Some(schema), true) = (schema, errors.is_empty()) else { return Err(errors) };
        let all = set_of(policies.iter(), &mut errors);
        validate(&schema, &all, &notes, &mut errors);
        if errors.is_empty()
            && !policies.iter().any(|policy| policy.effect() == cedar_policy::Effect::Permit)
        {
            errors.push(error(Code::PolicyEmpty, "", None, "no policy permits anything"));
        }
        let slice = |action: &str, errors: &mut Vec<PolicyError>| {
            set_of(policies.iter().filter(|policy| asked::concerns(policy, action)), errors)
        };
        let call = slice("call", &mut errors);
        let host =
            HostAction::ALL.map(|action| (action, slice(action.as_str(), &mut errors))).into();
        if !errors.is_empty() {
            return Err(errors);
        }
        let asked = Asked::by(&policies);
        // INVARIANT: the sources hold strings only, which have a canonical form.
        let hash = canonical::digest(&(sources, POLICY_SCHEMA)).unwrap_or(Digest::ZERO);
        let region = sources.region.clone();
        Ok(Self {
            hash,
            schema,
            call,
            host,
            asked,
            notes,
            ceiling,
            peers,
            region,
            cache: Cache::default(),
        })
    }
}

fn read_schema(errors: &mut Vec<PolicyError>) -> Option<Schema> {
    match Schema::from_cedarschema_str(POLICY_SCHEMA) {
        Ok((schema, _)) => Some(schema),
        Err(cause) => {
            errors.push(error(Code::PolicyInvalid, "schema.cedarschema", None, cause.to_string()));
            None
        }
    }
}

fn read_ceiling(sources: &PolicySources, errors: &mut Vec<PolicyError>) -> Limits {
    let Some(text) = &sources.limits else { return Limits::DEFAULT };
    match toml::from_str::<LimitsAsk>(text) {
        Ok(ask) => Limits::DEFAULT.with(&ask),
        Err(cause) => {
            let (line, message) = toml_error(text, &cause);
            errors.push(error(Code::PolicyLimits, LIMITS_FILE, line, message));
            Limits::DEFAULT
        }
    }
}

fn read_peers(sources: &PolicySources, errors: &mut Vec<PolicyError>) -> PeerMap {
    let Some(text) = &sources.peers else { return PeerMap::default() };
    PeerMap::parse(text, &sources.anchors).unwrap_or_else(|(line, message)| {
        errors.push(error(Code::PolicyPeers, PEERS_FILE, line, message));
        PeerMap::default()
    })
}

/// Every policy under its `@id`, with its file and `@reason`.
fn read_all(
    files: &[PolicyText],
    errors: &mut Vec<PolicyError>,
) -> (Vec<Policy>, BTreeMap<String, Note>) {
    let (mut policies, mut notes) = (Vec::new(), BTreeMap::new());
    for file in files {
        let set: PolicySet = match file.text.parse() {
            Ok(set) => set,
            Err(cause) => {
                errors.push(syntax(file, &cause));
                continue;
            }
        };
        if set.templates().next().is_some() {
            errors.push(error(
                Code::PolicyTemplate,
                &file.name,
                None,
                "templates are not used: name principal and resource",
            ));
        }
        for policy in set.policies() {
            match annotated(policy, &file.name) {
                Err(cause) => errors.push(cause),
                Ok((id, note)) => {
                    if notes.insert(id.clone(), note).is_some() {
                        errors.push(error(
                            Code::PolicyDuplicate,
                            &file.name,
                            None,
                            format!("@id(\"{id}\") is used twice"),
                        ));
                    }
                    policies.push(policy.new_id(PolicyId::new(id)));
                }
            }
        }
    }
    if policies.len() > POLICIES_MAX {
        errors.push(error(
            Code::PolicyTooLarge,
            "",
            None,
            format!("the bundle has {} policies", policies.len()),
        ));
    }
    (policies, notes)
}

fn syntax(file: &PolicyText, cause: &cedar_policy::ParseErrors) -> PolicyError {
    let offset = miette::Diagnostic::labels(cause)
        .and_then(|mut labels| labels.next())
        .map(|label| label.offset());
    let before = offset.and_then(|offset| file.text.get(..offset));
    let line = before.map(|before| before.matches('\n').count() + 1);
    error(Code::PolicySyntax, &file.name, line, cause.to_string())
}

fn annotated(policy: &Policy, file: &str) -> Result<(String, Note), PolicyError> {
    let given = |key: &str| policy.annotation(key).map(str::trim).filter(|text| !text.is_empty());
    let Some(id) = given("id") else {
        let start = policy.to_cedar().unwrap_or_default().chars().take(60).collect::<String>();
        return Err(error(
            Code::PolicyNoId,
            file,
            None,
            format!("write @id(\"a-name\") before `{}`", start.trim()),
        ));
    };
    let Some(reason) = given("reason") else {
        return Err(error(
            Code::PolicyNoReason,
            file,
            None,
            format!("write @reason(\"why\") under @id(\"{id}\")"),
        ));
    };
    Ok((id.to_owned(), Note { file: file.to_owned(), reason: reason.to_owned() }))
}

fn set_of<'a>(
    policies: impl Iterator<Item = &'a Policy>,
    errors: &mut Vec<PolicyError>,
) -> PolicySet {
    let mut set = PolicySet::new();
    for policy in policies {
        if let Err(cause) = set.add(policy.clone()) {
            errors.push(error(Code::PolicyDuplicate, "", None, cause.to_string()));
        }
    }
    set
}

fn validate(
    schema: &Schema,
    policies: &PolicySet,
    notes: &BTreeMap<String, Note>,
    errors: &mut Vec<PolicyError>,
) {
    let result = Validator::new(schema.clone()).validate(policies, ValidationMode::Strict);
    let found = result
        .validation_errors()
        .map(|cause| (cause.policy_id().to_string(), cause.to_string()))
        .chain(
            result
                .validation_warnings()
                .map(|cause| (cause.policy_id().to_string(), cause.to_string())),
        );
    for (id, message) in found {
        let file = notes.get(&id).map_or("", |note| &note.file);
        errors.push(error(Code::PolicyInvalid, file, None, message));
    }
}
