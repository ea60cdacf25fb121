//! The gateway in front of real upstreams on loopback.

use std::net::SocketAddr;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use futures::StreamExt as _;
use reqwest::{Client, StatusCode};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot};

use super::*;

/// Says who it is and what it was sent.
async fn echo(who: &'static str, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let fields: serde_json::Map<String, Value> = parts
        .headers
        .iter()
        .map(|(name, value)| (name.to_string(), json!(value.to_str().unwrap())))
        .collect();
    let bytes = axum::body::to_bytes(body, 1 << 20).await.unwrap();
    let (method, uri) = (parts.method.to_string(), parts.uri.to_string());
    let body = String::from_utf8_lossy(&bytes).into_owned();
    axum::Json(json!({ "who": who, "method": method, "uri": uri, "fields": fields, "body": body }))
        .into_response()
}

async fn listen(router: Router) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    address
}

async fn upstream(who: &'static str) -> Upstream {
    let router = Router::new().fallback(move |request| echo(who, request));
    of(listen(router).await)
}

fn of(address: SocketAddr) -> Upstream {
    format!("http://{address}").parse().unwrap()
}

/// A gateway that ends with the value.
struct Running {
    address: SocketAddr,
    client: Client,
    _stop: oneshot::Sender<()>,
}

impl Running {
    async fn of(server: Upstream, hosts: Vec<Upstream>) -> Self {
        let domains = vec!["apps.example.org".to_owned()];
        let plan = Plan { server, hosts, domains, kept: Kept::ByServer };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let until = async move { stopped.await.unwrap_or_default() };
        tokio::spawn(Gateway::new(plan).serve(listener, until));
        let client = Client::builder().no_proxy().build().unwrap();
        Self { address, client, _stop: stop }
    }

    async fn start() -> Self {
        Self::of(upstream("server").await, vec![upstream("host").await]).await
    }

    fn get(&self, path: &str) -> reqwest::RequestBuilder {
        self.client.get(format!("http://{}{path}", self.address))
    }

    async fn echoed(&self, request: reqwest::RequestBuilder) -> Value {
        request.send().await.unwrap().json().await.unwrap()
    }

    /// What comes back for exactly these bytes.
    async fn raw(&self, bytes: &str) -> String {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(bytes.as_bytes()).await.unwrap();
        let mut said = Vec::new();
        let _ = stream.read_to_end(&mut said).await;
        String::from_utf8_lossy(&said).into_owned()
    }
}

#[tokio::test]
async fn each_request_goes_to_its_side_with_its_body_and_its_listed_fields() {
    let gateway = Running::start().await;
    let call = gateway
        .client
        .post(format!("http://{}/v1/installations/a/calls/f?x=%2F", gateway.address))
        .header("x-forwarded-for", "1.2.3.4")
        .header("cookie", "a=b")
        .header("idempotency-key", "k")
        .bearer_auth("t")
        .body("{}");
    let said = gateway.echoed(call).await;
    assert_eq!((&said["who"], &said["body"]), (&json!("host"), &json!("{}")));
    assert_eq!(said["uri"], "/v1/installations/a/calls/f?x=%2F");
    let fields = said["fields"].as_object().unwrap();
    assert_eq!(
        (&fields["authorization"], &fields["idempotency-key"]),
        (&json!("Bearer t"), &json!("k"))
    );
    assert!(!fields.contains_key("cookie") && !fields.contains_key("x-forwarded-for"), "{said}");
    let own = gateway.get("/v1/orgs").header("x-forwarded-for", "1.2.3.4");
    let said = gateway.echoed(own).await;
    assert_eq!(
        (&said["who"], &said["fields"]["x-forwarded-for"]),
        (&json!("server"), &json!("127.0.0.1"))
    );
    let app = gateway.get("/x").header("host", "a--b--c.apps.example.org:80");
    let said = gateway.echoed(app).await;
    assert_eq!(
        (&said["who"], &said["fields"]["host"]),
        (&json!("host"), &json!("a--b--c.apps.example.org:80"))
    );
}

#[tokio::test]
async fn a_request_cannot_say_where_it_is_sent() {
    let (gateway, elsewhere) = (Running::start().await, upstream("elsewhere").await);
    let elsewhere = elsewhere.authority();
    for (request, expected) in [
        (
            format!("GET http://{elsewhere}/v1/orgs HTTP/1.1\r\nhost: {elsewhere}\r\n"),
            "\"who\":\"server\"",
        ),
        (format!("GET http://{elsewhere}/v1/orgs HTTP/1.1\r\nhost: x\r\n"), "404"),
        ("GET /v1/orgs HTTP/1.1\r\nhost: a\r\nhost: b\r\n".to_owned(), "404"),
        ("GET /v1/orgs HTTP/1.0\r\n".to_owned(), "404"),
        ("GET / HTTP/1.1\r\nhost: typo.localhost\r\n".to_owned(), "404"),
        (format!("CONNECT {elsewhere} HTTP/1.1\r\nhost: {elsewhere}\r\n"), "405"),
        ("TRACE / HTTP/1.1\r\nhost: a\r\n".to_owned(), "405"),
        (
            "GET / HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\n".to_owned(),
            "406",
        ),
        (format!("GET /{} HTTP/1.1\r\nhost: a\r\n", "a".repeat(9000)), "414"),
        (format!("GET / HTTP/1.1\r\nhost: a\r\nx-a: {}\r\n", "a".repeat(40_000)), "431"),
    ] {
        let said = gateway.raw(&format!("{request}connection: close\r\n\r\n")).await;
        assert!(said.contains(expected) && !said.contains("elsewhere\""), "{request}: {said}");
        assert!(!said.starts_with("HTTP/1.1 5"), "{request}: {said}");
    }
}

#[tokio::test]
async fn what_a_host_streams_arrives_event_by_event_and_a_cut_is_seen_as_one() {
    let (events, queue) = mpsc::unbounded_channel::<Result<&'static str, std::io::Error>>();
    let queue = Arc::new(std::sync::Mutex::new(Some(queue)));
    let route = move || {
        let mut queue = queue.lock().unwrap().take().unwrap();
        let stream = futures::stream::poll_fn(move |cx| queue.poll_recv(cx));
        async move { ([("content-type", "text/event-stream")], Body::from_stream(stream)) }
    };
    let router = Router::new().route("/v1/calls/{id}", axum::routing::get(route));
    let host = of(listen(router).await);
    let gateway = Running::of(upstream("server").await, vec![host]).await;
    let mut answer = gateway.get("/v1/calls/x").send().await.unwrap().bytes_stream();
    for event in ["data: 1\n\n", "data: 2\n\n"] {
        events.send(Ok(event)).unwrap();
        assert_eq!(answer.next().await.unwrap().unwrap(), event);
    }
    events.send(Err(std::io::Error::other("killed"))).unwrap();
    assert!(answer.next().await.unwrap().is_err(), "a cut body is no end");
}

#[tokio::test]
async fn an_upload_arrives_while_it_is_sent_and_too_much_is_refused() {
    let (seen, mut arrived) = mpsc::unbounded_channel();
    let route = move |request: Request| {
        let seen = seen.clone();
        async move {
            let mut body = request.into_body().into_data_stream();
            while let Some(Ok(chunk)) = body.next().await {
                seen.send(chunk).unwrap();
            }
        }
    };
    let server = of(listen(Router::new().fallback(route)).await);
    let gateway = Running::of(server, vec![upstream("host").await]).await;
    let (chunks, queue) = mpsc::unbounded_channel::<Result<Vec<u8>, std::io::Error>>();
    let mut queue = queue;
    let body = reqwest::Body::wrap_stream(futures::stream::poll_fn(move |cx| queue.poll_recv(cx)));
    let url = format!("http://{}/v1/submissions", gateway.address);
    let sending = tokio::spawn(gateway.client.post(&url).body(body).send());
    chunks.send(Ok(b"one".to_vec())).unwrap();
    assert_eq!(arrived.recv().await.unwrap(), "one");
    for _ in 0..65 {
        chunks.send(Ok(vec![0; 1 << 20])).unwrap();
    }
    drop(chunks);
    // The answer, or a connection that is closed under the rest of the body.
    if let Ok(answer) = sending.await.unwrap() {
        assert_eq!(answer.status(), StatusCode::PAYLOAD_TOO_LARGE);
    }
}

#[tokio::test]
async fn readiness_says_which_side_is_missing_and_a_missing_side_is_a_problem_not_a_hang() {
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let nobody = of(gone.local_addr().unwrap());
    drop(gone);
    let gateway = Running::of(upstream("server").await, vec![nobody]).await;
    let ready = gateway.get("/ready").send().await.unwrap();
    assert_eq!(ready.status(), 503);
    let state: Value = ready.json().await.unwrap();
    assert_eq!(
        (&state["server"]["state"], &state["hosts"][0]["state"]),
        (&json!("ready"), &json!("unreachable"))
    );
    let call = gateway.get("/v1/calls").send().await.unwrap();
    assert_eq!(
        (call.status().as_u16(), call.headers()["content-type"].clone()),
        (503, "application/problem+json".parse().unwrap())
    );
    let problem: Value = call.json().await.unwrap();
    assert_eq!(problem["code"], "SOMA-R011");
    assert_eq!(gateway.get("/health").send().await.unwrap().status(), 200);
    let figures = gateway.get("/metrics").send().await.unwrap().text().await.unwrap();
    assert!(
        figures.contains("side=\"host\",status=\"503\"") && figures.ends_with("# EOF\n"),
        "{figures}"
    );
}

#[tokio::test]
async fn a_repeat_under_its_key_goes_to_the_same_host() {
    let hosts = vec![upstream("a").await, upstream("b").await];
    let gateway = Running::of(upstream("server").await, hosts).await;
    let mut first = Value::Null;
    for turn in 0..6 {
        let said = gateway.echoed(gateway.get("/v1/calls").header("idempotency-key", "k-1")).await;
        if turn == 0 {
            first = said["who"].clone();
        }
        assert_eq!(said["who"], first);
    }
    let one = gateway.echoed(gateway.get("/v1/calls")).await["who"].clone();
    let two = gateway.echoed(gateway.get("/v1/calls")).await["who"].clone();
    assert_ne!(one, two, "others take turns");
}
