//! The second half of a call: how it ended, its receipt, and only then its reply.
//!
//! Whatever happened in between, a started call passes through here once: its end is decided, its
//! receipt is durable, what it did not use goes back to the lease, and the call moves from running
//! to ended.

use serde_json::Value;
use soma_capsule::crash_point;
use soma_policy::{Code, Denial, JournalEntry, JournalId, Layer, Outcome, Receipt};

use super::CallReply;
use super::start::Started;
use crate::calls::Ended;
use crate::host::{class_of, stale};
use crate::running::{Cut, End};
use crate::sandbox::Failure;

/// Where a receipt stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct ReceiptRef {
    /// The journal of the host.
    pub journal: JournalId,
    /// The line within it.
    pub seq: u64,
}

/// What the guest's side came to, before the compare-and-swap decides.
#[derive(Debug)]
pub(crate) enum Done {
    /// The function returned: its result as JSON.
    Returned(Value),
    /// The function returned its own error.
    GuestError(Value),
    /// It answered through a body that has been streamed.
    Streamed,
    /// The arguments do not fit the function.
    BadInput(Code, String),
    /// The component cannot be made ready; the code says more where the package is at fault.
    Unready(Option<Code>, String),
    /// It did not return.
    Failed(Failure),
}

/// The end of a call, without the names.
#[derive(Debug)]
struct Parts {
    outcome: Outcome,
    result: Option<Value>,
    guest_error: Option<Value>,
    code: Option<Code>,
    detail: Option<String>,
}

impl Parts {
    fn bare(outcome: Outcome) -> Self {
        Self { outcome, result: None, guest_error: None, code: None, detail: None }
    }

    fn of(done: Done) -> Self {
        let worded = |outcome, words| Self { detail: Some(words), ..Self::bare(outcome) };
        match done {
            Done::Returned(value) => Self { result: Some(value), ..Self::bare(Outcome::Ok) },
            Done::GuestError(value) => {
                Self { guest_error: Some(value), ..Self::bare(Outcome::GuestError) }
            }
            Done::Streamed => Self::bare(Outcome::Ok),
            Done::BadInput(code, words) => {
                Self { code: Some(code), ..worded(Outcome::GuestError, words) }
            }
            Done::Unready(code, words) => Self { code, ..worded(Outcome::HostFailure, words) },
            Done::Failed(Failure::Cut(cut)) => Self::bare(of_cut(cut)),
            Done::Failed(Failure::Trapped(code, words)) => {
                Self { code, ..worded(Outcome::Trapped, words) }
            }
            Done::Failed(Failure::Host(words)) => worded(Outcome::HostFailure, words),
        }
    }
}

/// What a cut is as an outcome.
fn of_cut(cut: Cut) -> Outcome {
    match cut {
        Cut::Killed(order) => Outcome::Killed(order),
        Cut::Limit(kind) => Outcome::Limit(kind),
        Cut::Withdrawn | Cut::Stale => Outcome::Denied,
        Cut::Abandoned => Outcome::Cancelled,
        Cut::Interrupted => Outcome::Interrupted,
    }
}

impl Started {
    /// Ends the call: decides, records durably, settles, and gives the reply.
    pub(crate) async fn finish(self, done: Done) -> CallReply {
        let parts = Parts::of(done);
        // The swap: whoever is first decides. A result that comes after a cut is not given out.
        self.running.finish();
        let parts = match self.running.end() {
            Some(End::Cut(cut)) => Parts { detail: parts.detail, ..Parts::bare(of_cut(cut)) },
            _ => parts,
        };
        self.running.set_joined();
        match self.running.end() {
            Some(End::Cut(Cut::Withdrawn)) => {
                self.running.denied(withdrawn(&self.running.function));
            }
            Some(End::Cut(Cut::Stale)) => {
                let class = class_of(&self.installation);
                self.running.denied(stale(self.installation.key(), class));
            }
            _ => {}
        }
        self.record(parts).await
    }

    async fn record(self, parts: Parts) -> CallReply {
        let receipt = self.receipt(parts.outcome);
        let host = self.host.clone();
        let entry = JournalEntry::Receipt(Box::new(receipt.clone()));
        let ticket = host.journal().append(&entry);
        crash_point!("host.receipt.appended");
        let (written, outcome) = match ticket.durable().await {
            Ok(position) => {
                crash_point!("host.receipt.durable");
                self.reservation.settle(receipt.charge);
                (
                    Some(ReceiptRef { journal: host.journal().id(), seq: position.seq }),
                    parts.outcome,
                )
            }
            // An outcome that is not on record is not given out as a success. Whatever the journal turns out
            // to hold of it, the worst case is spent.
            Err(error) => {
                self.reservation.forfeit();
                tracing::error!(call = %self.running.ids.call, %error, "receipt is not durable");
                (None, Outcome::HostFailure)
            }
        };
        let lost = written.is_none();
        let (denials, denials_dropped) = self.running.denials();
        let reply = CallReply {
            call: self.running.ids.call,
            outcome,
            result: parts.result.filter(|_| !lost),
            guest_error: parts.guest_error.filter(|_| !lost),
            events: self.output.take_collected(),
            denials,
            denials_dropped,
            usage: receipt.usage,
            labels: self.running.labels(),
            code: parts.code,
            charge: receipt.charge,
            detail: parts.detail,
            receipt: written,
        };
        host.calls().end(
            reply.call,
            Ended {
                key: self.installation.key.clone(),
                function: self.running.function.clone(),
                started: self.facts.started_at,
                reply: reply.clone(),
                log: self.output.lines(),
            },
        );
        host.metrics().ended(reply.outcome, &reply.usage, &reply.denials);
        drop(self.slot);
        reply
    }

    fn receipt(&self, outcome: Outcome) -> Receipt {
        let usage = self.reservation.billed(self.running.usage(self.host.clock().monotonic()));
        let (mut denials, dropped) = self.running.denials();
        let more = denials.len().saturating_sub(Receipt::DENIALS_MAX);
        denials.truncate(Receipt::DENIALS_MAX);
        Receipt {
            charge: self.reservation.charge(outcome, &usage),
            denials,
            denials_dropped: dropped.saturating_add(u32::try_from(more).unwrap_or(u32::MAX)),
            ended_at: self.host.clock().now(),
            facts: self.facts.clone(),
            mapped_peers: self.running.mapped_peers(),
            outcome,
            usage,
            v: Receipt::VERSION,
        }
    }
}

fn withdrawn(function: &str) -> Denial {
    let reason = "the grant or token that the call ran under was withdrawn while it ran";
    Denial::new(Code::Withdrawn, Layer::Grant, function.to_owned(), reason)
}
