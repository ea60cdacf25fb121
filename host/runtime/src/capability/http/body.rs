//! Bodies on their way out and in: counted, bounded in time, and ended with an error as soon as the call is over.
//!
//! Every poll looks at the call first. A body of a call that was cut never ends cleanly: the peer sees a reset, the guest
//! an error. Nothing is decompressed.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::{Instant, Sleep};
use wasmtime_wasi_http::{Error, WasiBody};

use super::headers;
use super::redact::Redactor;
use super::send::Slot;
use super::tap::Tap;

/// Frames without a byte that a peer may send in a row.
const EMPTY_FRAMES_MAX: u32 = 64;

/// A request body: the guest's, or one that the host completed with a secret.
pub(crate) struct Outbound {
    inner: WasiBody,
    tap: Tap,
}

impl Outbound {
    pub(crate) fn new(inner: WasiBody, tap: Tap) -> Self {
        Self { inner, tap }
    }
}

impl Body for Outbound {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        if let Err(error) = self.tap.live() {
            return Poll::Ready(Some(Err(error)));
        }
        let frame = ready!(Pin::new(&mut self.inner).poll_frame(cx));
        Poll::Ready(match frame {
            Some(Ok(frame)) => Some(self.tap.frame(frame)),
            Some(Err(error)) => Some(Err(error)),
            // A store that is dropped closes the guest's body like an end: only a call that still runs has ended it.
            None => self.tap.unended().err().map(Err),
        })
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

/// A response body on its way to the guest.
pub(crate) struct Inbound {
    inner: Incoming,
    tap: Tap,
    redactor: Option<Redactor>,
    between: Duration,
    quiet: Pin<Box<Sleep>>,
    empty: u32,
    trailers: Option<http::HeaderMap>,
    ended: bool,
    /// Held as long as the body is.
    _slot: Slot,
}

impl Inbound {
    /// `between` is the longest time without a frame.
    pub(crate) fn new(
        inner: Incoming,
        tap: Tap,
        redactor: Option<Redactor>,
        between: Duration,
        slot: Slot,
    ) -> Self {
        Self {
            inner,
            tap,
            redactor,
            between,
            quiet: Box::pin(tokio::time::sleep(between)),
            empty: 0,
            trailers: None,
            ended: false,
            _slot: slot,
        }
    }

    /// What to show of a frame; nothing when all of it is held back.
    fn take(&mut self, frame: Frame<Bytes>) -> Result<Option<Frame<Bytes>>, Error> {
        self.empty = if frame.data_ref().is_some_and(Bytes::is_empty) { self.empty + 1 } else { 0 };
        if self.empty > EMPTY_FRAMES_MAX {
            return Err(Error::HttpProtocolError);
        }
        let frame = self.tap.frame(frame)?;
        match frame.into_data() {
            Ok(data) => {
                let shown = self
                    .redactor
                    .as_mut()
                    .map_or_else(|| data.clone(), |redactor| redactor.push(&data));
                Ok((!shown.is_empty()).then(|| Frame::data(shown)))
            }
            Err(frame) => {
                self.trailers = frame.into_trailers().ok().map(|trailers| self.masked(trailers));
                self.ended = true;
                Ok(None)
            }
        }
    }

    fn masked(&self, mut trailers: http::HeaderMap) -> http::HeaderMap {
        if let Some(redactor) = &self.redactor {
            redactor.needles().mask_fields(&mut trailers);
        }
        trailers
    }

    /// After the last frame: what was held back, then the trailers, then nothing.
    fn finish(&mut self) -> Option<Frame<Bytes>> {
        self.ended = true;
        let rest = self.redactor.as_mut().map(Redactor::finish).unwrap_or_default();
        if !rest.is_empty() {
            return Some(Frame::data(rest));
        }
        self.trailers.take().map(Frame::trailers)
    }
}

impl Body for Inbound {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let this = &mut *self;
        loop {
            if let Err(error) = this.tap.live() {
                return Poll::Ready(Some(Err(error)));
            }
            if this.ended {
                return Poll::Ready(this.finish().map(Ok));
            }
            match Pin::new(&mut this.inner).poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) => {
                    this.quiet.as_mut().reset(Instant::now() + this.between);
                    match this.take(frame) {
                        Ok(Some(frame)) => return Poll::Ready(Some(Ok(frame))),
                        Ok(None) => {}
                        Err(error) => return Poll::Ready(Some(Err(error))),
                    }
                }
                Poll::Ready(Some(Err(error))) => return Poll::Ready(Some(Err(incomplete(&error)))),
                Poll::Ready(None) => this.ended = true,
                Poll::Pending => {
                    ready!(this.quiet.as_mut().poll(cx));
                    return Poll::Ready(Some(Err(Error::ConnectionReadTimeout)));
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.ended && self.trailers.is_none() && self.redactor.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        // Masking keeps lengths, so the peer's own hint stays true.
        self.inner.size_hint()
    }
}

/// hyper's own text may quote what the peer sent: the guest gets the kind alone.
fn incomplete(error: &hyper::Error) -> Error {
    let cause =
        std::error::Error::source(error).and_then(|cause| cause.downcast_ref::<std::io::Error>());
    let early = cause.is_some_and(|cause| cause.kind() == std::io::ErrorKind::UnexpectedEof);
    if error.is_timeout() {
        Error::HttpResponseTimeout
    } else if early || error.is_incomplete_message() || error.is_closed() || error.is_canceled() {
        Error::HttpResponseIncomplete
    } else {
        Error::HttpProtocolError
    }
}

impl Tap {
    /// Accounts for one frame, and strips trailers of what is the host's.
    fn frame(&self, frame: Frame<Bytes>) -> Result<Frame<Bytes>, Error> {
        match frame.into_data() {
            Ok(data) => {
                self.pass(data.len() as u64)?;
                Ok(Frame::data(data))
            }
            Err(frame) => {
                let mut trailers = frame.into_trailers().unwrap_or_default();
                let bytes =
                    headers::measure(&trailers).map_err(|flood| self.trailer_flood(flood))?;
                self.pass(bytes as u64)?;
                headers::strip(&mut trailers);
                Ok(Frame::trailers(trailers))
            }
        }
    }
}

#[cfg(test)]
#[path = "body_tests.rs"]
mod tests;
