//! A server that hostile guests conspire with, and that attacks honest ones: echoes, redirects,
//! floods, bodies that never end or break off, answers that never come.

use std::io;

use bytes::Bytes;
use futures::StreamExt;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;

use crate::server::{Answer, Seen, whole, with_body};
use crate::{Authority, TestServer};

/// The names it answers to: `evil.test` is granted plainly, `bank.test` with a secret.
pub const HOSTS: [&str; 2] = ["evil.test", "bank.test"];
/// Where a cloud's metadata service answers.
pub const METADATA: &str = "http://169.254.169.254/latest/meta-data/";

/// Starts it.
///
/// # Errors
/// If no port is free.
pub async fn start(authority: &Authority) -> anyhow::Result<TestServer> {
    TestServer::start(authority, &HOSTS, answer).await
}

async fn answer(request: Seen) -> Answer {
    match request.path() {
        "/ok" | "/drop" => whole(200, &[], "ok"),
        "/echo" => echo(&request),
        "/redirect" => whole(302, &[("location", "https://evil.test/echo")], ""),
        "/to-metadata" => whole(302, &[("location", METADATA)], ""),
        "/to-file" => whole(302, &[("location", "file:///etc/passwd")], ""),
        "/to-other" => whole(302, &[("location", "https://elsewhere.test/")], ""),
        "/never" => std::future::pending().await,
        "/header-flood" => header_flood(),
        "/piece" => whole(200, &[], vec![b'x'; 100 << 10]),
        "/big" => whole(200, &[], vec![b'x'; 4 << 20]),
        "/endless" => with_body(200, &[], endless().boxed_unsync()),
        "/drip" => with_body(200, &[], drip().boxed_unsync()),
        "/cut" => with_body(200, &[("content-length", "1000")], cut().boxed_unsync()),
        _ => whole(404, &[], "nothing"),
    }
}

/// Sends back what came, in the body and in a header.
fn echo(request: &Seen) -> Answer {
    let lines: String = request
        .headers
        .iter()
        .map(|(name, value)| format!("{name}: {}\n", String::from_utf8_lossy(value.as_bytes())))
        .collect();
    let credential = request.header("authorization").to_owned();
    whole(200, &[("x-echo", &credential)], lines)
}

fn header_flood() -> Answer {
    let headers: Vec<(String, String)> =
        (0..2000).map(|n| (format!("x-flood-{n}"), "y".repeat(1000))).collect();
    let borrowed: Vec<(&str, &str)> =
        headers.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
    whole(200, &borrowed, "ok")
}

fn chunk(text: &'static str) -> Result<Frame<Bytes>, io::Error> {
    Ok(Frame::data(Bytes::from_static(text.as_bytes())))
}

/// As fast as the client reads.
fn endless() -> StreamBody<impl futures::Stream<Item = Result<Frame<Bytes>, io::Error>>> {
    let piece = Bytes::from(vec![b'x'; 16 * 1024]);
    StreamBody::new(futures::stream::repeat_with(move || Ok(Frame::data(piece.clone()))))
}

/// One byte, and then nothing, without an end.
fn drip() -> StreamBody<impl futures::Stream<Item = Result<Frame<Bytes>, io::Error>>> {
    StreamBody::new(futures::stream::once(async { chunk("x") }).chain(futures::stream::pending()))
}

/// Promises 1000 bytes, sends 7, and breaks off.
fn cut() -> StreamBody<impl futures::Stream<Item = Result<Frame<Bytes>, io::Error>>> {
    let pieces = [chunk("partial"), Err(io::Error::other("cut off on purpose"))];
    StreamBody::new(futures::stream::iter(pieces))
}
