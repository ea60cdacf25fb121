//! One running call: who it is, what it used, what it was denied, and how it ends.
//!
//! A call ends by one compare-and-swap, Running → Finished | Cut(why); the winner is the outcome
//! everywhere. Whoever holds a `Running` can cut it: the kill store, a limit, the clock, the client
//! that went away. Cutting wakes everything that waits on the call's token; it never resumes the
//! guest.
//!
//! Deliberately absent: deciding. The gate decides, this room remembers.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use futures::future::{BoxFuture, FutureExt as _, Shared};
use parking_lot::Mutex;
use soma_capsule::crash_point;
use soma_policy::{
    Authorised, CallId, Denial, Installation, LabelSet, LimitKind, OperatorPolicy, OrderId, Usage,
};
use tokio_util::sync::CancellationToken;

use crate::meter::Meter;
use crate::output::Output;
use crate::token::Bearer;

/// Denials kept with a call; more are counted.
const DENIALS_MAX: usize = 32;
/// Mapped origins kept for the receipt.
const MAPPED_PEERS_MAX: usize = 8;

/// Why the host ended a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Cut {
    /// By a kill order.
    #[error("killed by order {0}")]
    Killed(OrderId),
    /// By a limit of its own.
    #[error("the call reached its {0} limit")]
    Limit(LimitKind),
    /// Its right to run was withdrawn while it ran (uninstall, narrower grant, revoked token,
    /// another constitution).
    #[error("the grant that the call ran under was withdrawn")]
    Withdrawn,
    /// Whoever called went away.
    #[error("the caller went away")]
    Abandoned,
    /// The server was not heard of for longer than its class allows.
    #[error("the host has not heard from its server")]
    Stale,
    /// The host is shutting down, or can no longer record what happens.
    #[error("the host could not let the call go on")]
    Interrupted,
}

/// How a call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Finished,
    Cut(Cut),
}

/// The names of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct CallIds {
    pub(crate) call: CallId,
    /// The call whose guest made this one, if any.
    pub(crate) parent: Option<CallId>,
    /// The first of the chain; itself without a parent.
    pub(crate) root: CallId,
}

/// Resolves to true once the start record is durable, to false if it never will be.
pub(crate) type Durable = Shared<BoxFuture<'static, bool>>;

/// A call from its registration to its receipt.
pub(crate) struct Running {
    pub(crate) ids: CallIds,
    pub(crate) installation: Arc<Installation>,
    pub(crate) function: String,
    pub(crate) meter: Meter,
    /// Monotonic time of the start, by the host's clock.
    pub(crate) started: Duration,
    pub(crate) deadline: Duration,
    end: OnceLock<End>,
    cut: CancellationToken,
    /// Cancelled once the guest's store is gone: nothing of it runs any more.
    joined: CancellationToken,
    /// Blocking operations that cannot be stopped, still under way.
    draining: AtomicU32,
    denials: Mutex<Vec<Denial>>,
    denials_dropped: AtomicU32,
    start: OnceLock<Durable>,
    output: OnceLock<Output>,
    /// The token that the call runs under, its own or its caller's.
    bearer: OnceLock<Bearer>,
    /// By what it was let in.
    authorised: OnceLock<Weak<Authorised>>,
    /// A policy that came while it runs: it may narrow what the first one allows.
    later: ArcSwapOption<OperatorPolicy>,
    /// What the guest waits for, in words, for `soma ps`.
    waiting: Mutex<Option<String>>,
    labels: Mutex<LabelSet>,
    mapped_peers: Mutex<Vec<String>>,
}

/// What a new [`Running`] is made of.
pub(crate) struct NewCall {
    pub(crate) ids: CallIds,
    pub(crate) installation: Arc<Installation>,
    pub(crate) function: String,
    pub(crate) limits: soma_policy::Limits,
    pub(crate) started: Duration,
    pub(crate) parent_cut: Option<CancellationToken>,
}

impl Running {
    pub(crate) fn new(new: NewCall) -> Arc<Self> {
        let wall = Duration::from_millis(new.limits.wall.0);
        // A child's token hangs under its parent's: cutting the parent cuts the child.
        let cut = new.parent_cut.map_or_else(CancellationToken::new, |up| up.child_token());
        Arc::new(Self {
            ids: new.ids,
            installation: new.installation,
            function: new.function,
            meter: Meter::new(&new.limits),
            started: new.started,
            deadline: new.started.saturating_add(wall),
            end: OnceLock::new(),
            cut,
            joined: CancellationToken::new(),
            draining: AtomicU32::new(0),
            denials: Mutex::new(Vec::new()),
            denials_dropped: AtomicU32::new(0),
            start: OnceLock::new(),
            output: OnceLock::new(),
            bearer: OnceLock::new(),
            authorised: OnceLock::new(),
            later: ArcSwapOption::empty(),
            waiting: Mutex::new(None),
            labels: Mutex::default(),
            mapped_peers: Mutex::default(),
        })
    }

    /// Ends the call from outside. True if this cut is the one that counts.
    pub(crate) fn cut(&self, why: Cut) -> bool {
        let won = self.end.set(End::Cut(why)).is_ok();
        self.cut.cancel();
        won
    }

    /// Ends the call from inside. True if nothing cut it before.
    pub(crate) fn finish(&self) -> bool {
        self.end.set(End::Finished).is_ok()
    }

    /// How the call ended, if it did.
    pub(crate) fn end(&self) -> Option<End> {
        self.end.get().copied()
    }

    /// Whether the guest may go on. A parent's cut reaches a child here, as an interruption.
    pub(crate) fn live(&self) -> Result<(), Cut> {
        if !self.cut.is_cancelled() {
            return Ok(());
        }
        Err(self.cut_reason())
    }

    /// The reason to give once the token is cancelled.
    pub(crate) fn cut_reason(&self) -> Cut {
        match self.end.get_or_init(|| End::Cut(Cut::Interrupted)) {
            End::Cut(why) => *why,
            End::Finished => Cut::Interrupted,
        }
    }

    /// Cancelled as soon as the call is cut. Everything that waits for it selects on this.
    pub(crate) fn token(&self) -> &CancellationToken {
        &self.cut
    }

    /// Adds to a counter, or ends the call at its limit.
    pub(crate) fn charge(&self, kind: LimitKind, more: u64) -> Result<(), Cut> {
        self.live()?;
        if self.meter.add(kind, more) {
            return Ok(());
        }
        self.cut(Cut::Limit(kind));
        Err(self.cut_reason())
    }

    /// Charges bytes that cross between guest and host in one direction.
    pub(crate) fn charge_bytes(&self, bytes: usize) -> Result<(), Cut> {
        self.charge(LimitKind::Hostcall, bytes as u64)
    }

    /// Ends the call if its CPU time is spent.
    pub(crate) fn check_cpu(&self, on_thread: bool) -> Result<(), Cut> {
        self.live()?;
        if self.meter.cpu_is_spent(on_thread) {
            self.cut(Cut::Limit(LimitKind::Cpu));
            return Err(self.cut_reason());
        }
        Ok(())
    }

    /// Keeps a denial for outcome and receipt, even if the guest swallows the error.
    pub(crate) fn denied(&self, denial: Denial) {
        let mut denials = self.denials.lock();
        if denials.len() < DENIALS_MAX {
            denials.push(denial);
        } else {
            self.denials_dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// The denials so far, and how many more were not kept.
    pub(crate) fn denials(&self) -> (Vec<Denial>, u32) {
        (self.denials.lock().clone(), self.denials_dropped.load(Ordering::Relaxed))
    }

    /// Hands over the promise that the start record becomes durable. Once only.
    pub(crate) fn set_start(&self, durable: BoxFuture<'static, bool>) {
        // A second promise would be a second start record: the first one stands.
        let _ = self.start.set(durable.shared());
    }

    /// Hands over where the call's log lies, for whoever reads it while the call runs.
    pub(crate) fn set_output(&self, output: Output) {
        // A call has one output; the first one stands.
        let _ = self.output.set(output);
    }

    /// Says under which token the call runs.
    pub(crate) fn set_bearer(&self, token: Option<Bearer>) {
        if let Some(token) = token {
            // A call has one caller; the first one stands.
            let _ = self.bearer.set(token);
        }
    }

    /// Says by what it was let in.
    pub(crate) fn set_authorised(&self, by: &Arc<Authorised>) {
        // A call is let in once; the first one stands.
        let _ = self.authorised.set(Arc::downgrade(by));
    }

    /// Judges it by a policy that came while it runs; true if that ended it.
    pub(crate) fn judge_by(&self, policy: &Arc<OperatorPolicy>) -> bool {
        let Some(by) = self.authorised.get().and_then(Weak::upgrade) else { return false };
        self.later.store(Some(Arc::clone(policy)));
        match policy.judge_call(by.installation(), by.caller(), by.function()) {
            Ok(()) => false,
            Err(denial) => {
                self.denied(*denial);
                self.cut(Cut::Withdrawn)
            }
        }
    }

    /// The policy that came last while it runs, if any did.
    pub(crate) fn later_policy(&self) -> arc_swap::Guard<Option<Arc<OperatorPolicy>>> {
        self.later.load()
    }

    pub(crate) fn bearer(&self) -> Option<&Bearer> {
        self.bearer.get()
    }

    pub(crate) fn output(&self) -> Option<&Output> {
        self.output.get()
    }

    /// Waits until the start record is durable: asked before each externally visible effect.
    pub(crate) async fn before_effect(&self) -> Result<(), Cut> {
        self.live()?;
        let durable = match self.start.get() {
            Some(start) => {
                tokio::select! {
                    biased;
                    () = self.cut.cancelled() => return Err(self.cut_reason()),
                    durable = start.clone() => durable,
                }
            }
            // No promise, no effect: fail closed.
            None => false,
        };
        if !durable {
            self.cut(Cut::Interrupted);
            return Err(self.cut_reason());
        }
        crash_point!("host.effect.due");
        self.live()
    }

    /// What the data that the guest has read carries with it.
    pub(crate) fn labels(&self) -> LabelSet {
        *self.labels.lock()
    }

    /// From now on the guest may hold data with these labels.
    pub(crate) fn add_labels(&self, more: LabelSet) {
        let mut labels = self.labels.lock();
        *labels = labels.union(more);
    }

    /// Keeps an origin whose address the operator's peer map replaced, for the receipt.
    pub(crate) fn mapped_peer(&self, origin: &str) {
        let mut peers = self.mapped_peers.lock();
        if peers.len() < MAPPED_PEERS_MAX && !peers.iter().any(|known| known == origin) {
            peers.push(origin.to_owned());
        }
    }

    pub(crate) fn mapped_peers(&self) -> Vec<String> {
        self.mapped_peers.lock().clone()
    }

    /// Says in words what the guest waits for; dropped words mean it computes.
    pub(crate) fn waiting(&self, words: Option<String>) {
        *self.waiting.lock() = words;
    }

    pub(crate) fn waiting_for(&self) -> Option<String> {
        self.waiting.lock().clone()
    }

    /// Counts a blocking operation until the guard is dropped.
    pub(crate) fn drain_guard(self: &Arc<Self>) -> DrainGuard {
        self.draining.fetch_add(1, Ordering::SeqCst);
        DrainGuard(self.clone())
    }

    pub(crate) fn still_draining(&self) -> u32 {
        self.draining.load(Ordering::SeqCst)
    }

    /// Says that the store is gone.
    pub(crate) fn set_joined(&self) {
        self.joined.cancel();
    }

    /// Waits until nothing of the guest runs any more.
    pub(crate) async fn joined(&self) {
        self.joined.cancelled().await;
    }

    /// Usage at `now` (monotonic).
    pub(crate) fn usage(&self, now: Duration) -> Usage {
        let wall = now.saturating_sub(self.started).as_micros();
        self.meter.usage(u64::try_from(wall).unwrap_or(u64::MAX))
    }
}

/// Held by blocking work of a call that a kill cannot stop.
pub(crate) struct DrainGuard(Arc<Running>);

impl Drop for DrainGuard {
    fn drop(&mut self) {
        self.0.draining.fetch_sub(1, Ordering::SeqCst);
    }
}
