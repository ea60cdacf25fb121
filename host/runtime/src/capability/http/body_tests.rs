//! Bodies against real peers: what is counted, what is masked, and how nothing but a good end looks like one.

use std::sync::Arc;

use http::{Request, Response};
use http_body_util::{BodyExt, StreamBody};
use soma_policy::{CapabilityKind, CapabilityRef, Code, LimitKind, Limits, OrderId};
use tokio::io::AsyncReadExt;
use tokio::sync::{mpsc, oneshot};

use super::*;
use crate::capability::http::connect::Route;
use crate::capability::http::day::{DayCounters, Direction};
use crate::capability::http::redact::Needles;
use crate::capability::http::rig;
use crate::capability::http::tap::{Bound, Entry, Used};
use crate::capability::rig::nothing_reserved;
use crate::clock::FixedClock;
use crate::lease::Reservation;
use crate::running::{Cut, Running};

const SOON: Duration = Duration::from_secs(20);

fn tap(
    running: &Arc<Running>,
    per_call: Option<u64>,
    per_day: Option<u64>,
    direction: Direction,
) -> Tap {
    leased(running, (per_call, per_day), nothing_reserved(&running.installation), direction)
}

fn leased(
    running: &Arc<Running>,
    (per_call, per_day): (Option<u64>, Option<u64>),
    lease: Arc<Reservation>,
    direction: Direction,
) -> Tap {
    let now = rig::NOW;
    let bound = |max| Bound { sent: max, received: max };
    let entry = Entry {
        capability: CapabilityRef::named(CapabilityKind::Http, "api".parse().unwrap()),
        name: "api".parse().unwrap(),
        per_call: bound(per_call),
        per_day: bound(per_day),
        day: DayCounters::new().of(&running.installation.key, now),
        used: Used::default(),
        lease,
        gone: Arc::default(),
    };
    let clock = Arc::new(FixedClock::new(now, 0));
    Tap::new(running.clone(), clock, Arc::new(entry), direction, "GET https://api.example/".into())
}

fn free(running: &Arc<Running>, direction: Direction) -> Tap {
    tap(running, None, None, direction)
}

async fn answer(bytes: &'static [u8], close: bool) -> Incoming {
    let peer = rig::says(bytes, close).await;
    let connection = Route { peers: vec![peer], tls: None }.open(SOON).await.unwrap();
    let body = http_body_util::Empty::new().map_err(|never| match never {}).boxed_unsync();
    let request =
        Request::get("http://api.example/").header("host", "api.example").body(body).unwrap();
    let exchange = connection.send(request, SOON).await.unwrap();
    tokio::spawn(exchange.driver);
    exchange.response.into_body()
}

async fn inbound(
    bytes: &'static [u8],
    close: bool,
    tap: Tap,
    redactor: Option<Redactor>,
) -> Inbound {
    let running = rig::running(Limits::DEFAULT);
    let between = if close { SOON } else { Duration::from_millis(30) };
    let slot = Slot::take(&running).unwrap();
    Inbound::new(answer(bytes, close).await, tap, redactor, between, slot)
}

async fn read(mut body: Inbound) -> (String, Option<Error>) {
    let mut text = String::new();
    while let Some(frame) = body.frame().await {
        match frame {
            Ok(frame) => text.push_str(std::str::from_utf8(&frame.into_data().unwrap()).unwrap()),
            Err(error) => return (text, Some(error)),
        }
    }
    (text, None)
}

#[tokio::test]
async fn a_response_is_counted_and_given_on() {
    let running = rig::running(Limits::DEFAULT);
    let body = inbound(
        b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello",
        true,
        free(&running, Direction::Received),
        None,
    )
    .await;
    let (text, error) = read(body).await;
    assert_eq!((text.as_str(), error.is_none()), ("hello", true));
    let usage = running.usage(running.started);
    assert_eq!((usage.http_received, usage.http_sent, usage.hostcall), (5, 0, 5));
}

#[tokio::test]
async fn bytes_over_a_bound_of_the_grant_are_a_denial_and_not_given_on() {
    for (per_call, per_day, code) in
        [(Some(4), None, Code::HttpPerCall), (None, Some(4), Code::HttpPerDay)]
    {
        let running = rig::running(Limits::DEFAULT);
        let tap = tap(&running, per_call, per_day, Direction::Received);
        let body =
            inbound(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello", true, tap, None).await;
        let (text, error) = read(body).await;
        assert!(matches!((text.as_str(), error), ("", Some(Error::HttpResponseBodySize(Some(4))))));
        let (denials, _) = running.denials();
        assert_eq!(denials[0].code, code);
        assert!(denials[0].remedy.contains("grants.http.api.per_"), "{}", denials[0]);
    }
}

#[tokio::test]
async fn bytes_over_what_the_servers_lease_holds_are_a_denial_and_not_given_on() {
    for (bytes, given) in [(Some(5), "hello"), (Some(4), ""), (Some(0), ""), (None, "")] {
        let running = rig::running(Limits::DEFAULT);
        let lease = Arc::new(crate::lease::with_bytes(bytes));
        let tap = leased(&running, (None, None), lease, Direction::Received);
        let body =
            inbound(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello", true, tap, None).await;
        let (text, error) = read(body).await;
        assert_eq!((text.as_str(), error.is_some()), (given, given.is_empty()), "{bytes:?}");
        let (denials, _) = running.denials();
        let denied = denials.first().map(|denial| (denial.code, denial.reason.contains("lease")));
        assert_eq!(denied, given.is_empty().then_some((Code::HttpPerDay, true)), "{bytes:?}");
    }
}

#[tokio::test]
async fn bytes_over_the_limit_of_host_calls_end_the_call() {
    let limits = Limits { hostcall: soma_policy::Bytes(4), ..Limits::DEFAULT };
    let running = rig::running(limits);
    let body = inbound(
        b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello",
        true,
        free(&running, Direction::Received),
        None,
    )
    .await;
    assert!(read(body).await.1.is_some());
    assert_eq!(running.cut_reason(), Cut::Limit(LimitKind::Hostcall));
}

#[tokio::test]
async fn responses_that_end_early_stall_or_break_are_errors() {
    type Kind = fn(&Error) -> bool;
    let incomplete: Kind = |error| matches!(error, Error::HttpResponseIncomplete);
    let stalled: Kind = |error| matches!(error, Error::ConnectionReadTimeout);
    let broken: Kind =
        |error| matches!(error, Error::HttpProtocolError | Error::HttpResponseIncomplete);
    let table: [(&str, &'static [u8], bool, Kind); 5] = [
        ("short of its length", b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhello", true, incomplete),
        ("no last chunk", b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n", true, incomplete),
        ("silent in the middle", b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhello", false, stalled),
        ("no last chunk, silent", b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n", false, stalled),
        ("chunk size", b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\nFFFFFFFFFFFFFFFFFF\r\n", true, broken),
    ];
    for (name, bytes, close, kind) in table {
        let running = rig::running(Limits::DEFAULT);
        let body = inbound(bytes, close, free(&running, Direction::Received), None).await;
        let (text, error) = read(body).await;
        assert_eq!(text, "hello", "{name}");
        assert!(error.as_ref().is_some_and(kind), "{name}: {error:?}");
    }
}

#[tokio::test]
async fn an_echo_is_masked_across_chunks_and_in_trailers() {
    let running = rig::running(Limits::DEFAULT);
    let redactor = Redactor::new(Arc::new(Needles::of([b"hunter2!".as_slice()])));
    let bytes = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntrailer: x-echo\r\n\r\n\
        8\r\nyou hunt\r\n4\r\ner2!\r\n2\r\nhu\r\n0\r\nx-echo: hunter2!\r\nconnection: x\r\n\r\n";
    let mut body = inbound(bytes, true, free(&running, Direction::Received), Some(redactor)).await;
    let mut text = Vec::new();
    let mut trailers = None;
    while let Some(frame) = body.frame().await {
        match frame.unwrap().into_data() {
            Ok(data) => text.extend_from_slice(&data),
            Err(frame) => trailers = frame.into_trailers().ok(),
        }
    }
    assert_eq!(String::from_utf8(text).unwrap(), "you ********hu");
    let trailers = trailers.unwrap();
    assert_eq!(trailers["x-echo"], "********");
    assert!(!trailers.contains_key("connection"));
}

#[tokio::test]
async fn a_killed_call_reads_nothing_more() {
    let running = rig::running(Limits::DEFAULT);
    let mut body = inbound(
        b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello",
        true,
        free(&running, Direction::Received),
        None,
    )
    .await;
    running.cut(Cut::Killed(OrderId::from_u128(1)));
    assert!(matches!(body.frame().await, Some(Err(Error::ConnectionTerminated))));
}

/// What a peer received of a request whose guest writes "some" and then does `then`.
async fn received(
    per_call: Option<u64>,
    then: impl FnOnce(&Arc<Running>, mpsc::UnboundedSender<Bytes>),
) -> (Vec<u8>, bool) {
    let (tell, told) = oneshot::channel();
    let (tell, got) = (std::sync::Mutex::new(Some(tell)), Arc::new(tokio::sync::Notify::new()));
    let notify = got.clone();
    let peer = rig::scripted(move |mut stream| {
        let tell = tell.lock().unwrap().take();
        let notify = notify.clone();
        async move {
            let mut bytes = rig::read_head(&mut stream).await;
            let mut chunk = [0; 1024];
            while let Ok(count) = stream.read(&mut chunk).await {
                bytes.extend_from_slice(&chunk[..count]);
                if bytes.ends_with(b"some\r\n") {
                    notify.notify_one();
                }
                if count == 0 || bytes.ends_with(b"0\r\n\r\n") {
                    break;
                }
            }
            tell.unwrap().send(bytes).unwrap();
        }
    })
    .await;
    let running = rig::running(Limits::DEFAULT);
    let (guest, mut chunks) = mpsc::unbounded_channel::<Bytes>();
    let stream = futures::stream::poll_fn(move |cx| {
        chunks.poll_recv(cx).map(|chunk| chunk.map(|data| Ok(Frame::data(data))))
    });
    let inner = StreamBody::new(stream).boxed_unsync();
    let body = Outbound::new(inner, tap(&running, per_call, None, Direction::Sent)).boxed_unsync();
    let request =
        Request::post("http://api.example/").header("host", "api.example").body(body).unwrap();
    let connection = Route { peers: vec![peer], tls: None }.open(SOON).await.unwrap();
    let sending = tokio::spawn(async move {
        connection.send(request, SOON).await.map(|exchange| exchange.response.map(drop))
    });
    guest.send(Bytes::from_static(b"some")).unwrap();
    got.notified().await;
    then(&running, guest);
    let bytes = told.await.unwrap();
    let sent: Result<Response<()>, _> = sending.await.unwrap();
    assert!(sent.is_err(), "the peer never answers");
    let clean = bytes.ends_with(b"0\r\n\r\n");
    (bytes, clean)
}

#[tokio::test]
async fn a_request_body_ends_cleanly_only_when_the_guest_ends_it_in_a_running_call() {
    let (_, clean) = received(None, |_, guest| drop(guest)).await;
    assert!(clean, "the guest ended its body");
    let killed = |running: &Arc<Running>, guest: mpsc::UnboundedSender<Bytes>| {
        running.cut(Cut::Killed(OrderId::from_u128(1)));
        // What the drop of a store looks like.
        drop(guest);
    };
    assert!(!received(None, killed).await.1, "the call was killed");
    let finished = |running: &Arc<Running>, guest: mpsc::UnboundedSender<Bytes>| {
        running.finish();
        drop(guest);
    };
    assert!(!received(None, finished).await.1, "the guest returned without ending its body");
}

#[tokio::test]
async fn a_killed_call_sends_nothing_more() {
    let (bytes, clean) = received(None, |running, guest| {
        running.cut(Cut::Killed(OrderId::from_u128(1)));
        guest.send(Bytes::from_static(b"secret")).unwrap();
    })
    .await;
    assert!(!clean && !bytes.windows(6).any(|window| window == b"secret"));
}

#[tokio::test]
async fn request_bytes_over_the_grant_never_leave() {
    let (bytes, clean) =
        received(Some(8), |_, guest| guest.send(Bytes::from_static(b"too much")).unwrap()).await;
    assert!(!clean && !bytes.windows(8).any(|window| window == b"too much"));
}
