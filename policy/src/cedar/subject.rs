//! How policies see an installation: plain facts, and the entities made of them when a question is asked.

use std::collections::{HashMap, HashSet};

use cedar_policy::{Entity, EntityId, EntityTypeName, EntityUid, RestrictedExpression};

use crate::authorise::Caller;
use crate::capability::CapabilityRef;
use crate::id::{Digest, InstallationKey};
use crate::installation::{CapsuleFacts, Rights};

/// Why a question could not be put. Kept as words: it ends in a denial.
pub(super) type Unaskable = String;

/// The facts of one revision of an installation.
#[derive(Debug)]
pub(crate) struct Subject {
    key: InstallationKey,
    capsule: String,
    publisher: String,
    version: String,
    digest: String,
    signer: String,
    capabilities: Vec<String>,
    kinds: Vec<String>,
    /// Digest over all of it: the installation's part of a cache key.
    identity: Digest,
}

impl Subject {
    pub(crate) fn new(key: &InstallationKey, facts: &CapsuleFacts, rights: &Rights) -> Self {
        let capabilities: Vec<String> = rights.granted().map(ToString::to_string).collect();
        let mut kinds: Vec<String> =
            rights.granted().map(|granted| granted.kind.to_string()).collect();
        kinds.dedup();
        let version = facts.version.to_string();
        let parts = [
            key.to_string(),
            facts.name.to_string(),
            version,
            facts.digest.to_string(),
            facts.signer.to_string(),
        ];
        // No part holds a line break, so the joined text has one reading.
        let identity = Digest::of(
            parts.iter().chain(&capabilities).cloned().collect::<Vec<_>>().join("\n").as_bytes(),
        );
        let [_, capsule, version, digest, signer] = parts;
        let publisher = facts.name.publisher.to_string();
        Self {
            key: key.clone(),
            capsule,
            publisher,
            version,
            digest,
            signer,
            capabilities,
            kinds,
            identity,
        }
    }

    pub(super) const fn identity(&self) -> &Digest {
        &self.identity
    }

    pub(super) fn uid(&self) -> Result<EntityUid, Unaskable> {
        uid("Installation", &self.key.to_string())
    }

    /// The installation with its capsule, publisher, environment and organisation.
    pub(super) fn entities(&self) -> Result<Vec<Entity>, Unaskable> {
        let capsule = uid("Capsule", &self.capsule)?;
        let publisher = uid("Publisher", &self.publisher)?;
        let (environment, org) = (
            environment(&self.key.org, &self.key.environment)?,
            uid("Org", self.key.org.as_str())?,
        );
        let attributes = [
            ("id", text(self.key.id.as_str())),
            ("tenant", text(self.key.org.as_str())),
            ("environment", text(self.key.environment.as_str())),
            ("capsule", text(&self.capsule)),
            ("publisher", text(&self.publisher)),
            ("version", text(&self.version)),
            ("digest", text(&self.digest)),
            ("signer", text(&self.signer)),
            ("capabilities", texts(&self.capabilities)),
            ("kinds", texts(&self.kinds)),
        ];
        Ok(vec![
            entity(self.uid()?, attributes, [environment.clone(), capsule.clone()])?,
            bare(capsule, [publisher.clone()]),
            bare(publisher, []),
            bare(environment, [org.clone()]),
            bare(org, []),
        ])
    }
}

fn environment(
    org: &impl AsRef<str>,
    environment: &impl AsRef<str>,
) -> Result<EntityUid, Unaskable> {
    uid("Environment", &format!("{}/{}", org.as_ref(), environment.as_ref()))
}

/// The caller, with the environment that it belongs to.
pub(super) fn caller(caller: &Caller) -> Result<(EntityUid, Entity), Unaskable> {
    let id = uid("Caller", &format!("{}/{}/{}", caller.org, caller.environment, caller.subject))?;
    let attributes = [
        ("subject", text(&caller.subject)),
        ("tenant", text(caller.org.as_str())),
        ("environment", text(caller.environment.as_str())),
        ("anonymous", RestrictedExpression::new_bool(caller.is_anonymous())),
    ];
    let entity = entity(id.clone(), attributes, [environment(&caller.org, &caller.environment)?])?;
    Ok((id, entity))
}

/// A capability, with its kind above it.
pub(super) fn capability(
    capability: &CapabilityRef,
) -> Result<(EntityUid, Vec<Entity>), Unaskable> {
    let kind = capability.kind.as_str();
    let of_kind = uid("Capability", kind)?;
    let name = capability.name.as_ref().map_or("", |name| name.as_str());
    let attributes = |name: &str| [("kind", text(kind)), ("name", text(name))];
    let above = entity(of_kind.clone(), attributes(""), [])?;
    if capability.name.is_none() {
        return Ok((of_kind, vec![above]));
    }
    let id = uid("Capability", &capability.to_string())?;
    Ok((id.clone(), vec![entity(id, attributes(name), [of_kind])?, above]))
}

pub(super) fn uid(kind: &str, id: &str) -> Result<EntityUid, Unaskable> {
    let kind: EntityTypeName = kind.parse().map_err(|_| format!("`{kind}` is no entity type"))?;
    Ok(EntityUid::from_type_name_and_id(kind, EntityId::new(id)))
}

pub(super) fn text(value: &str) -> RestrictedExpression {
    RestrictedExpression::new_string(value.to_owned())
}

fn texts(values: &[String]) -> RestrictedExpression {
    RestrictedExpression::new_set(values.iter().map(|value| text(value)))
}

fn entity<const A: usize, const P: usize>(
    id: EntityUid,
    attributes: [(&str, RestrictedExpression); A],
    parents: [EntityUid; P],
) -> Result<Entity, Unaskable> {
    let attributes: HashMap<_, _> =
        attributes.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    Entity::new(id, attributes, HashSet::from(parents)).map_err(|error| error.to_string())
}

fn bare<const P: usize>(id: EntityUid, parents: [EntityUid; P]) -> Entity {
    Entity::new_no_attrs(id, HashSet::from(parents))
}
