//! One call for the tests of the rooms: a real installation, gate, policy, clock and store, and no engine.

use std::sync::Arc;
use std::time::Duration;

use cap_std::ambient_authority;
use cap_std::fs::Dir;
use futures::FutureExt as _;
use soma_policy::{
    CallId, CallScope, Caller, CapsuleFacts, Code, Declarations, Digest, Fingerprint, Grants,
    HostId, Installation, InstallationKey, InstallationSpec, JournalId, KillSet, LabelSet,
    LimitKind, Limits, LimitsAsk, OnUpdate, OperatorPolicy, OrderId, PolicySources, PolicyText,
    STARTER_POLICY, Timestamp, authorise,
};
use tokio::sync::mpsc::Receiver;

use super::files::{FilesState, Volumes};
use super::http::{HttpClient, NoSecrets, OwnAddresses};
use super::kv::KvStore;
use super::logging::GuestLog;
use super::tool::ToolCaller;
use crate::clock::FixedClock;
use crate::gate::Gate;
use crate::journal::{Journal, JournalOptions, test_key};
use crate::lease::{Ask, LeaseReplay, Leases, Reservation};
use crate::output::{CallEvent, LogLine, Output};
use crate::running::{CallIds, Cut, End, NewCall, Running};
use crate::state::{Backends, Ctx};

pub(crate) const START: Timestamp = Timestamp(1_800_000_000_000);
const ORDER: u128 = 17;

/// A call that is about to run.
pub(crate) struct Rig {
    ctx: Ctx,
    clock: Arc<FixedClock>,
    secrets: Arc<parking_lot::Mutex<Vec<String>>>,
    _home: tempfile::TempDir,
}

/// What differs from test to test.
#[derive(Default)]
struct Setup<'a> {
    declared: &'a str,
    left_out: bool,
    config: &'a [(&'a str, &'a str)],
    streamed: bool,
    without_journal: bool,
}

impl Default for Rig {
    fn default() -> Self {
        Self::granting("")
    }
}

impl Rig {
    /// Everything that the text declares is granted as declared.
    pub(crate) fn granting(declared: &str) -> Self {
        Self::build(Setup { declared, ..Setup::default() }).0
    }

    /// The same, with settings.
    pub(crate) fn granting_with_config(declared: &str, config: &[(&str, &str)]) -> Self {
        Self::build(Setup { declared, config, ..Setup::default() }).0
    }

    /// Everything is declared optional, and nothing is granted.
    pub(crate) fn declaring(declared: &str) -> Self {
        Self::build(Setup { declared, left_out: true, ..Setup::default() }).0
    }

    /// Granted, and somebody streams.
    pub(crate) fn streamed(declared: &str) -> (Self, Receiver<CallEvent>) {
        let (rig, reader) = Self::build(Setup { declared, streamed: true, ..Setup::default() });
        (rig, reader.unwrap())
    }

    /// Granted, and the start record will never be durable.
    pub(crate) fn without_journal(declared: &str) -> Self {
        Self::build(Setup { declared, without_journal: true, ..Setup::default() }).0
    }

    fn build(setup: Setup<'_>) -> (Self, Option<Receiver<CallEvent>>) {
        let policy = Arc::new(policy());
        let installation = Arc::new(installation(&setup, &policy));
        let clock = Arc::new(FixedClock::new(START, 7));
        let running = running(installation.clone());
        running.set_start(std::future::ready(!setup.without_journal).boxed());
        let caller = caller(&installation);
        let function = "run".parse().unwrap();
        let kills = KillSet::default();
        let authorised =
            authorise(&installation, &caller, &function, &policy, &kills, START).unwrap();
        let home = tempfile::tempdir().unwrap();
        let gate = Gate::new(authorised, running, nothing_reserved(&installation));
        let (output, reader) = if setup.streamed {
            let (output, reader) = Output::streamed();
            (output, Some(reader))
        } else {
            (Output::collected(), None)
        };
        (Self::assemble(gate, output, clock, home), reader)
    }

    fn assemble(
        gate: Gate,
        output: Output,
        clock: Arc<FixedClock>,
        home: tempfile::TempDir,
    ) -> Self {
        let secrets: Arc<parking_lot::Mutex<Vec<String>>> = Arc::default();
        let stored = secrets.clone();
        let http = HttpClient::new(clock.clone(), OwnAddresses::new([]), Arc::new(NoSecrets));
        let volumes = Dir::open_ambient_dir(home.path(), ambient_authority()).unwrap();
        let backends = Backends {
            clock: clock.clone(),
            kv: KvStore::open(&home.path().join("kv.redb")).unwrap(),
            volumes: Volumes::new(volumes),
            http: Arc::new(http.unwrap()),
            secrets: Box::new(move |_, name| {
                stored.lock().iter().any(|known| known == name.as_str())
            }),
            tools: Box::new(|_| unreachable!("no tool is expected")),
        };
        let ctx = Ctx::assemble(gate, output, FilesState::inert(), Arc::new(backends));
        Self { ctx, clock, secrets, _home: home }
    }

    pub(crate) fn with_tools(mut self, tools: Box<ToolCaller>) -> Self {
        Arc::get_mut(&mut self.ctx.backends).unwrap().tools = tools;
        self
    }

    pub(crate) fn ctx(&mut self) -> &mut Ctx {
        &mut self.ctx
    }

    pub(crate) fn running(&self) -> &Arc<Running> {
        self.ctx.gate.running()
    }

    pub(crate) fn limits(&self) -> Limits {
        self.running().installation.limits
    }

    pub(crate) fn kv(&self) -> &KvStore {
        &self.ctx.backends.kv
    }

    pub(crate) fn log(&self) -> GuestLog {
        GuestLog::of(&self.ctx)
    }

    pub(crate) fn lines(&self) -> Vec<LogLine> {
        self.ctx.output.lines()
    }

    pub(crate) fn emitted(&self) -> Vec<CallEvent> {
        self.ctx.output.take_collected()
    }

    pub(crate) fn labels(&self) -> LabelSet {
        self.running().labels()
    }

    pub(crate) fn denials(&self) -> Vec<Code> {
        self.running().denials().0.into_iter().map(|denial| denial.code).collect()
    }

    pub(crate) fn store_secret(&self, name: &str) {
        self.secrets.lock().push(name.to_owned());
    }

    pub(crate) fn advance(&self, by: Duration) {
        self.clock.advance(by);
    }

    /// Ends the call as a kill order does.
    pub(crate) fn kill(&self) {
        self.killer()();
    }

    pub(crate) fn killer(&self) -> impl Fn() + use<> {
        let running = self.running().clone();
        move || {
            running.cut(Cut::Killed(OrderId::from_u128(ORDER)));
        }
    }

    pub(crate) fn is_cut(&self) -> bool {
        self.running().live().is_err()
    }

    /// The limit that ended the call, if one did.
    pub(crate) fn cut_by(&self) -> Option<LimitKind> {
        match self.running().end() {
            Some(End::Cut(Cut::Limit(kind))) => Some(kind),
            _ => None,
        }
    }
}

fn policy() -> OperatorPolicy {
    let starter = PolicyText { name: "starter.cedar".to_owned(), text: STARTER_POLICY.to_owned() };
    OperatorPolicy::load(&PolicySources { policies: vec![starter], ..PolicySources::default() })
        .unwrap()
}

fn installation(setup: &Setup<'_>, policy: &OperatorPolicy) -> Installation {
    let mut declared: Declarations = toml::from_str(setup.declared).unwrap();
    if setup.left_out {
        make_optional(&mut declared);
    }
    let grants = if setup.left_out { Grants::default() } else { Grants::as_declared(&declared) };
    let facts = CapsuleFacts {
        name: "acme/probe".parse().unwrap(),
        version: "1.0.0".parse().unwrap(),
        digest: Digest::of(b"probe"),
        declarations: declared,
        limits_asked: LimitsAsk::default(),
        price: None,
        signer: Fingerprint::of_spki(b"key"),
        imports: Vec::new(),
    };
    let granted: Vec<&str> = grants
        .config
        .iter()
        .flat_map(|config| config.keys.iter().map(|key| key.as_str()))
        .collect();
    let settings = setup.config.iter().filter(|(key, _)| granted.contains(key));
    let spec = InstallationSpec {
        schema: InstallationSpec::SCHEMA,
        tenant: "local".parse().unwrap(),
        environment: "production".parse().unwrap(),
        capsule: facts.name.clone(),
        version: "*".parse().unwrap(),
        digest: facts.digest,
        on_update: OnUpdate::default(),
        config: settings.map(|(k, v)| (k.parse().unwrap(), (*v).to_owned())).collect(),
        grants,
        budget: None,
        limits: LimitsAsk::default(),
        offer: None,
    };
    Installation::compile("probe".parse().unwrap(), spec, &facts, policy, 1).unwrap()
}

fn make_optional(declared: &mut Declarations) {
    macro_rules! each {
        ($($named:ident)* ; $($single:ident)*) => {
            $(declared.$named.values_mut().for_each(|entry| entry.optional = true);)*
            $(if let Some(entry) = &mut declared.$single { entry.optional = true; })*
        };
    }
    each!(http secret kv files tool emit ; config clocks random logging budget serve);
}

fn running(installation: Arc<Installation>) -> Arc<Running> {
    let call = CallId::from_u128(1);
    Running::new(NewCall {
        ids: CallIds { call, parent: None, root: call },
        limits: installation.limits,
        installation,
        function: "run".to_owned(),
        // The fixed clock's monotonic time is its wall time.
        started: Duration::from_millis(START.0),
        parent_cut: None,
    })
}

fn caller(installation: &Installation) -> Caller {
    let InstallationKey { org, environment, .. } = installation.key.clone();
    Caller::new(org, environment, "test", None, CallScope::All)
}

/// The reservation of a call without a price.
pub(crate) fn nothing_reserved(installation: &Installation) -> Arc<Reservation> {
    let home = tempfile::tempdir().unwrap();
    let options = JournalOptions::new(
        home.path().join("journal"),
        home.path().join("head/journal"),
        JournalId::from_u128(1),
        HostId::from_u128(2),
        START,
    );
    let journal = Journal::open(options, test_key(), &mut |_| {}).unwrap();
    let clock = Arc::new(FixedClock::new(START, 7));
    let leases = Leases::new(clock, journal, LeaseReplay::default());
    let ask = Ask { key: &installation.key, price: None, budget: None };
    Arc::new(leases.take(ask, None, START).unwrap())
}
