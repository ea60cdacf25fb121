//! One store, one instance, one call: made fresh, driven under all limits, thrown away.
//!
//! The guest can be ended at any moment without its help: while it computes by the epoch callback,
//! while it waits by dropping its future, and its host calls by the call's token. A store that was
//! cut or has trapped is never used again; neither is one that finished.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use soma_policy::{Code, LimitKind};
use wasmtime::component::Val;
use wasmtime::{Store, UpdateDeadline};

use crate::component::Plan;
use crate::cpu::Metered;
use crate::meter::Meter;
use crate::running::{Cut, Running};
use crate::state::Ctx;
use crate::value::ValueCaps;

mod explain;

/// Each handle that a guest may hold is counted by the engine once more while it is lent to a call.
const HANDLE_COUNTS: usize = 2;
/// Lent handles of a guest that holds next to none.
const HANDLES_LENT: usize = 16;
/// Lifting a host call's arguments may allocate this many times the bytes a call may exchange: a
/// backstop behind the counters of our views, which say what happened.
const HOSTCALL_FUEL_FACTOR: usize = 2;

/// Why the work of a guest did not return.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The host ended it.
    Cut(Cut),
    /// The guest trapped; the words carry its demangled backtrace, the code a reason that has a name of
    /// its own.
    Trapped(Option<Code>, String),
    /// Our own code failed or panicked under the guest.
    Host(String),
}

/// A fresh store around one call's state.
pub(crate) struct Sandbox {
    store: Store<Ctx>,
    running: Arc<Running>,
}

/// The work to do inside: instantiates and calls.
pub(crate) type Work<'a, T> = BoxFuture<'a, wasmtime::Result<T>>;

impl Sandbox {
    pub(crate) fn new(engine: &wasmtime::Engine, ctx: Ctx) -> Self {
        let running = ctx.gate.running().clone();
        let (handles, fuel) = backstops(&running.meter);
        let mut store = Store::new(engine, ctx);
        store.limiter(|ctx| &mut ctx.limiter);
        store.set_epoch_deadline(1);
        store.epoch_deadline_callback(|store| {
            let running = store.data().gate.running();
            // Interrupts by the typed cut, so that the outcome knows why.
            running.check_cpu(true).map_err(wasmtime::Error::from)?;
            Ok(UpdateDeadline::Yield(1))
        });
        store.set_max_component_handles(handles);
        store.set_hostcall_fuel(fuel);
        Self { store, running }
    }

    /// Does `work` until it returns, is cut, or its time is over. Nothing of the guest is left
    /// when this returns.
    pub(crate) async fn run<T: Send + 'static>(
        mut self,
        plan: Plan,
        wall_left: Duration,
        work: impl for<'a> FnOnce(&'a mut Store<Ctx>, Plan) -> Work<'a, T> + Send,
    ) -> Result<T, Failure> {
        let running = self.running.clone();
        let done = {
            let over = || {
                // The cut is kept in the call itself; the select below sees its token.
                let _ = running.check_cpu(false);
            };
            let guest = AssertUnwindSafe(work(&mut self.store, plan)).catch_unwind();
            let guest = Metered::new(guest, &running.meter.cpu, over);
            tokio::select! {
                biased;
                () = running.token().cancelled() => None,
                () = tokio::time::sleep(wall_left) => {
                    running.cut(Cut::Limit(LimitKind::Wall));
                    None
                }
                done = guest => Some(done),
            }
        };
        drop(self.store);
        match done {
            None => Err(Failure::Cut(running.cut_reason())),
            Some(Err(panic)) => Err(Failure::Host(panic_words(panic.as_ref()))),
            Some(Ok(Ok(value))) => Ok(value),
            Some(Ok(Err(error))) => Err(explain::failure(&running, &error)),
        }
    }
}

/// What the engine itself bounds, from the limits of the call: handles, and the bytes that one crossing
/// between guest and host may make the host allocate. A result is lifted into values first, each of which
/// costs more than its JSON: one that fits the output limit must not fail here.
fn backstops(meter: &Meter) -> (usize, usize) {
    let left = |kind| usize::try_from(meter.left(kind)).unwrap_or(usize::MAX);
    let handles =
        left(LimitKind::Handles).saturating_mul(HANDLE_COUNTS).saturating_add(HANDLES_LENT);
    let values = left(LimitKind::Output).min(ValueCaps::NODES_MAX);
    let result = values.saturating_mul(size_of::<Val>());
    (handles, left(LimitKind::Hostcall).saturating_mul(HOSTCALL_FUEL_FACTOR).max(result))
}

fn panic_words(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
    format!("a host function panicked: {}", text.unwrap_or_default())
}
