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
use soma_policy::LimitKind;
use wasmtime::component::ResourceTableError;
use wasmtime::{Store, UpdateDeadline};

use crate::component::Plan;
use crate::cpu::Metered;
use crate::running::{Cut, Running};
use crate::state::Ctx;

/// Handles that the canonical ABI keeps for a guest, per store.
const COMPONENT_HANDLES_MAX: usize = 4096;
/// Lifting a host call's arguments may allocate this many times the bytes a call may exchange: a
/// backstop behind the counters of our views, which say what happened.
const HOSTCALL_FUEL_FACTOR: usize = 2;

/// Why the work of a guest did not return.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The host ended it.
    Cut(Cut),
    /// The guest trapped; the words carry its demangled backtrace.
    Trapped(String),
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
        let fuel = usize::try_from(running.meter.left(LimitKind::Hostcall)).unwrap_or(usize::MAX);
        let mut store = Store::new(engine, ctx);
        store.limiter(|ctx| &mut ctx.limiter);
        store.set_epoch_deadline(1);
        store.epoch_deadline_callback(|store| {
            let running = store.data().gate.running();
            // Interrupts by the typed cut, so that the outcome knows why.
            running.check_cpu(true).map_err(wasmtime::Error::from)?;
            Ok(UpdateDeadline::Yield(1))
        });
        store.set_max_component_handles(COMPONENT_HANDLES_MAX);
        store.set_hostcall_fuel(fuel.saturating_mul(HOSTCALL_FUEL_FACTOR));
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
            Some(Ok(Err(error))) => Err(explain(&running, &error)),
        }
    }
}

/// Tells a cut, a limit of the engine, and a trap apart.
fn explain(running: &Running, error: &wasmtime::Error) -> Failure {
    if let Some(cut) = error.downcast_ref::<Cut>() {
        running.cut(*cut);
        return Failure::Cut(running.cut_reason());
    }
    if running.live().is_err() {
        return Failure::Cut(running.cut_reason());
    }
    if let Some(wasmtime::Trap::StackOverflow) = error.downcast_ref::<wasmtime::Trap>() {
        running.cut(Cut::Limit(LimitKind::Stack));
        return Failure::Cut(running.cut_reason());
    }
    if let Some(ResourceTableError::Full) = error.downcast_ref::<ResourceTableError>() {
        running.cut(Cut::Limit(LimitKind::Handles));
        return Failure::Cut(running.cut_reason());
    }
    if error.downcast_ref::<wasmtime::PoolConcurrencyLimitError>().is_some() {
        return Failure::Host(format!("{error:#}"));
    }
    Failure::Trapped(format!("{error:?}"))
}

fn panic_words(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
    format!("a host function panicked: {}", text.unwrap_or_default())
}
