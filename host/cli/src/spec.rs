//! From a verified capsule's facts to the installation file that a tenant would write: every grant spelled out.

use std::fmt::Write;

use soma_policy::{
    Budget, CapabilityRef, CapsuleFacts, Code, EnvironmentId, Grants, InstallationSpec, OfferSpec,
    OrgId, Rate, SecretGrant, SecretName,
};
use toml::{Table, Value};

use crate::failure::Failure;

/// What a tenant spends at most unless told otherwise.
const BUDGET: &str = "1.00 EUR/day";
/// Calls at one time unless told otherwise.
const CONCURRENT_CALLS: u32 = 16;

/// An installation as it will be written.
#[derive(Debug, Clone)]
pub(crate) struct Expanded {
    pub(crate) spec: InstallationSpec,
    /// What was declared and left out.
    pub(crate) left_out: Vec<CapabilityRef>,
    /// How many capabilities were declared.
    pub(crate) declared: usize,
}

/// Grants all that is declared, but for what is left out.
pub(crate) fn expand(
    facts: &CapsuleFacts,
    tenant: OrgId,
    environment: EnvironmentId,
    without: &[CapabilityRef],
    budget: Option<Rate>,
) -> Result<Expanded, Failure> {
    let mut grants = Grants::as_declared(&facts.declarations);
    let declared = grants.list();
    for capability in without {
        if !grants.remove(capability) {
            return Err(not_declared(capability, &declared));
        }
    }
    let rate = match budget {
        Some(rate) => rate,
        None => BUDGET.parse()?,
    };
    let spec = InstallationSpec {
        schema: 1,
        tenant,
        environment,
        capsule: facts.name.clone(),
        version: format!("^{}", facts.version).parse()?,
        digest: facts.digest,
        on_update: soma_policy::OnUpdate::Ask,
        grants,
        budget: Some(Budget {
            limit: rate.limit,
            per: rate.per,
            concurrent_calls: CONCURRENT_CALLS,
        }),
        config: std::collections::BTreeMap::new(),
        limits: soma_policy::LimitsAsk::default(),
        offer: Some(OfferSpec { digest: facts.offer() }),
    };
    Ok(Expanded { spec, left_out: without.to_vec(), declared: declared.len() })
}

fn not_declared(capability: &CapabilityRef, declared: &[CapabilityRef]) -> Failure {
    let names: Vec<String> = declared.iter().map(ToString::to_string).collect();
    let known: Vec<&str> = names.iter().map(String::as_str).collect();
    let near = soma_policy::did_you_mean(&capability.to_string(), &known);
    Failure::new(Code::GrantUnknown, format!("the capsule does not declare `{capability}`{near}"))
        .fix(format!(
            "it declares: {}",
            if names.is_empty() { "nothing".to_owned() } else { names.join(", ") }
        ))
}

/// Says which stored secret a declared one is.
pub(crate) fn bind_secret(spec: &mut InstallationSpec, binding: &str) -> Result<(), Failure> {
    let refused =
        || Failure::new(Code::Usage, format!("`{binding}`: write --secret NAME=STORED-NAME"));
    let (name, from) = binding.split_once('=').ok_or_else(refused)?;
    let from: SecretName = from.parse()?;
    let grant = spec.grants.secret.iter_mut().find(|(known, _)| known.as_str() == name);
    let (_, grant) = grant.ok_or_else(|| {
        Failure::new(Code::GrantUnknown, format!("there is no grant `secret.{name}`"))
    })?;
    *grant = SecretGrant { from };
    Ok(())
}

/// The file's text: in the order in which people read it.
pub(crate) fn to_text(expanded: &Expanded) -> Result<String, Failure> {
    let failed = |e: &dyn std::fmt::Display| {
        Failure::new(Code::InstallationBadValue, format!("the installation cannot be written: {e}"))
    };
    let table = Table::try_from(&expanded.spec).map_err(|e| failed(&e))?;
    let mut text =
        String::from("# Written by soma install. A running host takes an edit at once.\n");
    for key in ["schema", "tenant", "environment", "capsule", "version", "digest", "on_update"] {
        if let Some(value) = table.get(key) {
            let _ = writeln!(text, "{key} = {value}");
        }
    }
    if let Some(Value::Table(grants)) = table.get("grants") {
        write_grants(&mut text, grants);
    }
    for capability in &expanded.left_out {
        let _ = writeln!(text, "\n# {capability} is left out: denied, with its remedy.");
    }
    for key in ["budget", "config", "limits", "offer"] {
        match table.get(key) {
            Some(Value::Table(inner)) if !inner.is_empty() => write_table(&mut text, key, inner),
            _ => {}
        }
    }
    Ok(text)
}

fn write_grants(text: &mut String, grants: &Table) {
    for (kind, entries) in grants {
        let Value::Table(entries) = entries else { continue };
        let is_named = kind.parse::<soma_policy::CapabilityKind>().is_ok_and(|k| k.is_named());
        if !is_named {
            write_table(text, &format!("grants.{kind}"), entries);
            continue;
        }
        for (name, entry) in entries {
            if let Value::Table(entry) = entry {
                write_table(text, &format!("grants.{kind}.{name}"), entry);
            }
        }
    }
}

fn write_table(text: &mut String, name: &str, table: &Table) {
    let _ = writeln!(text, "\n[{name}]");
    for (key, value) in table {
        let _ = writeln!(text, "{key} = {value}");
    }
}
