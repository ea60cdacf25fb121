//! The request body of a served capsule, on its way to the guest: counted against the call's input, and given up when
//! the client falls silent.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use soma_policy::LimitKind;
use tokio::time::{Instant, Sleep};
use wasmtime_wasi_http::Error;

use super::fields;
use crate::running::Running;

/// The longest time a client may send nothing of a body it owes.
const SILENCE: Duration = Duration::from_secs(30);

/// A client's body.
pub(crate) struct Upload {
    inner: Incoming,
    running: Arc<Running>,
    /// Made when the client first keeps the guest waiting; most bodies never do.
    silence: Option<Pin<Box<Sleep>>>,
}

impl Upload {
    pub(crate) fn new(inner: Incoming, running: Arc<Running>) -> Self {
        Self { inner, running, silence: None }
    }

    fn take(&mut self, frame: Frame<Bytes>) -> Result<Frame<Bytes>, Error> {
        self.silence = None;
        match frame.into_data() {
            Ok(data) => {
                let bytes = data.len() as u64;
                self.running
                    .charge(LimitKind::Input, bytes)
                    .map_err(|_| Error::ConnectionTerminated)?;
                Ok(Frame::data(data))
            }
            Err(frame) => {
                let mut trailers = frame.into_trailers().unwrap_or_default();
                fields::admit(&mut trailers);
                Ok(Frame::trailers(trailers))
            }
        }
    }
}

impl Body for Upload {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let this = &mut *self;
        if this.running.live().is_err() {
            return Poll::Ready(Some(Err(Error::ConnectionTerminated)));
        }
        match Pin::new(&mut this.inner).poll_frame(cx) {
            Poll::Ready(Some(Ok(frame))) => Poll::Ready(Some(this.take(frame))),
            Poll::Ready(Some(Err(_))) => Poll::Ready(Some(Err(Error::ConnectionTerminated))),
            Poll::Ready(None) => Poll::Ready(None),
            Poll::Pending => {
                let fresh = || Box::pin(tokio::time::sleep_until(Instant::now() + SILENCE));
                ready!(this.silence.get_or_insert_with(fresh).as_mut().poll(cx));
                Poll::Ready(Some(Err(Error::ConnectionReadTimeout)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
