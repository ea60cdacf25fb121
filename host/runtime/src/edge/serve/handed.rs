//! A response body on its way from the guest to the client, and how it stands when the guest returns.
//!
//! The client may be slow, so what a guest wrote is often still unread when it returns; whether that is a
//! whole body is known all the same, and the call must be recorded by it: a body that was given up, or is
//! not as long as it was said to be, is no answer. Deliberately absent: sending, and withholding the end.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt as _;
use parking_lot::Mutex;
use wasmtime_wasi_http::Error;
use wasmtime_wasi_http::p2::body::HyperOutgoingBody;

/// The guest's side: asked once, when the guest has returned.
pub(crate) struct Left(Arc<Mutex<Shared>>);

/// The client's side.
struct Handed(Arc<Mutex<Shared>>);

/// What the head of a response promises of its body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Owed {
    /// No body goes to the client, so nothing that is done with it can be a lie.
    Nothing,
    /// One that is brought to its end.
    Whole,
    /// One that is brought to its end after exactly so many bytes.
    Exactly(u64),
}

struct Shared {
    /// None once the client is gone, so that the guest's writes fail.
    body: Option<HyperOutgoingBody>,
    /// Looked at already and not yet read.
    unread: VecDeque<Result<Frame<Bytes>, Error>>,
    ended: bool,
    owed: Owed,
    bytes: u64,
    /// Who waits for the next frame.
    reader: Option<Waker>,
}

/// Splits a body into what the client reads and what the guest's end is judged by.
pub(crate) fn hand_over(body: HyperOutgoingBody, owed: Owed) -> (HyperOutgoingBody, Left) {
    let shared = Arc::new(Mutex::new(Shared {
        body: Some(body),
        unread: VecDeque::new(),
        ended: false,
        owed,
        bytes: 0,
        reader: None,
    }));
    (Handed(Arc::clone(&shared)).boxed_unsync(), Left(shared))
}

impl Left {
    /// Whether the guest broke what its response promises. It has returned, so what it wrote is all there;
    /// there is no more of it than the channel between guest and client holds.
    pub(crate) fn is_broken(&self) -> bool {
        let mut shared = self.0.lock();
        let mut nobody = Context::from_waker(Waker::noop());
        let mut broken = false;
        while let Poll::Ready(frame) = shared.next(&mut nobody) {
            let Some(frame) = frame else {
                broken = matches!(shared.owed, Owed::Exactly(bytes) if bytes != shared.bytes);
                break;
            };
            broken = frame.is_err();
            shared.unread.push_back(frame);
            if broken {
                break;
            }
        }
        if let Some(reader) = shared.reader.take() {
            reader.wake();
        }
        broken
    }
}

impl Shared {
    /// What the guest wrote next, counted.
    fn next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let Some(body) = self.body.as_mut().filter(|_| !self.ended) else {
            return Poll::Ready(None);
        };
        let frame = match ready!(Pin::new(body).poll_frame(cx)) {
            // Upstream says so of a body that is shorter than stated, even where none is due.
            Some(Err(_)) if self.owed == Owed::Nothing => None,
            frame => frame,
        };
        match &frame {
            Some(Ok(frame)) => {
                let bytes = frame.data_ref().map_or(0, Bytes::len) as u64;
                self.bytes = self.bytes.saturating_add(bytes);
            }
            _ => self.ended = true,
        }
        Poll::Ready(frame)
    }
}

impl Body for Handed {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let mut shared = self.0.lock();
        if let Some(frame) = shared.unread.pop_front() {
            return Poll::Ready(Some(frame));
        }
        let frame = shared.next(cx);
        shared.reader = frame.is_pending().then(|| cx.waker().clone());
        frame
    }

    fn is_end_stream(&self) -> bool {
        let shared = self.0.lock();
        let over = |body: &HyperOutgoingBody| shared.ended || body.is_end_stream();
        shared.unread.is_empty() && shared.body.as_ref().is_none_or(over)
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::default()
    }
}

impl Drop for Handed {
    fn drop(&mut self) {
        self.0.lock().body = None;
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::{Empty, StreamBody};

    use super::*;

    /// A body of these pieces; the last one may be the guest's giving up.
    fn written(pieces: Vec<Result<&'static str, Error>>) -> HyperOutgoingBody {
        let frame = |text: &'static str| Frame::data(Bytes::from_static(text.as_bytes()));
        let frames = pieces.into_iter().map(move |piece| piece.map(frame));
        StreamBody::new(futures::stream::iter(frames)).boxed_unsync()
    }

    async fn read(body: HyperOutgoingBody) -> Result<Bytes, Error> {
        body.collect().await.map(http_body_util::Collected::to_bytes)
    }

    #[tokio::test]
    async fn a_whole_body_is_read_as_it_was_written() {
        let (body, left) = hand_over(written(vec![Ok("one "), Ok("two")]), Owed::Exactly(7));
        assert!(!left.is_broken());
        assert_eq!(read(body).await.unwrap(), "one two");
    }

    #[tokio::test]
    async fn a_body_that_is_broken_is_known_before_the_client_reads_it() {
        let pieces = vec![Ok("one "), Ok("two"), Err(Error::HttpProtocolError)];
        let (mut body, left) = hand_over(written(pieces), Owed::Whole);
        assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), "one ");
        assert!(left.is_broken());
        assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), "two");
        assert!(body.frame().await.unwrap().is_err());
    }

    #[tokio::test]
    async fn a_length_that_is_not_kept_is_a_lie_unless_no_body_is_due() {
        for (owed, broken) in [
            (Owed::Exactly(3), false),
            (Owed::Exactly(2), true),
            (Owed::Exactly(100), true),
            (Owed::Whole, false),
            (Owed::Nothing, false),
        ] {
            let (_body, left) = hand_over(written(vec![Ok("one")]), owed);
            assert_eq!(left.is_broken(), broken, "{owed:?}");
        }
        let (body, left) = hand_over(written(vec![Err(Error::HttpProtocolError)]), Owed::Nothing);
        assert!(!left.is_broken());
        assert!(read(body).await.unwrap().is_empty());
    }

    #[tokio::test]
    async fn a_client_that_went_away_closes_the_body_for_the_guest() {
        let (sender, receiver) = futures::channel::mpsc::channel::<Result<Frame<Bytes>, Error>>(1);
        let (body, left) = hand_over(StreamBody::new(receiver).boxed_unsync(), Owed::Whole);
        drop(body);
        assert!(sender.is_closed());
        assert!(!left.is_broken());
    }

    #[tokio::test]
    async fn a_reader_that_waits_is_woken_by_the_last_look() {
        let (mut sender, receiver) = futures::channel::mpsc::channel(4);
        let (body, left) = hand_over(StreamBody::new(receiver).boxed_unsync(), Owed::Whole);
        let reader = tokio::spawn(read(body));
        tokio::task::yield_now().await;
        sender.try_send(Ok(Frame::data(Bytes::from_static(b"late")))).unwrap();
        drop(sender);
        assert!(!left.is_broken());
        assert_eq!(reader.await.unwrap().unwrap(), "late");
    }

    #[tokio::test]
    async fn an_empty_body_is_at_its_end() {
        let empty = Empty::new().map_err(|never| match never {}).boxed_unsync();
        let (body, left) = hand_over(empty, Owed::Whole);
        assert!(body.is_end_stream());
        assert!(!left.is_broken());
        assert!(read(body).await.unwrap().is_empty());
    }
}
