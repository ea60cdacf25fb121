//! From file and facts to an installation, or to every reason why not.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::narrow::{Narrow, Wider};
use super::{CapsuleFacts, Installation, InstallationSpec, Rights};
use crate::canonical;
use crate::capability::{CapabilityKind, CapabilityRef};
use crate::cedar::{OperatorPolicy, Subject};
use crate::code::Code;
use crate::denial::{Denial, Layer};
use crate::id::{CapabilityName, Digest, InstallationId, InstallationKey};
use crate::kill::KillSubject;
use crate::limits::Limits;
use crate::suggest::did_you_mean;

/// Longest configuration value, in bytes.
const CONFIG_VALUE_MAX: usize = 16 * 1024;

impl Installation {
    /// Compiles one revision of an installation: the grants become matchers, the operator's ceiling is applied.
    ///
    /// # Errors
    /// Every reason why it may not run so, each with its remedy.
    pub fn compile(
        id: InstallationId,
        spec: InstallationSpec,
        facts: &CapsuleFacts,
        policy: &OperatorPolicy,
        revision: u64,
    ) -> Result<Self, Vec<Denial>> {
        let key =
            InstallationKey { environment: spec.environment.clone(), id, org: spec.tenant.clone() };
        let mut check = Check { file: key.file(), spec: &spec, facts, denials: Vec::new() };
        check.pinned();
        check.grants();
        check.required();
        check.secrets();
        check.config();
        check.money();
        let limits = Limits::decide(&facts.limits_asked, &spec.limits, policy.ceiling());
        let mut denials = check.denials;
        let limits = limits.unwrap_or_else(|above| {
            denials.extend(above);
            Limits::DEFAULT
        });
        if !denials.is_empty() {
            return Err(denials);
        }
        let rights = Rights::pair(&facts.declarations, &spec.grants);
        let kill_subject = kill_subject(&key, facts, &rights, policy);
        // INVARIANT: grants hold strings, booleans and small integers, which have a canonical form.
        let grants_hash = canonical::digest(&spec.grants).unwrap_or(Digest::ZERO);
        let entities = Arc::new(Subject::new(&key, facts, &rights));
        Ok(Self {
            key,
            revision,
            capsule: facts.name.clone(),
            version: facts.version.clone(),
            digest: facts.digest,
            signer: facts.signer,
            limits,
            config: spec.config,
            budget: spec.budget,
            price: facts.price,
            offer: facts.offer(),
            grants_hash,
            on_update: spec.on_update,
            rights,
            kill_subject,
            entities,
        })
    }
}

fn kill_subject(
    key: &InstallationKey,
    facts: &CapsuleFacts,
    rights: &Rights,
    policy: &OperatorPolicy,
) -> KillSubject {
    let mut capabilities: Vec<CapabilityKind> =
        rights.granted().map(|granted| granted.kind).collect();
    capabilities.sort();
    capabilities.dedup();
    KillSubject {
        capabilities,
        capsule: facts.name.clone(),
        digest: facts.digest,
        installation: key.clone(),
        region: policy.region().cloned(),
        signer: facts.signer,
        tools: rights.tool_capsules().cloned().collect(),
        version: facts.version.clone(),
    }
}

struct Check<'a> {
    file: String,
    spec: &'a InstallationSpec,
    facts: &'a CapsuleFacts,
    denials: Vec<Denial>,
}

impl Check<'_> {
    fn deny(&mut self, code: Code, operation: String, reason: String) {
        self.denials.push(Denial::new(code, Layer::Grant, operation, reason));
    }

    /// What runs is what the file pins.
    fn pinned(&mut self) {
        let (spec, facts) = (self.spec, self.facts);
        if spec.schema != InstallationSpec::SCHEMA {
            let operation = format!("schema = {}", spec.schema);
            self.deny(
                Code::InstallationSchema,
                operation,
                "this version of soma reads schema 1".into(),
            );
        }
        if spec.capsule != facts.name {
            let reason = format!("the pinned content is {}", facts.name);
            self.deny(Code::InstallationCapsule, format!("capsule = \"{}\"", spec.capsule), reason);
        }
        if spec.digest != facts.digest {
            let reason = format!("the content has digest {}", facts.digest);
            self.deny(Code::InstallationDigest, format!("digest = \"{}\"", spec.digest), reason);
        }
        if !spec.version.allows(&facts.version) {
            let reason = format!("the pinned content is version {}", facts.version);
            self.deny(Code::InstallationVersion, format!("version = \"{}\"", spec.version), reason);
        }
    }

    /// Each grant is declared, and not wider.
    fn grants(&mut self) {
        let (declared, grants) = (&self.facts.declarations, &self.spec.grants);
        macro_rules! named {
            ($($field:ident $kind:ident),*) => { $(
                for (name, grant) in &grants.$field {
                    let capability = CapabilityRef::named(CapabilityKind::$kind, name.clone());
                    match declared.$field.get(name) {
                        Some(declared) => self.wider(&capability, grant.wider(declared)),
                        None => self.unknown(&capability, &declared.$field),
                    }
                }
            )* };
        }
        macro_rules! single {
            ($($field:ident $kind:ident),*) => { $(
                if let Some(grant) = &grants.$field {
                    let capability = CapabilityRef::of(CapabilityKind::$kind);
                    match &declared.$field {
                        Some(declared) => self.wider(&capability, grant.wider(declared)),
                        None => self.unknown::<()>(&capability, &BTreeMap::new()),
                    }
                }
            )* };
        }
        named!(http Http, secret Secret, kv Kv, files Files, tool Tool, emit Emit);
        single!(config Config, clocks Clocks, random Random, logging Logging, budget Budget, serve Serve);
    }

    fn wider(&mut self, capability: &CapabilityRef, fields: Vec<Wider>) {
        for Wider { field, granted, declared } in fields {
            let fix = format!("narrow grants.{capability}.{field} to {declared} in {}", self.file);
            let operation = format!("grants.{capability}.{field} = {granted}");
            let denial = Denial::new(
                Code::GrantTooWide,
                Layer::Manifest,
                operation,
                format!("capsule.toml declares {declared}"),
            );
            self.denials.push(denial.on(capability.clone()).fix(fix));
        }
    }

    fn unknown<T>(&mut self, capability: &CapabilityRef, known: &BTreeMap<CapabilityName, T>) {
        let names: Vec<&str> = known.keys().map(CapabilityName::as_str).collect();
        let hint = capability
            .name
            .as_ref()
            .map(|name| did_you_mean(name.as_str(), &names))
            .unwrap_or_default();
        let fix = format!("remove [grants.{capability}] from {}{hint}", self.file);
        let reason = format!("{} declares no {capability}", self.facts.name);
        let denial = Denial::new(
            Code::GrantUnknown,
            Layer::Manifest,
            format!("[grants.{capability}]"),
            reason,
        );
        self.denials.push(denial.on(capability.clone()).fix(fix));
    }

    /// What is not optional is granted.
    fn required(&mut self) {
        let granted = self.spec.grants.list();
        for (capability, optional) in self.facts.declarations.list() {
            if optional || granted.contains(&capability) {
                continue;
            }
            let fix = format!("add [grants.{capability}] to {}", self.file);
            let reason = format!("{} does not work without it", self.facts.name);
            let denial = Denial::new(
                Code::GrantMissing,
                Layer::Grant,
                format!("[grants.{capability}]"),
                reason,
            );
            self.denials.push(denial.on(capability).fix(fix));
        }
    }

    /// A secret goes to one exact https origin, and that entry is granted.
    fn secrets(&mut self) {
        for name in self.spec.grants.secret.keys() {
            let Some(declared) = self.facts.declarations.secret.get(name) else { continue };
            let capability = CapabilityRef::named(CapabilityKind::Secret, name.clone());
            let http = &declared.place.http;
            let operation = format!("[grants.{capability}]");
            let denial = match self.spec.grants.http.get(http) {
                None => Denial::new(
                    Code::SecretHttpMissing,
                    Layer::Grant,
                    operation,
                    format!("it is placed into requests of http.{http}, which is not granted"),
                )
                .fix(format!(
                    "add [grants.http.{http}] to {}, or remove [grants.{capability}]",
                    self.file
                )),
                Some(grant) if !grant.origin.is_exact_https() => Denial::new(
                    Code::ManifestSecretPlace,
                    Layer::Manifest,
                    operation,
                    format!("http.{http} is not one exact https origin"),
                ),
                Some(_) => continue,
            };
            self.denials.push(denial.on(capability));
        }
    }

    fn config(&mut self) {
        let granted = self.spec.grants.config.as_ref().map_or(&[][..], |grant| &grant.keys);
        for (key, value) in &self.spec.config {
            let operation = format!("config.{key}");
            let denial = if !granted.contains(key) {
                let fix = format!(
                    "add \"{key}\" to grants.config.keys in {}, or remove the value",
                    self.file
                );
                Denial::new(Code::ConfigUnknown, Layer::Grant, operation, "the key is not granted")
                    .fix(fix)
            } else if value.len() > CONFIG_VALUE_MAX {
                Denial::new(
                    Code::InstallationBadValue,
                    Layer::Grant,
                    operation,
                    "a value has at most 16 KiB",
                )
            } else {
                continue;
            };
            self.denials.push(denial.on(CapabilityRef::of(CapabilityKind::Config)));
        }
    }

    fn money(&mut self) {
        let price = self.facts.price;
        if let Some(budget) = self.spec.budget {
            let operation = format!("budget.limit = {}", budget.limit);
            if budget.limit.micros < 0 || budget.concurrent_calls == 0 {
                let reason = "a budget is not negative and allows at least one call".to_owned();
                self.denials.push(Denial::new(Code::BudgetBad, Layer::Grant, operation, reason));
            } else if let Some(price) =
                price.filter(|price| price.currency != budget.limit.currency)
            {
                let reason = format!("the price is in {}", price.currency);
                self.denials.push(Denial::new(
                    Code::BudgetCurrency,
                    Layer::Budget,
                    operation,
                    reason,
                ));
            }
        } else if let Some(price) = price.filter(|price| price.micros > 0) {
            let reason = format!("a call costs {price}, and there is no budget");
            self.denials.push(Denial::new(Code::BudgetBad, Layer::Budget, "[budget]", reason));
        }
        let offer = self.facts.offer();
        if let Some(accepted) = self.spec.offer.filter(|accepted| accepted.digest != offer) {
            let reason = format!("the capsule's price now has digest {offer}");
            let operation = format!("offer.digest = {}", accepted.digest);
            self.denials.push(Denial::new(Code::OfferChanged, Layer::Budget, operation, reason));
        }
    }
}
