//! One call, from an authorised request to its receipt.
//!
//! The order is the product: snapshot → authorise → slot → lease → registered as running → kill set
//! → start record → component → guest → end by one compare-and-swap → receipt, durable → reply. A
//! call that was registered always ends in a receipt, whatever happens in between.
//!
//! No database, no network of ours and no global lock lies on the way.

use std::sync::Arc;

use serde_json::Value;
use soma_policy::{
    CallId, Caller, Code, Denial, FunctionName, InstallationKey, LabelSet, Millis, Money, Outcome,
    Usage,
};
use tokio::sync::{mpsc, oneshot};

use crate::output::CallEvent;
use crate::running::{Cut, Running};

mod finish;
mod function;
mod start;

pub(crate) use finish::Done;
pub use finish::ReceiptRef;
pub(crate) use start::{Ask, Parent, Started};

/// A call that somebody asks for.
#[derive(Debug, Clone)]
pub struct CallRequest {
    /// Who asks, as the token says.
    pub caller: Caller,
    /// What is called.
    pub installation: InstallationKey,
    /// Which function of it.
    pub function: FunctionName,
    /// The arguments, an object by parameter name.
    pub arguments: Value,
    /// The idempotency key, if the client chose one.
    pub id: Option<CallId>,
    /// Less time than the installation's limit.
    pub timeout: Option<Millis>,
    /// Whether somebody reads events as they come.
    pub stream: bool,
}

/// How a call ended, complete.
#[derive(Debug, Clone)]
pub struct CallReply {
    /// The call.
    pub call: CallId,
    /// How it ended.
    pub outcome: Outcome,
    /// What the function returned.
    pub result: Option<Value>,
    /// The function's own error.
    pub guest_error: Option<Value>,
    /// Chunks and events, when nobody streamed them.
    pub events: Vec<CallEvent>,
    /// Everything that was refused on the way, even if the guest swallowed it.
    pub denials: Vec<Denial>,
    /// Denials beyond those kept.
    pub denials_dropped: u32,
    /// What it used.
    pub usage: Usage,
    /// What its data carries with it, for a caller that is a capsule itself.
    pub(crate) labels: LabelSet,
    /// A code that says more than the outcome's.
    pub code: Option<Code>,
    /// What the call is charged.
    pub charge: Option<Money>,
    /// Words about a trap or failure, the demangled backtrace included.
    pub detail: Option<String>,
    /// Where the journal holds its receipt; none if it never started.
    pub receipt: Option<ReceiptRef>,
}

/// A call under way. Dropping it cuts the call: nobody is left to hear the answer.
pub struct Pending {
    /// The call's id.
    pub call: CallId,
    /// Events as they come, when the request asked to stream.
    pub events: Option<mpsc::Receiver<CallEvent>>,
    reply: oneshot::Receiver<CallReply>,
    running: Option<Arc<Running>>,
}

impl Pending {
    pub(crate) fn new(running: Arc<Running>, reply: oneshot::Receiver<CallReply>) -> Self {
        Self { call: running.ids.call, events: None, reply, running: Some(running) }
    }

    fn with_events(mut self, events: Option<mpsc::Receiver<CallEvent>>) -> Self {
        self.events = events;
        self
    }

    /// Waits for the end.
    pub async fn reply(mut self) -> CallReply {
        let reply = (&mut self.reply).await;
        self.running = None;
        reply.unwrap_or_else(|_| CallReply::refused(self.call, Outcome::HostFailure))
    }

    /// Waits for the end while events are read elsewhere.
    pub async fn ended(&mut self) -> CallReply {
        let reply = (&mut self.reply).await;
        self.running = None;
        reply.unwrap_or_else(|_| CallReply::refused(self.call, Outcome::HostFailure))
    }

    fn refused(reply: CallReply) -> Self {
        let (sender, receiver) = oneshot::channel();
        let call = reply.call;
        // The receiver is right here.
        let _ = sender.send(reply);
        Self { call, events: None, reply: receiver, running: None }
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        if let Some(running) = self.running.take() {
            running.cut(Cut::Abandoned);
        }
    }
}

impl CallReply {
    /// A reply to a call that never started.
    pub(crate) fn refused(call: CallId, outcome: Outcome) -> Self {
        Self {
            call,
            outcome,
            result: None,
            guest_error: None,
            events: Vec::new(),
            denials: Vec::new(),
            denials_dropped: 0,
            usage: Usage::default(),
            labels: LabelSet::EMPTY,
            code: None,
            charge: None,
            detail: None,
            receipt: None,
        }
    }

    pub(crate) fn with_detail(self, words: impl Into<String>) -> Self {
        Self { detail: Some(words.into()), ..self }
    }
}
