//! Tests of capsules that answer HTTP: a real request through the host's real edge.

use std::sync::Arc;

use reqwest::Method;
use tokio::net::TcpListener;

use super::file::{Expect, Request};
use crate::local::Local;
use crate::output::neutral;

/// Longest body that is compared.
const BODY_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Sends the request and compares status and body.
pub(super) async fn ask(local: &Local, request: &Request, expect: &Expect) -> Result<(), String> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.map_err(|e| e.to_string())?;
    let address = listener.local_addr().map_err(|e| e.to_string())?;
    let server = tokio::spawn(crate::edge::serve(
        Arc::clone(&local.host),
        listener,
        std::future::pending::<()>(),
    ));
    let answer = send(local, request, address.port()).await;
    server.abort();
    let (status, body) = answer?;
    if expect.status != Some(status) {
        let wanted = expect.status.unwrap_or_default();
        let body: String = String::from_utf8_lossy(&body).chars().take(400).collect();
        return Err(format!("expected status {wanted}, got {status}: {}", neutral(&body)));
    }
    match &expect.body {
        Some(wanted) if wanted.as_bytes() != body => {
            Err(format!("expected body {wanted:?}, got {:?}", String::from_utf8_lossy(&body)))
        }
        _ => Ok(()),
    }
}

async fn send(local: &Local, request: &Request, port: u16) -> Result<(u16, Vec<u8>), String> {
    let key = &local.key;
    let method: Method =
        request.method.parse().map_err(|_| format!("`{}` is no method", request.method))?;
    let client = reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .map_err(|e| e.to_string())?;
    let host = format!("{}--{}--{}.localhost:{port}", key.id, key.environment, key.org);
    let mut sent = client
        .request(method, format!("http://127.0.0.1:{port}{}", request.path))
        .header("host", host)
        .body(request.body.clone());
    for (name, value) in &request.headers {
        sent = sent.header(name, value);
    }
    let answer = sent.send().await.map_err(|e| crate::failure::Failure::chain(&e))?;
    let status = answer.status().as_u16();
    let body = crate::client::bytes_of(answer, BODY_BYTES_MAX).await.map_err(|e| e.to_string())?;
    Ok((status, body))
}
