//! The first half of a call: from a request to a registered, recorded, not yet running guest.
//!
//! Everything that can refuse a call before it starts is here, in a fixed order. What is refused
//! leaves no start record and costs nothing.

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use soma_capsule::crash_point;
use soma_policy::{
    Authorised, CallFacts, CallId, Caller, Code, Denial, FunctionName, Installation,
    InstallationKey, JournalEntry, LabelSet, Layer, LimitKind, Limits, Millis, Outcome,
    StartRecord, authorise,
};
use wasmtime::Store;

use super::finish::Done;
use super::{CallReply, Pending};
use crate::admission::Slot;
use crate::calls::Taken;
use crate::component::{LoadError, Loaded, Plan};
use crate::gate::Gate;
use crate::host::Host;
use crate::installations::Snapshot;
use crate::journal::JournalError;
use crate::lease::{Billing, Reservation, Wanted};
use crate::linker::Interfaces;
use crate::output::Output;
use crate::running::{CallIds, Cut, NewCall, Running};
use crate::sandbox::{Failure, Sandbox, Work};
use crate::state::Ctx;

/// What every kind of call has in common: a function call, a child of a tool call, a request to a
/// served capsule.
pub(crate) struct Ask {
    pub(crate) caller: Caller,
    pub(crate) key: InstallationKey,
    pub(crate) function: FunctionName,
    pub(crate) id: Option<CallId>,
    pub(crate) timeout: Option<Millis>,
    /// Bytes of input that are known before the start.
    pub(crate) input: u64,
    pub(crate) parent: Option<Parent>,
    /// The candidate's revision, for its declared check; else the snapshot chooses.
    pub(crate) candidate: Option<u64>,
}

/// The call that makes a child call.
pub(crate) struct Parent {
    pub(crate) running: Arc<Running>,
    pub(crate) authorised: Arc<Authorised>,
    pub(crate) reservation: Arc<Reservation>,
    /// Labels of the data that goes along.
    pub(crate) labels: LabelSet,
}

/// A call that is registered and may run.
pub(crate) struct Started {
    pub(crate) host: Arc<Host>,
    pub(crate) installation: Arc<Installation>,
    pub(crate) running: Arc<Running>,
    pub(crate) gate: Gate,
    pub(crate) output: Output,
    pub(crate) facts: CallFacts,
    pub(super) reservation: Arc<Reservation>,
    pub(super) slot: Slot,
}

impl Host {
    /// Judges a request and registers its call, in the order that the architecture names.
    pub(crate) async fn start(
        self: &Arc<Self>,
        ask: Ask,
        output: Output,
    ) -> Result<Started, Box<CallReply>> {
        let call = ask.id.unwrap_or_else(|| CallId::from_u128(self.clock().fresh_id()));
        let key = ask.key.clone();
        self.admit(call, ask, output).await.map_err(|refusal| {
            if let Refusal::Denied(denial) | Refusal::Invalid(denial) = &refusal {
                // A call that starts has its denials in its receipt; one that does not is counted.
                self.journal().denied(&key, denial);
            }
            Box::new(refusal.reply(call))
        })
    }

    async fn admit(
        self: &Arc<Self>,
        call: CallId,
        ask: Ask,
        output: Output,
    ) -> Result<Started, Refusal> {
        if ask.id.is_some() {
            self.calls().judge_chosen(call)?;
        }
        let snapshot = self.snapshot();
        let chosen = match ask.candidate {
            Some(revision) => snapshot.candidate(&ask.key, revision),
            None => snapshot.chosen(&ask.key, call),
        };
        let installation = chosen.ok_or_else(|| not_running(&snapshot, &ask.key))?.clone();
        self.fresh(&installation).map_err(Refusal::Invalid)?;
        let policy = snapshot.policy.clone();
        let now = self.clock().now();
        let authorised = authorise(
            &installation,
            &ask.caller,
            &ask.function,
            &policy,
            &self.kills().set(),
            now,
        )?;
        let authorised = match &ask.parent {
            Some(parent) => parent.authorised.attenuate(authorised, parent.labels)?,
            None => authorised,
        };
        // What cannot be recorded does not start; what starts will find room for its receipt.
        self.journal().room().await.map_err(Refusal::Unrecorded)?;
        let slot = self.slot_for(&ask).await?;
        let limits = limits_for(&installation, &ask, self.clock().monotonic());
        let parent = ask.parent.as_ref().map(|parent| &*parent.reservation);
        // A revision at its health gate costs its tenant nothing.
        let at_gate = snapshot.candidate(&ask.key, installation.revision).is_some();
        let billing = if at_gate { Billing::Platform } else { Billing::Tenant };
        let wanted = Wanted { installation: &installation, limits: &limits, billing };
        let reservation = self.leases().reserve(wanted, parent, now)?;
        let running = self.new_running(call, &ask, &installation, limits);
        let above = ask.parent.as_ref().and_then(|parent| parent.running.bearer());
        running.set_bearer(ask.caller.token.map(|jti| self.tokens().bearer(jti, above)));
        let facts = CallFacts {
            call,
            digest: installation.digest,
            environment: ask.key.environment.clone(),
            feed: snapshot.position,
            function: ask.function.clone(),
            grants: installation.grants_hash,
            installation: ask.key.id.clone(),
            lease: reservation.lease(),
            offer: installation.offer,
            org: ask.key.org.clone(),
            parent: running.ids.parent,
            policy: policy.hash(),
            revision: installation.revision,
            root: running.ids.root,
            started_at: now,
        };
        let reservation = Arc::new(reservation);
        let gate = Gate::new(authorised, running.clone(), reservation.clone());
        let host = self.clone();
        let started =
            Started { host, installation, running, gate, output, facts, reservation, slot };
        started.register(ask.input)
    }

    async fn slot_for(self: &Arc<Self>, ask: &Ask) -> Result<Slot, Refusal> {
        match &ask.parent {
            // A child never waits: its parent holds a slot already.
            Some(_) => self.admission().try_enter().ok_or(Refusal::Busy("the host is full".into())),
            None => {
                let entered = self.admission().enter(&ask.key.org).await;
                entered.map_err(|busy| Refusal::Busy(busy.to_string()))
            }
        }
    }

    fn new_running(
        &self,
        call: CallId,
        ask: &Ask,
        installation: &Arc<Installation>,
        limits: Limits,
    ) -> Arc<Running> {
        let parent = ask.parent.as_ref().map(|parent| &parent.running);
        let ids = CallIds {
            call,
            parent: parent.map(|parent| parent.ids.call),
            root: parent.map_or(call, |parent| parent.ids.root),
        };
        Running::new(NewCall {
            ids,
            installation: installation.clone(),
            function: ask.function.to_string(),
            limits,
            started: self.clock().monotonic(),
            parent_cut: parent.map(|parent| parent.token().clone()),
        })
    }
}

/// The installation's limits, lowered by the client's timeout and by what a parent has left.
fn limits_for(installation: &Installation, ask: &Ask, now: Duration) -> Limits {
    let mut limits = installation.limits;
    if let Some(timeout) = ask.timeout {
        limits.wall = limits.wall.min(timeout);
    }
    if let Some(parent) = &ask.parent {
        let meter = &parent.running.meter;
        let wall = parent.running.deadline.saturating_sub(now).as_millis();
        limits.wall = limits.wall.min(Millis(u64::try_from(wall).unwrap_or(u64::MAX)));
        limits.cpu = limits.cpu.min(Millis(meter.cpu_left_ns() / 1_000_000));
        limits.hostcall.0 = limits.hostcall.0.min(meter.left(LimitKind::Hostcall));
    }
    limits
}

impl Started {
    /// Registers the call, and only then looks at the kill set: an order that came in between finds
    /// the call registered, or is found here.
    fn register(self, input: u64) -> Result<Self, Refusal> {
        self.running.set_output(self.output.clone());
        self.host.calls().register(&self.running)?;
        if let Some(order) = self.host.kills().judge(&self.installation) {
            self.running.cut(Cut::Killed(order));
        }
        // The same for its token.
        if self.running.bearer().is_some_and(|it| self.host.tokens().is_withdrawn(it)) {
            self.running.cut(Cut::Withdrawn);
        }
        // And for its release and the policy.
        let snapshot = self.host.snapshot();
        if snapshot.is_revoked(&self.installation.digest) {
            self.running.cut(Cut::Withdrawn);
        }
        let policy = snapshot.policy.clone();
        if !Arc::ptr_eq(&policy, self.gate.policy()) {
            self.running.judge_by(&policy);
        }
        // Too much input is the call's own limit: it ends as such, with a receipt.
        let _ = self.running.charge(LimitKind::Input, input);
        let record = JournalEntry::Start(StartRecord {
            boot: self.host.boot(),
            facts: self.facts.clone(),
            reserved: self.reservation.reserved(),
        });
        // A pure call never waits for it; whoever is about to show something outside does.
        let ticket = self.host.journal().append_soon(&record);
        crash_point!("host.start.recorded");
        self.running.set_start(async move { ticket.durable().await.is_ok() }.boxed());
        Ok(self)
    }

    /// Runs `work` on the guests' threads and ends the call.
    pub(crate) fn go(
        self,
        work: impl for<'a> FnOnce(&'a mut Store<Ctx>, Plan) -> Work<'a, Done> + Send + 'static,
    ) -> Pending {
        let (sender, reply) = tokio::sync::oneshot::channel();
        let running = self.running.clone();
        let guests = self.host.guests().clone();
        guests.spawn(async move {
            let reply = self.through(work).await;
            // Nobody may listen any more; the call is on record all the same.
            let _ = sender.send(reply);
        });
        Pending::new(running, reply)
    }

    /// Runs `work` here and ends the call.
    pub(crate) async fn through(
        self,
        work: impl for<'a> FnOnce(&'a mut Store<Ctx>, Plan) -> Work<'a, Done> + Send,
    ) -> CallReply {
        let done = match self.loaded().await {
            Ok(loaded) => self.within(&loaded, work).await,
            Err(done) => done,
        };
        self.finish(done).await
    }

    pub(super) async fn loaded(&self) -> Result<Arc<Loaded>, Done> {
        let now = self.host.clock().monotonic();
        let components = self.host.components();
        let ready = async {
            let slot = components.slot(self.installation.digest);
            components.ready(&slot, now).await
        };
        tokio::select! {
            biased;
            () = self.running.token().cancelled() => {
                Err(Done::Failed(Failure::Cut(self.running.cut_reason())))
            }
            ready = ready => ready.map_err(unready),
        }
    }

    pub(super) async fn within(
        &self,
        loaded: &Loaded,
        work: impl for<'a> FnOnce(&'a mut Store<Ctx>, Plan) -> Work<'a, Done> + Send,
    ) -> Done {
        let interfaces = Interfaces::declared(&self.installation, loaded.exports.serves_http);
        let plan = match loaded.plan(self.host.components().linkers(), interfaces) {
            Ok(plan) => plan,
            Err(error) => return Done::Unready(None, format!("{error:#}")),
        };
        let ctx = match Ctx::new(self).await {
            Ok(ctx) => ctx,
            Err(words) => return Done::Unready(None, words),
        };
        let sandbox = Sandbox::new(self.host.components().engine(), ctx);
        let left = self.running.deadline.saturating_sub(self.host.clock().monotonic());
        sandbox.run(plan, left, work).await.unwrap_or_else(Done::Failed)
    }
}

fn unready(error: LoadError) -> Done {
    Done::Unready(error.code(), error.to_string())
}

/// Why a call does not start.
pub(super) enum Refusal {
    Denied(Box<Denial>),
    /// The installation is there and what it consists of is refused: its file, its package.
    Invalid(Box<Denial>),
    Busy(String),
    Taken(Taken),
    Unrecorded(JournalError),
}

impl From<Denial> for Refusal {
    fn from(denial: Denial) -> Self {
        Self::Denied(Box::new(denial))
    }
}

impl From<Box<Denial>> for Refusal {
    fn from(denial: Box<Denial>) -> Self {
        Self::Denied(denial)
    }
}

impl From<Taken> for Refusal {
    fn from(taken: Taken) -> Self {
        Self::Taken(taken)
    }
}

impl Refusal {
    fn reply(self, call: CallId) -> CallReply {
        match self {
            // Money is on its way: the call may be tried again, as when no slot is free.
            Self::Denied(denial) if denial.code == Code::LeasePending => CallReply {
                code: Some(denial.code),
                denials: vec![*denial],
                ..CallReply::refused(call, Outcome::Busy)
            },
            Self::Denied(denial) => {
                let outcome = match (denial.layer, denial.order) {
                    (Layer::Kill, Some(order)) => Outcome::Killed(order),
                    (Layer::Budget, _) => Outcome::Budget,
                    _ => Outcome::Denied,
                };
                CallReply { denials: vec![*denial], ..CallReply::refused(call, outcome) }
            }
            Self::Invalid(denial) => CallReply {
                code: Some(denial.code),
                denials: vec![*denial],
                ..CallReply::refused(call, Outcome::Denied)
            },
            Self::Busy(words) => CallReply::refused(call, Outcome::Busy).with_detail(words),
            Self::Unrecorded(error) => {
                CallReply::refused(call, Outcome::HostFailure).with_detail(error.to_string())
            }
            Self::Taken(taken) => {
                CallReply::refused(call, Outcome::InDoubt).with_detail(taken.to_string())
            }
        }
    }
}

/// An installation that is there and does not run says why; one that is not there is unknown.
fn not_running(snapshot: &Snapshot, key: &InstallationKey) -> Refusal {
    let problem = snapshot.entry(key).and_then(|entry| entry.problems.first());
    let Some(problem) = problem else { return not_installed(key).into() };
    let denial = Denial::new(problem.code, Layer::Grant, format!("call {key}"), &problem.what);
    let remedy = problem.remedy.clone().unwrap_or_else(|| problem.code.entry().remedy.to_owned());
    Refusal::Invalid(Box::new(denial.fix(remedy)))
}

fn not_installed(key: &InstallationKey) -> Denial {
    let reason = format!("no installation `{key}` runs here");
    Denial::new(Code::InstallationUnknown, Layer::Grant, format!("call {key}"), reason)
        .fix(format!("soma install FILE --as {} --tenant {}", key.id, key.org))
}
