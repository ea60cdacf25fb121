//! A function call: JSON in, JSON out, for any function that a component exports.

use std::sync::Arc;

use futures::FutureExt as _;
use serde_json::Value;
use soma_policy::{Code, LimitKind};
use wasmtime::Store;
use wasmtime::component::Val;

use super::finish::Done;
use super::start::{Ask, Parent, Started};
use super::{CallReply, CallRequest, Pending};
use crate::component::Plan;
use crate::exports::Export;
use crate::host::Host;
use crate::output::Output;
use crate::running::Cut;
use crate::state::Ctx;
use crate::value::{self, CallValue, ValueCaps, ValueError};

impl Host {
    /// Calls a function. Returns when the call is refused, or has been started on the guests'
    /// threads.
    pub async fn call(self: &Arc<Self>, request: CallRequest) -> Pending {
        let (output, events) = if request.stream {
            let (output, events) = Output::streamed();
            (output, Some(events))
        } else {
            (Output::collected(), None)
        };
        let started = self.start(request.ask(None), output).await;
        match started {
            Err(reply) => Pending::refused(*reply),
            Ok(started) => {
                let (sender, reply) = tokio::sync::oneshot::channel();
                let running = started.running.clone();
                self.guests().spawn(async move {
                    // Nobody may listen any more; the call is on record all the same.
                    let _ = sender.send(started.function(request.arguments).await);
                });
                Pending::new(running, reply).with_events(events)
            }
        }
    }

    /// Calls a function for a guest: on the threads it already runs on, out of its reservation.
    pub(crate) async fn call_as_child(
        self: &Arc<Self>,
        request: CallRequest,
        parent: Parent,
    ) -> CallReply {
        let spender = parent.running.clone();
        let reply = match self.start(request.ask(Some(parent)), Output::collected()).await {
            Err(reply) => return *reply,
            Ok(started) => started.function(request.arguments).boxed().await,
        };
        // What the child used is the parent's use too: its limits hold for the whole tree.
        spender.meter.absorb(&reply.usage);
        if spender.check_cpu(false).is_err() {
            tracing::debug!(call = %spender.ids.call, "a child used up its parent's CPU time");
        }
        reply
    }
}

impl CallRequest {
    fn ask(&self, parent: Option<Parent>) -> Ask {
        Ask {
            caller: self.caller.clone(),
            key: self.installation.clone(),
            function: self.function.clone(),
            id: self.id,
            timeout: self.timeout,
            input: value::size_of_json(&self.arguments),
            parent,
            candidate: None,
        }
    }
}

impl Started {
    /// Runs a function and ends the call.
    pub(crate) async fn function(self, arguments: Value) -> CallReply {
        let caps = ValueCaps::for_bytes(self.installation.limits.input.0);
        let done = match self.loaded().await {
            Err(done) => done,
            Ok(loaded) => match loaded.exports.get(&self.running.function) {
                None => Done::BadInput(
                    Code::FunctionUnknown,
                    no_function(&self, &loaded.exports.names()),
                ),
                Some(export) => match value::args_from_json(&export.params, &arguments, &caps) {
                    Err(error) => Done::BadInput(Code::InputType, error.to_string()),
                    Ok(params) => {
                        let export = export.clone();
                        self.within(&loaded, move |store, plan| {
                            work(store, plan, export, params).boxed()
                        })
                        .await
                    }
                },
            },
        };
        self.finish(done).await
    }
}

fn no_function(started: &Started, names: &[&str]) -> String {
    format!("no function `{}`; it exports: {}", started.running.function, names.join(", "))
}

async fn work(
    store: &mut Store<Ctx>,
    plan: Plan,
    export: Export,
    params: Vec<Val>,
) -> wasmtime::Result<Done> {
    let instance = plan.pre.instantiate_async(&mut *store).await?;
    let function = instance
        .get_func(&mut *store, export.index)
        .ok_or_else(|| wasmtime::Error::msg("the component lost an export"))?;
    let mut results = vec![Val::Bool(false); export.results.len()];
    function.call_async(&mut *store, &params, &mut results).await?;
    let running = store.data().gate.running().clone();
    let caps = ValueCaps::for_bytes(store.data().gate.running().meter.left(LimitKind::Output));
    let value =
        value::result_to_json(&results, &export.results, &caps).map_err(|error| beyond(&error))?;
    let (json, done): (u64, Done) = match value {
        CallValue::Ok(value) => (value::size_of_json(&value), Done::Returned(value)),
        CallValue::GuestError(value) => (value::size_of_json(&value), Done::GuestError(value)),
    };
    running.charge(LimitKind::Output, json)?;
    Ok(done)
}

/// A result that is too large for its caps has met the limit that they came from.
fn beyond(error: &ValueError) -> wasmtime::Error {
    if error.is_too_much() {
        return Cut::Limit(LimitKind::Output).into();
    }
    wasmtime::Error::msg(error.to_string())
}
