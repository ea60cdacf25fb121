//! The listener itself: a real client, real bounds, an orderly end.

use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::config::{Network, Rates};
use crate::fixture::{START, on_both_databases};
use crate::server::Server;

async fn said(address: std::net::SocketAddr, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    // The server may hang up before it has read everything.
    let _ = stream.write_all(bytes).await;
    let mut text = Vec::new();
    let _ = stream.read_to_end(&mut text).await;
    String::from_utf8_lossy(&text).into_owned()
}

on_both_databases! {
    async fn a_server_answers_is_bounded_and_ends_in_order(database: TestDatabase) {
        let (server, _, _) = database.server().await;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let serving = tokio::spawn(server.clone().serve(listener, async { drop(stopped.await) }));
        let client = reqwest::Client::builder().timeout(Duration::from_secs(10)).build().unwrap();
        let get = |path: &str| client.get(format!("http://{address}{path}")).send();

        let ready = get("/ready").await.unwrap();
        assert_eq!(ready.status(), 200);
        for (name, value) in [("x-content-type-options", "nosniff"), ("cache-control", "no-store"), ("referrer-policy", "no-referrer"), ("cross-origin-resource-policy", "same-origin")] {
            assert_eq!(ready.headers()[name], value, "{name}");
        }
        assert!(ready.headers()["content-security-policy"].to_str().unwrap().contains("default-src 'none'"));
        assert!(!ready.headers()["x-request-id"].is_empty());
        let body: Value = ready.json().await.unwrap();
        assert_eq!(body["database"]["state"], "answers");
        assert_eq!(body["issuer"], "signs");
        for path in ["/health", "/version", "/openapi.json", "/.well-known/jwks.json"] {
            assert_eq!(get(path).await.unwrap().status(), 200, "{path}");
        }
        let metrics = get("/metrics").await.unwrap().text().await.unwrap();
        assert!(metrics.contains("soma_server_requests_total{method=\"GET\",route=\"/ready\",status=\"200\"} 1"), "{metrics}");

        let many: String = (0..200).map(|n| format!("x-{n}: 1\r\n")).collect();
        let answer = said(address, format!("GET /health HTTP/1.1\r\nhost: a\r\n{many}\r\n").as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
        let long = format!("GET /health HTTP/1.1\r\nhost: a\r\nx-a: {}\r\n\r\n", "a".repeat(100 * 1024));
        let answer = said(address, long.as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 431 ") || answer.is_empty(), "{answer}");

        stop.send(()).unwrap();
        tokio::time::timeout(Duration::from_secs(20), serving).await.unwrap().unwrap().unwrap();
        assert!(get("/health").await.is_err());
    }

    async fn who_comes_too_fast_is_told_when_to_come_again(database: TestDatabase) {
        let mut config = database.config();
        config.rates = Rates { peer: 60, org: 1000, user: 1000, login: 6 };
        let clock = std::sync::Arc::new(crate::clock::FixedClock::new(START));
        let (server, _) = Server::open(&config, clock).await.unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let serving = tokio::spawn(server.serve(listener, async { drop(stopped.await) }));
        let client = reqwest::Client::builder().timeout(Duration::from_secs(10)).build().unwrap();
        let guess = || {
            let body = serde_json::json!({ "login": "nobody", "password": "x" });
            client.post(format!("http://{address}/v1/auth/login")).json(&body).send()
        };
        assert_eq!(guess().await.unwrap().status(), 401);
        let slower = guess().await.unwrap();
        assert_eq!((slower.status().as_u16(), slower.headers()["retry-after"].to_str().ok()), (429, Some("10")));
        let mut refused = None;
        for _ in 0..11 {
            let answer = client.get(format!("http://{address}/health")).send().await.unwrap();
            if answer.status() == 429 {
                refused = Some(answer);
            }
        }
        let refused = refused.unwrap();
        assert_eq!(refused.headers()["retry-after"], "1");
        assert_eq!(refused.headers()["x-ratelimit-limit"], "60");
        assert_eq!(refused.headers()["x-ratelimit-remaining"], "0");
        assert_eq!(refused.json::<Value>().await.unwrap()["code"], "SOMA-H014");
        stop.send(()).unwrap();
        serving.await.unwrap().unwrap();
    }

    async fn behind_a_proxy_each_client_has_a_rate_of_its_own_and_nobody_else_says_who_they_are(database: TestDatabase) {
        for (proxies, apart) in [(vec![Network::loopback()], true), (Vec::new(), false)] {
            let mut config = database.config();
            config.rates = Rates { peer: 1000, org: 1000, user: 1000, login: 6 };
            config.proxies = proxies;
            let clock = std::sync::Arc::new(crate::clock::FixedClock::new(START));
            let (server, _) = Server::open(&config, clock).await.unwrap();
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
            let serving = tokio::spawn(server.serve(listener, async { drop(stopped.await) }));
            let client = reqwest::Client::builder().timeout(Duration::from_secs(10)).build().unwrap();
            let guess = async |from: &str, login: &str| {
                let body = serde_json::json!({ "login": login, "password": "x" });
                let request = client.post(format!("http://{address}/v1/auth/login")).json(&body);
                request.header("x-forwarded-for", from).send().await.unwrap().status().as_u16()
            };
            assert_eq!(guess("203.0.113.1", "somebody").await, 401);
            assert_eq!(guess("203.0.113.1", "anybody").await, 429);
            // What a client says itself stands to the left of what the proxy says of it.
            assert_eq!(guess("203.0.113.2, 203.0.113.1", "anybody").await, 429);
            assert_eq!(guess("203.0.113.2", "anybody").await, if apart { 401 } else { 429 });
            stop.send(()).unwrap();
            serving.await.unwrap().unwrap();
        }
    }

    async fn a_database_that_is_gone_is_a_503_and_not_ready(database: TestDatabase) {
        let (server, _, _) = database.server().await;
        let router = crate::edge::routes::router(server.clone());
        server.store.close().await;
        let ask = |path: &str| {
            let request = http::Request::builder().uri(path).body(axum::body::Body::empty()).unwrap();
            tower::ServiceExt::oneshot(router.clone(), request)
        };
        assert_eq!(ask("/ready").await.unwrap().status(), 503);
        assert_eq!(ask("/health").await.unwrap().status(), 200);
        let body = serde_json::json!({ "login": "root.person", "password": "long enough password" });
        let request = http::Request::builder().method("POST").uri("/v1/auth/login").header("content-type", "application/json");
        let request = request.body(axum::body::Body::from(body.to_string())).unwrap();
        let answer = tower::ServiceExt::oneshot(router.clone(), request).await.unwrap();
        assert_eq!(answer.status(), 503);
        assert_eq!(answer.headers()["retry-after"], "1");
    }
}
