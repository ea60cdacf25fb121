//! What is both granted and declared: how the grants of one version are carried over to a narrower one.
//!
//! The result is never wider than either side; what cannot be narrowed is left out, and whether the capsule
//! works without it is for `Installation::compile` to say.

use std::collections::BTreeMap;

use soma_policy::{
    Access, CapabilityName, ConfigGrant, Declarations, EmitGrant, FilesGrant, Grants,
    HttpDeclaration, HttpGrant, KvDeclaration, KvGrant, LoggingGrant, MethodSet, PathPattern,
    RandomGrant, ServeGrant, ToolDeclaration, ToolGrant, Transfer,
};

/// The grants, as far as `declared` covers them.
#[must_use]
pub fn meet(grants: &Grants, declared: &Declarations) -> Grants {
    let http = both(&grants.http, &declared.http, http);
    let secret = grants.secret.iter().filter(|(name, _)| {
        declared.secret.get(*name).is_some_and(|entry| http.contains_key(&entry.place.http))
    });
    Grants {
        budget: grants.budget.clone().filter(|_| declared.budget.is_some()),
        clocks: grants.clocks.clone().filter(|grant| {
            declared.clocks.as_ref().is_some_and(|clocks| clocks.precise || !grant.precise)
        }),
        config: one(&grants.config, &declared.config, |grant, entry| {
            let keys = common(&grant.keys, &entry.keys)?;
            Some(ConfigGrant { keys })
        }),
        emit: both(&grants.emit, &declared.emit, |grant, entry| {
            let (events, per_call) =
                (grant.events.min(entry.events), grant.per_call.min(entry.per_call));
            Some(EmitGrant { events, per_call })
        }),
        files: both(&grants.files, &declared.files, |grant, entry| {
            Some(FilesGrant {
                access: access(grant.access, entry.access)?,
                clears: grant.clears,
                inodes: grant.inodes.min(entry.inodes),
                quota: grant.quota.min(entry.quota),
            })
        }),
        secret: secret.map(|(name, grant)| (name.clone(), grant.clone())).collect(),
        http,
        kv: both(&grants.kv, &declared.kv, kv),
        logging: one(&grants.logging, &declared.logging, |grant, entry| {
            Some(LoggingGrant { per_call: grant.per_call.min(entry.per_call) })
        }),
        random: one(&grants.random, &declared.random, |grant, entry| {
            Some(RandomGrant { per_call: grant.per_call.min(entry.per_call) })
        }),
        serve: one(&grants.serve, &declared.serve, |grant, entry| {
            Some(ServeGrant { anonymous: grant.anonymous && entry.anonymous })
        }),
        tool: both(&grants.tool, &declared.tool, tool),
    }
}

fn both<G, D>(
    grants: &BTreeMap<CapabilityName, G>,
    declared: &BTreeMap<CapabilityName, D>,
    meet: impl Fn(&G, &D) -> Option<G>,
) -> BTreeMap<CapabilityName, G> {
    let entry = |(name, grant): (&CapabilityName, &G)| {
        Some((name.clone(), meet(grant, declared.get(name)?)?))
    };
    grants.iter().filter_map(entry).collect()
}

fn one<G, D>(
    grant: &Option<G>,
    declared: &Option<D>,
    meet: impl Fn(&G, &D) -> Option<G>,
) -> Option<G> {
    grant.as_ref().zip(declared.as_ref()).and_then(|(grant, entry)| meet(grant, entry))
}

fn http(grant: &HttpGrant, entry: &HttpDeclaration) -> Option<HttpGrant> {
    let methods = grant.methods.iter().filter(|method| entry.methods.allows(*method));
    let origin = narrower(&grant.origin, &entry.origin, |a, b| a.covers(b))?;
    let paths = overlap(&grant.paths, &entry.paths, PathPattern::covers)?;
    Some(HttpGrant {
        clears: grant.clears,
        methods: MethodSet::of(methods)?,
        origin,
        paths,
        per_call: smaller(grant.per_call, entry.per_call),
        per_day: smaller(grant.per_day, entry.per_day),
    })
}

fn kv(grant: &KvGrant, entry: &KvDeclaration) -> Option<KvGrant> {
    Some(KvGrant {
        access: access(grant.access, entry.access)?,
        clears: grant.clears,
        prefix: narrower(&grant.prefix, &entry.prefix, |a, b| a.covers(b))?,
        quota: grant.quota.min(entry.quota),
    })
}

fn tool(grant: &ToolGrant, entry: &ToolDeclaration) -> Option<ToolGrant> {
    let same = grant.capsule == entry.capsule;
    let functions = common(&grant.functions, &entry.functions).filter(|_| same)?;
    Some(ToolGrant {
        capsule: grant.capsule.clone(),
        functions,
        installation: grant.installation.clone(),
        version: narrower(&grant.version, &entry.version, |a, b| a.covers(b))?,
    })
}

/// The one that the other covers.
fn narrower<T: Clone>(a: &T, b: &T, covers: impl Fn(&T, &T) -> bool) -> Option<T> {
    if covers(b, a) { Some(a.clone()) } else { covers(a, b).then(|| b.clone()) }
}

/// What of each side the other side covers; none if nothing is left.
fn overlap<T: Clone + PartialEq>(
    a: &[T],
    b: &[T],
    covers: impl Fn(&T, &T) -> bool,
) -> Option<Vec<T>> {
    let within = |set: &[T], item: &T| set.iter().any(|outer| covers(outer, item));
    let mut kept: Vec<T> = a.iter().filter(|item| within(b, item)).cloned().collect();
    for item in b.iter().filter(|item| within(a, item)) {
        if !within(&kept, item) {
            kept.push(item.clone());
        }
    }
    (!kept.is_empty()).then_some(kept)
}

fn common<T: Clone + PartialEq>(a: &[T], b: &[T]) -> Option<Vec<T>> {
    let kept: Vec<T> = a.iter().filter(|item| b.contains(item)).cloned().collect();
    (!kept.is_empty()).then_some(kept)
}

fn access(a: Access, b: Access) -> Option<Access> {
    match (a.reads() && b.reads(), a.writes() && b.writes()) {
        (true, true) => Some(Access::ReadWrite),
        (true, false) => Some(Access::Read),
        (false, true) => Some(Access::Write),
        (false, false) => None,
    }
}

fn smaller(a: Option<Transfer>, b: Option<Transfer>) -> Option<Transfer> {
    match (a, b) {
        (Some(a), Some(b)) => Some(Transfer {
            request: a.request.min(b.request),
            response: a.response.min(b.response),
        }),
        (one, other) => one.or(other),
    }
}
