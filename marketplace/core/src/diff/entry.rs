//! One form for what is declared and what is granted, so that there is one comparison.
//!
//! What only one side has (a mount, a stored secret's name, labels) is optional here: two declarations or two
//! grants are compared, never one with the other.

use soma_policy::{
    Access, Bytes, CapabilityKind, CapabilityRef, CapsuleName, ConfigKey, Declarations,
    FunctionName, Grants, GuestPath, InstallationId, KeyPrefix, LabelSet, MethodSet, OriginPattern,
    PathPattern, SecretName, SecretPlace, Transfer, VersionRange,
};

/// One capability of one side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry<'a> {
    pub(super) capability: CapabilityRef,
    /// Whether a tenant may leave it out; grants are never optional.
    pub(super) optional: bool,
    pub(super) right: Right<'a>,
}

/// What it allows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Right<'a> {
    Http {
        clears: LabelSet,
        methods: MethodSet,
        origin: &'a OriginPattern,
        paths: &'a [PathPattern],
        per_call: Option<Transfer>,
        per_day: Option<Transfer>,
    },
    Secret {
        place: Option<&'a SecretPlace>,
        from: Option<&'a SecretName>,
    },
    Kv {
        access: Access,
        clears: LabelSet,
        prefix: &'a KeyPrefix,
        quota: Bytes,
    },
    Files {
        access: Access,
        clears: LabelSet,
        inodes: u32,
        mount: Option<&'a GuestPath>,
        quota: Bytes,
    },
    Tool {
        capsule: &'a CapsuleName,
        functions: &'a [FunctionName],
        installation: Option<&'a InstallationId>,
        version: &'a VersionRange,
    },
    Emit {
        events: u32,
        per_call: Bytes,
    },
    Config {
        keys: &'a [ConfigKey],
    },
    Clocks {
        precise: bool,
    },
    Random {
        per_call: Bytes,
    },
    Logging {
        per_call: Bytes,
    },
    Budget,
    Serve {
        anonymous: bool,
    },
}

macro_rules! entries {
    ($side:ident $optional:ident; $($named:ident $named_kind:ident $entry:ident => $right:expr;)* --- $($single:ident $kind:ident $one:ident => $single_right:expr;)*) => {{
        let mut all = Vec::new();
        $(for (name, $entry) in &$side.$named {
            let capability = CapabilityRef::named(CapabilityKind::$named_kind, name.clone());
            all.push(Entry { capability, optional: entries!(@$optional $entry), right: $right });
        })*
        $(if let Some($one) = &$side.$single {
            let capability = CapabilityRef::of(CapabilityKind::$kind);
            all.push(Entry { capability, optional: entries!(@$optional $one), right: $single_right });
        })*
        all
    }};
    (@as_said $entry:ident) => { $entry.optional };
    (@never $entry:ident) => {{ let _ = $entry; false }};
}

/// What a manifest declares.
pub(super) fn declared(side: &Declarations) -> Vec<Entry<'_>> {
    let none = LabelSet::EMPTY;
    entries! { side as_said;
        http Http d => Right::Http {
            clears: none, methods: d.methods, origin: &d.origin, paths: &d.paths,
            per_call: d.per_call, per_day: d.per_day,
        };
        secret Secret d => Right::Secret { place: Some(&d.place), from: None };
        kv Kv d => Right::Kv { access: d.access, clears: none, prefix: &d.prefix, quota: d.quota };
        files Files d => Right::Files {
            access: d.access, clears: none, inodes: d.inodes, mount: Some(&d.mount), quota: d.quota,
        };
        tool Tool d => Right::Tool {
            capsule: &d.capsule, functions: &d.functions, installation: None, version: &d.version,
        };
        emit Emit d => Right::Emit { events: d.events, per_call: d.per_call };
        ---
        config Config d => Right::Config { keys: &d.keys };
        clocks Clocks d => Right::Clocks { precise: d.precise };
        random Random d => Right::Random { per_call: d.per_call };
        logging Logging d => Right::Logging { per_call: d.per_call };
        budget Budget d => Right::Budget;
        serve Serve d => Right::Serve { anonymous: d.anonymous };
    }
}

/// What a tenant grants.
pub(super) fn granted(side: &Grants) -> Vec<Entry<'_>> {
    entries! { side never;
        http Http g => Right::Http {
            clears: g.clears, methods: g.methods, origin: &g.origin, paths: &g.paths,
            per_call: g.per_call, per_day: g.per_day,
        };
        secret Secret g => Right::Secret { place: None, from: Some(&g.from) };
        kv Kv g => Right::Kv { access: g.access, clears: g.clears, prefix: &g.prefix, quota: g.quota };
        files Files g => Right::Files {
            access: g.access, clears: g.clears, inodes: g.inodes, mount: None, quota: g.quota,
        };
        tool Tool g => Right::Tool {
            capsule: &g.capsule, functions: &g.functions, installation: g.installation.as_ref(),
            version: &g.version,
        };
        emit Emit g => Right::Emit { events: g.events, per_call: g.per_call };
        ---
        config Config g => Right::Config { keys: &g.keys };
        clocks Clocks g => Right::Clocks { precise: g.precise };
        random Random g => Right::Random { per_call: g.per_call };
        logging Logging g => Right::Logging { per_call: g.per_call };
        budget Budget g => Right::Budget;
        serve Serve g => Right::Serve { anonymous: g.anonymous };
    }
}
