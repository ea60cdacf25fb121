//! A request of a served capsule as a call: the guest's side.
//!
//! The guest must set a response and finish the body that it opens. Upstream ends the body of a store that is dropped as
//! if it were complete, so what is left open in the table after the guest returned is looked for here.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures::future::{BoxFuture, FutureExt as _};
use http::{Request, Response};
use hyper::body::Incoming;
use soma_policy::{Caller, Code, InstallationKey};
use tokio::sync::oneshot;
use wasmtime::Store;
use wasmtime_wasi_http::p2::bindings::http::types::{ErrorCode, Scheme};
use wasmtime_wasi_http::p2::body::{HostOutgoingBody, HyperOutgoingBody};

use super::fields;
use super::upload::Upload;
use crate::component::Plan;
use crate::host::Host;
use crate::invoke::{Ask, CallReply, Done};
use crate::output::Output;
use crate::running::Running;
use crate::state::Ctx;

/// What a guest set as its answer.
pub(crate) enum Head {
    Response(Response<HyperOutgoingBody>),
    Error,
}

/// A call under way.
pub(crate) struct Served {
    pub(crate) head: oneshot::Receiver<Head>,
    pub(crate) running: Arc<Running>,
    pub(crate) ending: BoxFuture<'static, CallReply>,
}

/// Why a guest that returned has not answered. The words end up in the call's detail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ServeFault {
    /// `response-outparam.set` was never called.
    #[error("the capsule returned without setting a response")]
    NoResponse,
    /// An `outgoing-body` was neither finished nor dropped.
    #[error("the capsule returned without finishing its response body")]
    UnfinishedBody,
}

impl Served {
    /// Starts the call, unless something refuses it.
    pub(crate) async fn start(
        host: &Arc<Host>,
        key: InstallationKey,
        caller: Caller,
        request: Request<Incoming>,
        scheme: Scheme,
    ) -> Result<Self, Box<CallReply>> {
        let function = host.served_function();
        let input = input_bytes(&request);
        let ask = Ask { caller, key, function, id: None, timeout: None, input, parent: None };
        let started = host.start(ask, Output::collected()).await?;
        let running = Arc::clone(&started.running);
        let (send, head) = oneshot::channel();
        let (mut parts, body) = request.into_parts();
        parts.extensions.clear();
        fields::admit(&mut parts.headers);
        let request = Request::from_parts(parts, Upload::new(body, Arc::clone(&running)));
        let pending =
            started.go(move |store, plan| handle(store, plan, request, scheme, send).boxed());
        let ending = pending.reply().boxed();
        Ok(Self { head, running, ending })
    }
}

fn input_bytes<B>(request: &Request<B>) -> u64 {
    let fields = request.headers().iter().map(|(name, value)| name.as_str().len() + value.len());
    (fields.sum::<usize>()
        + request.uri().path_and_query().map_or(1, |target| target.as_str().len())) as u64
}

async fn handle(
    store: &mut Store<Ctx>,
    plan: Plan,
    request: Request<Upload>,
    scheme: Scheme,
    send: oneshot::Sender<Head>,
) -> wasmtime::Result<Done> {
    let Some(indices) = plan.proxy else {
        return Ok(Done::BadInput(
            Code::FunctionUnknown,
            "the capsule exports no wasi:http/incoming-handler".to_owned(),
        ));
    };
    let instance = plan.pre.instantiate_async(&mut *store).await?;
    let proxy = indices.load(&mut *store, &instance)?;
    let answered = Arc::new(AtomicBool::new(false));
    let failed = Arc::new(AtomicBool::new(false));
    let (set, error) = (Arc::clone(&answered), Arc::clone(&failed));
    let answer = move |response: Result<Response<HyperOutgoingBody>, ErrorCode>| {
        set.store(true, Ordering::Relaxed);
        error.store(response.is_err(), Ordering::Relaxed);
        // The client may have gone by now; then the call is being cut.
        let _ = send.send(response.map_or(Head::Error, Head::Response));
    };
    let mut view = crate::capability::http::view(store.data_mut());
    let request = view.new_incoming_request(scheme, request)?;
    let out = view.new_response_outparam_from_callback(answer)?;
    proxy.wasi_http_incoming_handler().call_handle(&mut *store, request, out).await?;
    if !answered.load(Ordering::Relaxed) {
        return Err(ServeFault::NoResponse.into());
    }
    if failed.load(Ordering::Relaxed) {
        return Ok(Done::GuestError(serde_json::json!(
            "the capsule answered with an error of its own"
        )));
    }
    if holds_open_body(store.data_mut()) {
        return Err(ServeFault::UnfinishedBody.into());
    }
    Ok(Done::Streamed)
}

fn holds_open_body(ctx: &mut Ctx) -> bool {
    !ctx.table.is_empty() && ctx.table.iter_mut().any(|entry| entry.is::<HostOutgoingBody>())
}
