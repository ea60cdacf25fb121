//! Where a review plays: a home in a folder that goes away, the production host on it, and the fake peers.

use std::sync::Arc;
use std::time::Duration;

use soma_capsule::key::KeyPair;
use soma_policy::{
    Budget, CapabilityRef, CapsuleFacts, CapsuleName, Currency, Declarations, Grants, HostId,
    InstallationKey, InstallationSpec, Millis, Money, OfferSpec, Period,
};
use tempfile::TempDir;

use super::peers::{Declared, Peers};
use super::probe::Subject;
use super::{Probe, ReviewError, Reviewer, at};
use crate::home::{
    Birth, Home, OPERATOR_KEY, SecretScope, SecretValue, make_folder, write_private,
};
use crate::host::{Host, HostOptions};

/// With everything that is declared.
const USUAL: &str = "usual";
/// With what is required and no more.
const NARROW: &str = "narrow";
/// Every secret has this value: it opens nothing.
const SECRET: &[u8] = b"review-sample-secret";
/// More than any number of calls of one review comes to. It is not money: nobody settles it.
const BUDGET_MICROS: i64 = 1_000_000_000_000;
const CALLS_MAX: u32 = 32;
/// Longest time of one call, whatever the submission asks for.
pub(super) const PATIENCE: Millis = Millis(5_000);

/// A review under way.
pub(super) struct Stage {
    pub(super) host: Arc<Host>,
    pub(super) peers: Peers,
    pub(super) subjects: Vec<Subject>,
    pub(super) unseen: Vec<String>,
    pub(super) usual: InstallationKey,
    /// Only where something may be left out.
    pub(super) narrow: Option<InstallationKey>,
    pub(super) facts: CapsuleFacts,
    pub(super) operator: KeyPair,
    _folder: TempDir,
}

impl Stage {
    pub(super) async fn set(reviewer: &Reviewer, probe: Probe) -> Result<Self, ReviewError> {
        let facts = probe.verified.facts();
        let peers = Peers::start(origins(&facts.declarations)).await?;
        let (subjects, unseen) = probe.subjects();
        let reviewer = reviewer.clone();
        let (anchor, declared) = (peers, facts.clone());
        // Keys, files, a journal, compiled code: all of it blocks.
        let set = tokio::task::spawn_blocking(move || {
            let props = Props::lay_out(&reviewer, &probe, &declared, &anchor)?;
            Ok::<_, ReviewError>((props, anchor))
        });
        let (props, peers) = set.await.map_err(at("a thread"))??;
        let Props { folder, host, operator, usual, narrow } = props;
        Ok(Self { host, peers, subjects, unseen, usual, narrow, facts, operator, _folder: folder })
    }

    /// Ends the host; the folder goes with the value.
    pub(super) fn strike(self) {
        self.host.close();
    }
}

/// What is on disk, and the host that runs on it.
struct Props {
    folder: TempDir,
    host: Arc<Host>,
    operator: KeyPair,
    usual: InstallationKey,
    narrow: Option<InstallationKey>,
}

impl Props {
    fn lay_out(
        reviewer: &Reviewer,
        probe: &Probe,
        facts: &CapsuleFacts,
        peers: &Peers,
    ) -> Result<Self, ReviewError> {
        make_folder(&reviewer.scratch)?;
        let folder = tempfile::Builder::new()
            .prefix("review-")
            .tempdir_in(&reviewer.scratch)
            .map_err(at("a folder"))?;
        let (home, operator) = home(reviewer, &folder)?;
        keep(reviewer, &home, probe)?;
        let usual = key(USUAL)?;
        let grants = Grants::as_declared(&facts.declarations);
        let optional = optional(&facts.declarations);
        let narrow = if optional.is_empty() { None } else { Some(key(NARROW)?) };
        install(&home, &usual, facts, grants.clone())?;
        if let Some(narrow) = &narrow {
            let mut kept = grants;
            for capability in &optional {
                kept.remove(capability);
            }
            install(&home, narrow, facts, kept)?;
        }
        peers.write(&home.layout().policy())?;
        let host = Host::open(options(reviewer, home))?;
        refuse_invalid(&host, [Some(&usual), narrow.as_ref()].into_iter().flatten())?;
        Ok(Self { folder, host, operator, usual, narrow })
    }
}

fn home(reviewer: &Reviewer, folder: &TempDir) -> Result<(Home, KeyPair), ReviewError> {
    let passphrase = reviewer.clock.fresh_id().to_be_bytes();
    let birth = Birth {
        now: reviewer.clock.now(),
        host: HostId::from_u128(reviewer.clock.fresh_id()),
        person: "review".to_owned(),
        passphrase: Some(&passphrase),
    };
    let (home, _) = Home::open_or_create(&folder.path().join("home"), &birth)?;
    let path = home.layout().keys().join(format!("{OPERATOR_KEY}.key"));
    let pem = crate::home::read_bounded(&path, 16 * 1024)?;
    let operator =
        KeyPair::from_encrypted_pem(&pem, &passphrase).map_err(at("the operator's key"))?;
    Ok((home, operator))
}

/// The package as it came, and the keys that it was verified with.
fn keep(reviewer: &Reviewer, home: &Home, probe: &Probe) -> Result<(), ReviewError> {
    for (publisher, keys) in probe.trust.publishers() {
        let folder = home.layout().publisher(publisher);
        make_folder(&folder)?;
        for (n, key) in keys.iter().enumerate() {
            write_private(&folder.join(format!("{n}.pub")), key.to_pem().as_bytes())?;
        }
    }
    let package = soma_capsule::UnverifiedPackage {
        component: probe.verified.component().to_vec(),
        bundle: probe.bundle.clone(),
    };
    let analysis = probe.verified.analysis();
    home.store().put(&package, "capsule.wasm", analysis, reviewer.clock.now())?;
    Ok(())
}

fn key(id: &str) -> Result<InstallationKey, ReviewError> {
    let bad = at::<soma_policy::IdError>;
    Ok(InstallationKey {
        environment: "production".parse().map_err(bad("a name"))?,
        id: id.parse().map_err(bad("a name"))?,
        org: "local".parse().map_err(bad("a name"))?,
    })
}

/// Everything that a tenant may leave out.
fn optional(declared: &Declarations) -> Vec<CapabilityRef> {
    let all = declared.list().into_iter();
    all.filter(|(_, optional)| *optional).map(|(capability, _)| capability).collect()
}

fn install(
    home: &Home,
    key: &InstallationKey,
    facts: &CapsuleFacts,
    grants: Grants,
) -> Result<(), ReviewError> {
    let currency = facts.price.map_or(Currency::EUR, |price| price.currency);
    let secrets: Vec<_> = grants.secret.values().map(|grant| grant.from.clone()).collect();
    let config = grants.config.iter().flat_map(|grant| grant.keys.iter());
    let spec = InstallationSpec {
        schema: InstallationSpec::SCHEMA,
        tenant: key.org.clone(),
        environment: key.environment.clone(),
        capsule: facts.name.clone(),
        version: format!("={}", facts.version).parse().map_err(at("a version"))?,
        digest: facts.digest,
        on_update: soma_policy::OnUpdate::Ask,
        config: config.map(|key| (key.clone(), "sample".to_owned())).collect(),
        grants,
        budget: Some(Budget {
            concurrent_calls: CALLS_MAX,
            limit: Money { micros: BUDGET_MICROS, currency },
            per: Period::Day,
        }),
        limits: soma_policy::LimitsAsk::default(),
        offer: Some(OfferSpec { digest: facts.offer() }),
    };
    let text = toml::to_string(&spec).map_err(at("an installation"))?;
    write_private(&home.layout().installation(key), text.as_bytes())?;
    let scope = SecretScope { org: key.org.clone(), environment: key.environment.clone() };
    let store = home.secrets()?;
    for name in secrets {
        store.set(&scope, &name, &SecretValue::new(SECRET.to_vec())?)?;
    }
    Ok(())
}

fn options(reviewer: &Reviewer, home: Home) -> HostOptions {
    HostOptions {
        home,
        clock: Arc::clone(&reviewer.clock),
        compiler: reviewer.compiler.clone(),
        calls_max: CALLS_MAX,
        queue_max: 64,
        idle: Duration::from_secs(3600),
        journal: None,
        head: None,
        development: None,
        own: Vec::new(),
        guest_threads: 2,
        loopback: Vec::new(),
        server: None,
        mapped_only: true,
    }
}

fn refuse_invalid<'k>(
    host: &Host,
    keys: impl Iterator<Item = &'k InstallationKey>,
) -> Result<(), ReviewError> {
    let snapshot = host.snapshot();
    for key in keys {
        let entry = snapshot.entry(key);
        if entry.is_none_or(|entry| entry.running.is_none()) {
            let problems = entry.map(|entry| entry.problems.as_slice()).unwrap_or_default();
            let words: Vec<String> =
                problems.iter().map(|p| format!("{} {}", p.code, p.what)).collect();
            return Err(ReviewError::NotInstallable(words.join("; ")));
        }
    }
    Ok(())
}

/// An exact origin for each declared one. Where a pattern allows many, one of them stands for all.
fn origins(declared: &Declarations) -> Vec<Declared> {
    let mut found: Vec<Declared> = Vec::new();
    for http in declared.http.values() {
        let host = http.origin.host.to_string().replace('*', "sample");
        let origin = Declared { scheme: http.origin.scheme, host, port: http.origin.port };
        if !found.contains(&origin) {
            found.push(origin);
        }
    }
    found
}

/// What a kill order of a review stops.
pub(super) fn scope(facts: &CapsuleFacts) -> soma_policy::KillScope {
    let name: &CapsuleName = &facts.name;
    soma_policy::KillScope::Capsule(name.clone(), None)
}
