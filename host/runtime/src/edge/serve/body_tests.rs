//! How responses end: cleanly only with a durable receipt, and in no other case.

use std::time::Duration;

use futures::FutureExt as _;
use http_body_util::BodyExt;
use soma_policy::{Limits, OrderId};
use tokio::sync::{mpsc, oneshot};
use wasmtime_wasi_http::Error;

use super::*;
use crate::capability::http::rig;
use crate::invoke::Pending;
use crate::running::Cut;

/// The guest's and the host's ends of a response.
struct Ends {
    guest: Option<mpsc::UnboundedSender<Result<Frame<Bytes>, Error>>>,
    reply: Option<oneshot::Sender<CallReply>>,
    running: Arc<Running>,
}

fn response(length: Option<u64>) -> (Streamed, Ends) {
    let running = rig::running(Limits::DEFAULT);
    let (guest, mut frames) = mpsc::unbounded_channel();
    let frames = futures::stream::poll_fn(move |cx| frames.poll_recv(cx));
    let inner = http_body_util::StreamBody::new(frames).boxed_unsync();
    let (reply, receiver) = oneshot::channel();
    let ending = Pending::new(Arc::clone(&running), receiver).reply().boxed();
    let streamed = Streamed::new(inner, Arc::clone(&running), ending, length);
    (streamed, Ends { guest: Some(guest), reply: Some(reply), running })
}

impl Ends {
    fn write(&self, text: &'static str) {
        self.guest
            .as_ref()
            .unwrap()
            .send(Ok(Frame::data(Bytes::from_static(text.as_bytes()))))
            .unwrap();
    }

    fn finish(&mut self) {
        self.guest = None;
    }

    fn end(&mut self, outcome: Outcome) {
        let call = self.running.ids.call;
        assert!(self.reply.take().unwrap().send(CallReply::refused(call, outcome)).is_ok());
    }
}

async fn next(body: &mut Streamed) -> Option<Result<String, CutShort>> {
    let frame = body.frame().await?;
    Some(frame.map(|frame| String::from_utf8(frame.into_data().unwrap().to_vec()).unwrap()))
}

fn is_waiting(body: &mut Streamed) -> bool {
    body.frame().now_or_never().is_none()
}

#[tokio::test]
async fn the_end_waits_for_the_receipt() {
    let (mut body, mut ends) = response(None);
    ends.write("all");
    ends.finish();
    assert_eq!(next(&mut body).await, Some(Ok("all".into())));
    assert!(is_waiting(&mut body), "no clean end without a receipt");
    ends.end(Outcome::Ok);
    assert_eq!(next(&mut body).await, None);
}

#[tokio::test]
async fn the_last_bytes_of_a_stated_length_wait_for_the_receipt() {
    let (mut body, mut ends) = response(Some(6));
    ends.write("abc");
    ends.write("def");
    ends.finish();
    assert_eq!(next(&mut body).await, Some(Ok("abc".into())));
    assert!(is_waiting(&mut body), "the length would be complete without a receipt");
    ends.end(Outcome::Ok);
    assert_eq!(next(&mut body).await, Some(Ok("def".into())));
    assert_eq!(next(&mut body).await, None);
}

#[tokio::test]
async fn a_call_that_ends_in_any_other_way_ends_the_body_with_an_error() {
    for outcome in
        [Outcome::Trapped, Outcome::GuestError, Outcome::HostFailure, Outcome::Interrupted]
    {
        let (mut body, mut ends) = response(None);
        ends.write("some");
        assert_eq!(next(&mut body).await, Some(Ok("some".into())));
        // A store that is dropped closes the guest's end, which looks like a clean finish.
        ends.finish();
        ends.end(outcome);
        assert_eq!(next(&mut body).await, Some(Err(CutShort::Ended(outcome))));
    }
}

#[tokio::test]
async fn a_body_that_the_guest_gave_up_ends_with_an_error_after_the_call() {
    let (mut body, mut ends) = response(None);
    ends.write("some");
    ends.guest.as_ref().unwrap().send(Err(Error::HttpProtocolError)).unwrap();
    assert_eq!(next(&mut body).await, Some(Ok("some".into())));
    assert!(is_waiting(&mut body));
    ends.end(Outcome::Ok);
    assert_eq!(next(&mut body).await, Some(Err(CutShort::Unfinished)));
}

#[tokio::test]
async fn a_kill_ends_a_waiting_body_and_no_byte_follows() {
    let (mut body, ends) = response(None);
    ends.write("before");
    assert_eq!(next(&mut body).await, Some(Ok("before".into())));
    let waits = tokio::spawn(async move {
        let frame = next(&mut body).await;
        (frame, body)
    });
    ends.running.cut(Cut::Killed(OrderId::from_u128(7)));
    ends.write("after");
    let (frame, mut body) = waits.await.unwrap();
    // Bytes that were polled before the kill may be out; none after it.
    assert_eq!(frame, Some(Err(CutShort::Cut)));
    assert_eq!(next(&mut body).await, Some(Err(CutShort::Cut)));
}

#[tokio::test]
async fn output_over_its_limit_ends_the_call() {
    let (mut body, ends) = response(None);
    let max = usize::try_from(Limits::DEFAULT.output.0).unwrap();
    let large = Bytes::from(vec![b'x'; max]);
    ends.guest.as_ref().unwrap().send(Ok(Frame::data(large))).unwrap();
    ends.write("x");
    assert!(body.frame().await.unwrap().is_ok());
    assert_eq!(next(&mut body).await, Some(Err(CutShort::Cut)));
    assert_eq!(ends.running.cut_reason(), Cut::Limit(LimitKind::Output));
}

#[tokio::test]
async fn a_client_that_goes_away_cuts_the_call() {
    let (body, ends) = response(None);
    drop(body);
    assert_eq!(ends.running.cut_reason(), Cut::Abandoned);
}

#[tokio::test]
async fn a_response_that_is_done_in_time_goes_out_whole() {
    let (body, mut ends) = response(None);
    ends.write("a");
    ends.write("b");
    ends.finish();
    ends.end(Outcome::Ok);
    let gathered = body.gather(Ahead::Keep(1024), std::future::pending()).await;
    assert!(matches!(gathered, Gathered::Whole(bytes, None) if bytes == "ab"));
}

#[tokio::test]
async fn a_response_that_takes_longer_streams_and_loses_nothing() {
    let (body, mut ends) = response(None);
    ends.write("a");
    let Gathered::Streaming(mut body) =
        body.gather(Ahead::Keep(1024), tokio::time::sleep(Duration::ZERO)).await
    else {
        panic!("it is not done");
    };
    ends.write("b");
    ends.finish();
    ends.end(Outcome::Ok);
    assert_eq!(next(&mut body).await, Some(Ok("a".into())));
    assert_eq!(next(&mut body).await, Some(Ok("b".into())));
    assert_eq!(next(&mut body).await, None);
}

#[tokio::test]
async fn a_response_that_only_waits_for_its_receipt_is_not_cut_in_two() {
    let (body, mut ends) = response(None);
    ends.write("all");
    ends.finish();
    let impatient = std::future::ready(());
    let gathering = body.gather(Ahead::Keep(1024), impatient);
    tokio::pin!(gathering);
    assert!(gathering.as_mut().now_or_never().is_none(), "the receipt is on its way");
    ends.end(Outcome::Ok);
    assert!(matches!(gathering.await, Gathered::Whole(bytes, None) if bytes == "all"));
}

#[tokio::test]
async fn much_that_is_read_ahead_begins_to_stream() {
    let (body, ends) = response(None);
    ends.write("four");
    ends.write("more");
    let gathered = body.gather(Ahead::Keep(4), std::future::pending()).await;
    assert!(matches!(gathered, Gathered::Streaming(_)));
}

#[tokio::test]
async fn a_response_without_a_body_on_the_wire_is_read_to_its_end() {
    let (body, mut ends) = response(Some(4));
    ends.write("four");
    ends.finish();
    ends.end(Outcome::Ok);
    let gathered = body.gather(Ahead::Discard, std::future::pending()).await;
    assert!(matches!(gathered, Gathered::Whole(..)));
}

#[tokio::test]
async fn trailers_are_thinned_out_and_come_with_the_receipt() {
    let (mut body, mut ends) = response(None);
    let mut trailers = HeaderMap::new();
    trailers.insert("x-sum", "1".parse().unwrap());
    trailers.insert("set-cookie", "a=1; Domain=x".parse().unwrap());
    trailers.insert("soma-call-id", "forged".parse().unwrap());
    ends.guest.as_ref().unwrap().send(Ok(Frame::trailers(trailers))).unwrap();
    assert!(is_waiting(&mut body));
    ends.end(Outcome::Ok);
    let trailers = body.frame().await.unwrap().unwrap().into_trailers().unwrap();
    assert_eq!(trailers.len(), 2);
    assert_eq!(trailers["set-cookie"], "a=1");
}
