//! Connections against real servers: who is trusted, what name is sent, what a peer may do to us.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Empty, Full};

use super::*;
use crate::capability::http::rig::{self, Authority};
use crate::capability::http::trust;

const NAME: &str = "api.example.com";
const SOON: Duration = Duration::from_secs(20);

fn get(uri: &str) -> Request<WasiBody> {
    let body = Empty::<Bytes>::new().map_err(|never| match never {}).boxed_unsync();
    Request::builder().uri(uri).header("host", NAME).body(body).unwrap()
}

fn route(peer: SocketAddr, authority: &Authority) -> Route {
    let config = trust::anchored(authority.pem().as_bytes()).unwrap();
    Route { peers: vec![peer], tls: Some((NAME.to_owned(), config)) }
}

async fn text(exchange: Exchange) -> String {
    let Exchange { response, driver } = exchange;
    let driver = tokio::spawn(driver);
    let body = response.into_body().collect().await.unwrap().to_bytes();
    driver.abort();
    String::from_utf8(body.to_vec()).unwrap()
}

async fn echo(request: Request<Incoming>) -> http::Response<Full<Bytes>> {
    let host = request.headers().get("host").and_then(|host| host.to_str().ok()).unwrap_or("-");
    let said = format!("{:?} {} {host}", request.version(), request.uri());
    http::Response::new(Full::new(said.into()))
}

#[tokio::test]
async fn both_protocols_carry_the_name_and_the_target() {
    let authority = Authority::new();
    for (alpn, expected) in [
        (b"h2".as_slice(), "HTTP/2.0 https://api.example.com/a?b=c -"),
        (b"http/1.1", "HTTP/1.1 /a?b=c api.example.com"),
    ] {
        let peer = rig::https(&authority, NAME, &[alpn], echo).await;
        let connection = route(peer, &authority).open(SOON).await.unwrap();
        let exchange = connection.send(get("https://api.example.com/a?b=c"), SOON).await.unwrap();
        assert_eq!(text(exchange).await, expected);
    }
}

#[tokio::test]
async fn a_certificate_of_another_authority_or_name_is_refused() {
    let (ours, theirs) = (Authority::new(), Authority::new());
    let other_authority = rig::https(&theirs, NAME, &[b"h2"], echo).await;
    let other_name = rig::https(&ours, "other.example.com", &[b"h2"], echo).await;
    for peer in [other_authority, other_name] {
        let refused = route(peer, &ours).open(SOON).await.err().unwrap();
        assert!(matches!(refused, ConnectError::Certificate(_)), "{refused:?}");
    }
    let public =
        Route { peers: vec![other_name], tls: Some((NAME.to_owned(), trust::public().unwrap())) };
    assert!(matches!(public.open(SOON).await, Err(ConnectError::Certificate(_))));
}

#[tokio::test]
async fn the_next_address_is_tried_when_one_refuses() {
    let authority = Authority::new();
    let open = rig::https(&authority, NAME, &[b"h2"], echo).await;
    let closed = rig::closed_port().await;
    let mut route = route(open, &authority);
    route.peers.insert(0, closed);
    assert_eq!(route.open(SOON).await.unwrap().peer, open);
    let nobody = Route { peers: vec![closed], tls: None };
    assert!(matches!(nobody.open(SOON).await, Err(ConnectError::Unreachable(_))));
}

#[tokio::test]
async fn a_handshake_that_never_ends_is_given_up() {
    let silent = rig::scripted(|stream| async move {
        let _held = stream;
        std::future::pending::<()>().await;
    })
    .await;
    let given_up = route(silent, &Authority::new()).open(Duration::from_millis(50)).await;
    assert!(matches!(given_up, Err(ConnectError::Timeout)));
}

#[tokio::test]
async fn responses_that_break_the_protocol_or_the_bounds_are_errors() {
    let mut flood = String::from("HTTP/1.1 200 OK\r\n");
    for n in 0..=FIELDS_MAX {
        flood.push_str(&format!("x-{n}: 1\r\n"));
    }
    flood.push_str("content-length: 0\r\n\r\n");
    let large = format!("HTTP/1.1 200 OK\r\nx-a: {}\r\n\r\n", "a".repeat(FIELD_BYTES_MAX * 3));
    let table: [(&str, &[u8]); 6] = [
        ("field flood", flood.leak().as_bytes()),
        ("field size", large.leak().as_bytes()),
        ("no http", b"SSH-2.0-OpenSSH_9.0\r\n\r\n"),
        ("two lengths", b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab"),
        ("folded field", b"HTTP/1.1 200 OK\r\nx-a: 1\r\n folded: 2\r\n\r\n"),
        ("closed at once", b""),
    ];
    for (name, bytes) in table {
        let peer = rig::says(bytes, true).await;
        let plain = Route { peers: vec![peer], tls: None };
        let broken =
            plain.open(SOON).await.unwrap().send(get("http://api.example.com/"), SOON).await;
        assert!(matches!(broken, Err(ConnectError::Protocol(_))), "{name}");
    }
}

#[tokio::test]
async fn a_head_that_never_comes_is_given_up() {
    let peer = rig::says(b"HTTP/1.1 200", false).await;
    let plain = Route { peers: vec![peer], tls: None };
    let slow = plain.open(SOON).await.unwrap();
    let given_up = slow.send(get("http://api.example.com/"), Duration::from_millis(50)).await;
    assert!(matches!(given_up, Err(ConnectError::FirstByte)));
}
