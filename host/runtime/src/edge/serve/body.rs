//! The response body of a served capsule, on its way to the client.
//!
//! Every poll looks at the call first. What would end the response cleanly (the chunked terminator, or the last bytes of
//! a body of stated length) is withheld until the call has ended well and its receipt is durable. A call that ends in any
//! other way ends the body with an error, which the protocol shows as a reset and never as an end.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use futures::future::BoxFuture;
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};
use soma_policy::{LimitKind, Outcome};
use tokio_util::sync::WaitForCancellationFutureOwned;
use wasmtime_wasi_http::p2::body::HyperOutgoingBody;

use super::fields;
use crate::invoke::CallReply;
use crate::running::Running;

/// How long after the start of its gathering a response that is written may wait for its receipt before its head goes out.
const SETTLE: Duration = Duration::from_millis(100);

/// A response that does not end cleanly, and why. hyper turns it into a reset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum CutShort {
    /// The call was killed, met a limit, or was withdrawn.
    #[error("the call was cut")]
    Cut,
    /// The guest gave its body up.
    #[error("the guest did not finish its response")]
    Unfinished,
    /// The call ended in another way than well.
    #[error("the call ended as {0}")]
    Ended(Outcome),
}

/// How far a response has come.
enum Stage {
    /// The guest is still writing.
    Writing,
    /// All is written; what ends the response waits for the receipt.
    Withheld(Last),
    /// The guest gave up; the call goes on to its end.
    GivenUp,
    /// The last frame or the error is out.
    Ended,
}

/// What ends a response.
enum Last {
    /// The protocol's own terminator.
    Nothing,
    Data(Bytes),
    Trailers(HeaderMap),
}

/// A body that may still be being written while its first bytes are sent.
pub(crate) struct Streamed {
    inner: HyperOutgoingBody,
    running: Arc<Running>,
    cut: Pin<Box<WaitForCancellationFutureOwned>>,
    ending: BoxFuture<'static, CallReply>,
    ended: Option<Box<CallReply>>,
    /// Read ahead of the head.
    ahead: Vec<Bytes>,
    /// Bytes that a stated length still asks for.
    left: Option<u64>,
    stage: Stage,
}

/// What to do with bytes that come before the head is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ahead {
    /// Keep up to this many, then begin to stream.
    Keep(usize),
    /// The response has no body on the wire: read it to its end and forget it.
    Discard,
}

/// What a response has become by the time its head is due.
pub(crate) enum Gathered {
    /// All of it, with a durable receipt.
    Whole(Bytes, Option<HeaderMap>),
    /// The rest comes as it is written.
    Streaming(Streamed),
    /// It does not come to a good end.
    Failed(Streamed),
}

impl Streamed {
    /// `length` is what the response's `content-length` states, if it does.
    pub(crate) fn new(
        inner: HyperOutgoingBody,
        running: Arc<Running>,
        ending: BoxFuture<'static, CallReply>,
        length: Option<u64>,
    ) -> Self {
        let cut = Box::pin(running.token().clone().cancelled_owned());
        let stage = Stage::Writing;
        Self { inner, running, cut, ending, ended: None, ahead: Vec::new(), left: length, stage }
    }

    /// Reads what the guest writes until it and its receipt are done, or `patience` is over. A response that is done by
    /// then goes out in one piece. One that is written and only waits for its receipt is given [`SETTLE`] more: nothing
    /// else would follow a head that is sent now.
    pub(crate) async fn gather(
        mut self,
        ahead: Ahead,
        patience: impl Future<Output = ()>,
    ) -> Gathered {
        let settle = tokio::time::sleep(SETTLE);
        tokio::pin!(patience, settle);
        let (mut kept, mut impatient) = (0, false);
        let done = std::future::poll_fn(|cx| {
            if let Poll::Ready(done) = self.read_ahead(cx, ahead, &mut kept) {
                return Poll::Ready(done);
            }
            if !impatient {
                ready!(patience.as_mut().poll(cx));
                impatient = true;
            }
            match self.stage {
                Stage::Writing => Poll::Ready(None),
                _ => settle.as_mut().poll(cx).map(|()| None),
            }
        })
        .await;
        match done {
            None => Gathered::Streaming(self),
            Some(Err(_)) => Gathered::Failed(self),
            Some(Ok(last)) => self.whole(last),
        }
    }

    /// Ready with nothing when enough is kept, else when the call has ended.
    fn read_ahead(
        &mut self,
        cx: &mut Context<'_>,
        ahead: Ahead,
        kept: &mut usize,
    ) -> Poll<Option<Result<Last, CutShort>>> {
        loop {
            if ahead_is_full(ahead, *kept) {
                return Poll::Ready(None);
            }
            match ready!(self.step(cx)) {
                Ok(Step::Data(data)) if ahead != Ahead::Discard => {
                    *kept += data.len();
                    self.ahead.push(data);
                }
                Ok(Step::Data(_)) => {}
                Ok(Step::Last(last)) => return Poll::Ready(Some(Ok(last))),
                Err(error) => return Poll::Ready(Some(Err(error))),
            }
        }
    }

    fn whole(mut self, last: Last) -> Gathered {
        let trailers = match last {
            Last::Data(data) => {
                self.ahead.push(data);
                None
            }
            Last::Trailers(trailers) => Some(trailers),
            Last::Nothing => None,
        };
        Gathered::Whole(join(self.ahead), trailers)
    }

    /// How the call ended, for a response of the host's own instead of this one.
    pub(crate) async fn into_reply(self) -> CallReply {
        match self.ended {
            Some(reply) => *reply,
            None => self.ending.await,
        }
    }

    /// The next thing to go out.
    fn step(&mut self, cx: &mut Context<'_>) -> Poll<Result<Step, CutShort>> {
        loop {
            // Polling the token as a future also wakes this body when a kill comes while it waits.
            if self.running.live().is_err() || self.cut.as_mut().poll(cx).is_ready() {
                return Poll::Ready(Err(CutShort::Cut));
            }
            match &self.stage {
                Stage::Writing => {
                    if let Some(data) = ready!(self.written(cx))? {
                        return Poll::Ready(Ok(Step::Data(data)));
                    }
                }
                Stage::GivenUp => return self.receipt(cx).map(|_| Err(CutShort::Unfinished)),
                Stage::Withheld(_) => {
                    ready!(self.receipt(cx))?;
                    let stage = std::mem::replace(&mut self.stage, Stage::Ended);
                    let Stage::Withheld(last) = stage else { continue };
                    return Poll::Ready(Ok(Step::Last(last)));
                }
                Stage::Ended => return Poll::Ready(Ok(Step::Last(Last::Nothing))),
            }
        }
    }

    /// The next bytes that may go out; none when the stage has changed.
    fn written(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, CutShort>> {
        let frame = match ready!(Pin::new(&mut self.inner).poll_frame(cx)) {
            None => {
                self.stage = Stage::Withheld(Last::Nothing);
                return Poll::Ready(Ok(None));
            }
            Some(Err(_)) => {
                self.stage = Stage::GivenUp;
                return Poll::Ready(Ok(None));
            }
            Some(Ok(frame)) => frame,
        };
        Poll::Ready(match frame.into_data() {
            Ok(data) => self.data(data),
            Err(frame) => {
                let mut trailers = frame.into_trailers().unwrap_or_default();
                fields::release(&mut trailers);
                self.stage = Stage::Withheld(Last::Trailers(trailers));
                Ok(None)
            }
        })
    }

    fn data(&mut self, data: Bytes) -> Result<Option<Bytes>, CutShort> {
        self.running.charge(LimitKind::Output, data.len() as u64).map_err(|_| CutShort::Cut)?;
        let Some(left) = &mut self.left else { return Ok(Some(data)) };
        *left = left.saturating_sub(data.len() as u64);
        if *left == 0 {
            self.stage = Stage::Withheld(Last::Data(data));
            return Ok(None);
        }
        Ok(Some(data))
    }

    /// Ready once the call has ended and its receipt is durable.
    fn receipt(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), CutShort>> {
        let outcome = match &self.ended {
            Some(reply) => reply.outcome,
            None => {
                let reply = ready!(self.ending.as_mut().poll(cx));
                self.ended.insert(Box::new(reply)).outcome
            }
        };
        Poll::Ready(match outcome {
            Outcome::Ok => Ok(()),
            other => Err(CutShort::Ended(other)),
        })
    }
}

enum Step {
    Data(Bytes),
    Last(Last),
}

fn ahead_is_full(ahead: Ahead, kept: usize) -> bool {
    matches!(ahead, Ahead::Keep(max) if kept >= max)
}

fn join(mut chunks: Vec<Bytes>) -> Bytes {
    match chunks.len() {
        0 => Bytes::new(),
        1 => chunks.pop().unwrap_or_default(),
        _ => Bytes::from(chunks.concat()),
    }
}

impl Body for Streamed {
    type Data = Bytes;
    type Error = CutShort;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, CutShort>>> {
        let this = &mut *self;
        if !this.ahead.is_empty() && this.running.live().is_ok() {
            let ahead = std::mem::take(&mut this.ahead);
            return Poll::Ready(Some(Ok(Frame::data(join(ahead)))));
        }
        Poll::Ready(match ready!(this.step(cx)) {
            Ok(Step::Data(data)) => Some(Ok(Frame::data(data))),
            Ok(Step::Last(Last::Nothing)) => None,
            Ok(Step::Last(Last::Data(data))) => Some(Ok(Frame::data(data))),
            Ok(Step::Last(Last::Trailers(trailers))) => Some(Ok(Frame::trailers(trailers))),
            Err(error) => Some(Err(error)),
        })
    }

    fn is_end_stream(&self) -> bool {
        matches!(self.stage, Stage::Ended) && self.ahead.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        let withheld = match &self.stage {
            Stage::Withheld(Last::Data(data)) => data.len() as u64,
            _ => 0,
        };
        let ahead: u64 = self.ahead.iter().map(|chunk| chunk.len() as u64).sum();
        self.left
            .map_or_else(SizeHint::default, |left| SizeHint::with_exact(left + ahead + withheld))
    }
}

#[cfg(test)]
#[path = "body_tests.rs"]
mod tests;
