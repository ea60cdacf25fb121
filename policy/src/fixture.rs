//! What the tests of this crate share: small capsules, installations and bundles from text.

use std::sync::{Arc, OnceLock};

use crate::capability::Declarations;
use crate::cedar::{OperatorPolicy, PolicySources, PolicyText};
use crate::denial::Denial;
use crate::grant::Grants;
use crate::id::{Digest, Fingerprint};
use crate::installation::{CapsuleFacts, Installation, InstallationSpec, OnUpdate};
use crate::limits::LimitsAsk;
use crate::{Budget, CallScope, Caller, Period};

/// The capsule of INTERFACE, with one entry of each kind.
pub(crate) const DECLARED: &str = r#"
    [http.issues]
    origin = "https://api.github.com:443"
    methods = ["GET", "POST"]
    paths = ["/repos/*/*/issues"]
    per_call = { request = "64 KiB", response = "2 MiB" }
    per_day = { request = "10 MiB", response = "200 MiB" }
    [secret.token]
    place = { http = "issues", header = "authorization", format = "Bearer {}" }
    [kv.cache]
    prefix = "etag/"
    access = "read-write"
    quota = "4 MiB"
    optional = true
    [files.work]
    mount = "/desk"
    access = "read-write"
    quota = "1 MiB"
    inodes = 10
    optional = true
    [tool.csv]
    capsule = "acme/csv"
    version = "^1"
    functions = ["to-json", "from-json"]
    optional = true
    [emit.rows]
    per_call = "1 MiB"
    events = 100
    optional = true
    [config]
    keys = ["region", "mode"]
    optional = true
    [clocks]
    precise = true
    optional = true
    [random]
    per_call = "1 KiB"
    optional = true
    [logging]
    per_call = "64 KiB"
    optional = true
    [budget]
    optional = true
    [serve]
    anonymous = true
    optional = true
"#;

/// Narrower than declared, with everything that is required.
pub(crate) const GRANTED: &str = r#"
    [http.issues]
    origin = "https://api.github.com:443"
    methods = ["GET"]
    paths = ["/repos/acme/*/issues"]
    per_call = { request = "4 KiB", response = "1 MiB" }
    per_day = { request = "1 MiB", response = "50 MiB" }
    [secret.token]
    from = "github-readonly"
"#;

pub(crate) fn facts(declared: &str) -> CapsuleFacts {
    CapsuleFacts {
        name: "acme/github-issues".parse().unwrap(),
        version: "1.2.0".parse().unwrap(),
        digest: Digest::of(b"component"),
        declarations: toml::from_str::<Declarations>(declared).unwrap(),
        limits_asked: LimitsAsk::default(),
        price: Some("0.0005 EUR".parse().unwrap()),
        signer: Fingerprint::of_spki(b"key"),
        imports: Vec::new(),
    }
}

pub(crate) fn spec(grants: &str) -> InstallationSpec {
    InstallationSpec {
        schema: 1,
        tenant: "local".parse().unwrap(),
        environment: "production".parse().unwrap(),
        capsule: "acme/github-issues".parse().unwrap(),
        version: "^1.2".parse().unwrap(),
        digest: Digest::of(b"component"),
        on_update: OnUpdate::Ask,
        grants: toml::from_str::<Grants>(grants).unwrap(),
        budget: Some(Budget {
            concurrent_calls: 16,
            limit: "5.00 EUR".parse().unwrap(),
            per: Period::Day,
        }),
        config: std::collections::BTreeMap::new(),
        limits: LimitsAsk::default(),
        offer: None,
    }
}

/// Loaded once: parsing and validating a bundle takes longer than all else that these tests do.
pub(crate) fn starter() -> Arc<OperatorPolicy> {
    static STARTER: OnceLock<Arc<OperatorPolicy>> = OnceLock::new();
    Arc::clone(
        STARTER.get_or_init(|| Arc::new(OperatorPolicy::load(&PolicySources::starter()).unwrap())),
    )
}

pub(crate) fn bundle(policies: &str) -> PolicySources {
    let text = PolicyText { name: "own.cedar".to_owned(), text: policies.to_owned() };
    PolicySources { policies: vec![text], ..PolicySources::default() }
}

/// The starter policy and more.
pub(crate) fn starter_and(policies: &str) -> Arc<OperatorPolicy> {
    let mut sources = PolicySources::starter();
    sources.policies.extend(bundle(policies).policies);
    Arc::new(OperatorPolicy::load(&sources).unwrap())
}

pub(crate) fn compile(
    facts: &CapsuleFacts,
    spec: InstallationSpec,
) -> Result<Installation, Vec<Denial>> {
    Installation::compile("issues".parse().unwrap(), spec, facts, &starter(), 1)
}

pub(crate) fn installation(declared: &str, grants: &str) -> Arc<Installation> {
    Arc::new(compile(&facts(declared), spec(grants)).unwrap())
}

pub(crate) fn caller() -> Caller {
    Caller::new(
        "local".parse().unwrap(),
        "production".parse().unwrap(),
        "user-1",
        None,
        CallScope::All,
    )
}
