//! A request of a served capsule as a call: the guest's side.
//!
//! The guest must set a response and finish the body that it opens. Upstream ends the body of a store that is dropped as
//! if it were complete, so what is left open in the table after the guest returned is looked for here, and so is a body
//! that it gave up: what the client did not get whole is not recorded as if it were.

use std::sync::Arc;

use futures::future::{BoxFuture, FutureExt as _};
use http::{Method, Request, Response};
use hyper::body::Incoming;
use parking_lot::Mutex;
use soma_policy::{Caller, Code, InstallationKey};
use tokio::sync::oneshot;
use wasmtime::Store;
use wasmtime_wasi_http::p2::bindings::http::types::{ErrorCode, Scheme};
use wasmtime_wasi_http::p2::body::{HostOutgoingBody, HyperOutgoingBody};

use super::fields;
use super::handed::{Left, Owed, hand_over};
use super::upload::Upload;
use crate::component::Plan;
use crate::host::Host;
use crate::invoke::{Ask, CallReply, Done};
use crate::output::Output;
use crate::running::Running;
use crate::sandbox::Failure;
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
    /// The body was dropped, or is not as long as `content-length` says.
    #[error("the capsule gave up its response body, or it is not of the length that was stated")]
    GivenUp,
}

impl ServeFault {
    const fn code(self) -> Code {
        match self {
            Self::NoResponse => Code::GuestNoResponse,
            Self::UnfinishedBody | Self::GivenUp => Code::GuestBadResponse,
        }
    }

    fn into_done(self) -> Done {
        Done::Failed(Failure::Trapped(Some(self.code()), self.to_string()))
    }
}

/// What the guest has set so far.
enum Answered {
    Response(Left),
    Error,
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
        let (id, timeout, parent, candidate) = (None, None, None, None);
        let ask = Ask { caller, key, function, id, timeout, input, parent, candidate };
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
    let head_only = request.method() == Method::HEAD;
    let answered = Arc::new(Mutex::new(None));
    let set = Arc::clone(&answered);
    let answer = move |response: Result<Response<HyperOutgoingBody>, ErrorCode>| {
        let (head, left) = match response {
            Err(_) => (Head::Error, Answered::Error),
            Ok(response) => {
                let (parts, body) = response.into_parts();
                let (body, left) = hand_over(body, owed(&parts, head_only));
                (Head::Response(Response::from_parts(parts, body)), Answered::Response(left))
            }
        };
        *set.lock() = Some(left);
        // The client may have gone by now; then the call is being cut.
        let _ = send.send(head);
    };
    let mut view = crate::capability::http::view(store.data_mut());
    let request = view.new_incoming_request(scheme, request)?;
    let out = view.new_response_outparam_from_callback(answer)?;
    proxy.wasi_http_incoming_handler().call_handle(&mut *store, request, out).await?;
    let answered = answered.lock().take();
    let left = match answered {
        None => return Ok(ServeFault::NoResponse.into_done()),
        Some(Answered::Error) => {
            let words = "the capsule answered with an error of its own";
            return Ok(Done::GuestError(serde_json::json!(words)));
        }
        Some(Answered::Response(left)) => left,
    };
    if holds_open_body(store.data_mut()) {
        return Ok(ServeFault::UnfinishedBody.into_done());
    }
    if left.is_broken() {
        return Ok(ServeFault::GivenUp.into_done());
    }
    Ok(Done::Streamed)
}

fn owed(parts: &http::response::Parts, head_only: bool) -> Owed {
    match super::stated_length(&parts.headers) {
        _ if head_only || super::has_no_body(parts.status) => Owed::Nothing,
        Some(bytes) => Owed::Exactly(bytes),
        None => Owed::Whole,
    }
}

fn holds_open_body(ctx: &mut Ctx) -> bool {
    !ctx.table.is_empty() && ctx.table.iter_mut().any(|entry| entry.is::<HostOutgoingBody>())
}
