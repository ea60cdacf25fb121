//! Paths of the web guest, asked for as a browser would.

use reqwest::Method;
use soma_tests::TestHost;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::judge::Got;
use super::table::Row;

const TOKEN_OF_CALLER: &str = "token-of-the-caller";
const COOKIE_OF_CALLER: &str = "cookie-of-the-caller";

/// What a guest may not decide for other origins or later visits.
const OURS: [&str; 4] =
    ["strict-transport-security", "alt-svc", "service-worker-allowed", "public-key-pins"];

pub(crate) async fn run(row: &Row, host: &TestHost) -> Got {
    if row.name == "web-upload-unfinished" {
        return unfinished(row, host).await;
    }
    let request = host
        .web(Method::GET, &row.name, &row.path)
        .header("cookie", COOKIE_OF_CALLER)
        .header("proxy-authorization", TOKEN_OF_CALLER)
        .header("x-forwarded-for", "203.0.113.7")
        .header("forwarded", "for=203.0.113.7");
    let response = match request.send().await {
        Ok(response) => response,
        // The connection was reset before a status: nothing was served.
        Err(error) => return Got::refused("", error.to_string()),
    };
    let status = response.status().as_u16();
    let headers = response.headers().clone();
    let code =
        headers.get("soma-code").and_then(|c| c.to_str().ok()).unwrap_or_default().to_owned();
    let mut got = Got { code, ..Got::default() };
    let call =
        headers.get("soma-call-id").and_then(|id| id.to_str().ok()).unwrap_or_default().to_owned();
    match response.text().await {
        Ok(body) => {
            got.kind = if status < 400 { "ok" } else { "refused" }.to_owned();
            if let Ok(problem) = serde_json::from_str::<serde_json::Value>(&body) {
                got.code = problem["code"].as_str().unwrap_or_default().to_owned();
            }
            got.shown = body;
        }
        Err(_) => got.kind = "cut".to_owned(),
    }
    if !call.is_empty() {
        recorded(&ended(host, &call).await, &mut got);
    }
    check(&headers, &mut got);
    got
}

/// Announces a hundred bytes, sends seven, and waits for the answer.
async fn unfinished(row: &Row, host: &TestHost) -> Got {
    let mut stream = TcpStream::connect(("127.0.0.1", host.port())).await.unwrap();
    let head = format!(
        "POST {} HTTP/1.1\r\nhost: {}--production--local.localhost:{}\r\ncontent-length: 100\r\n\
         connection: close\r\n\r\npartial",
        row.path,
        row.name,
        host.port()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = String::new();
    // It may be reset once the answer is out.
    let _ = stream.read_to_string(&mut answer).await;
    let call = answer.lines().find_map(|line| line.strip_prefix("soma-call-id: "));
    let mut got = Got { shown: answer.clone(), ..Got::default() };
    let Some(call) = call else { return Got::nothing(&format!("no call in {answer:?}")) };
    let kept = ended(host, call.trim()).await;
    got.code = kept["code"].as_str().unwrap_or_default().to_owned();
    recorded(&kept, &mut got);
    got
}

/// The record of a call, once it is written: a client that is cut off hears of it before.
async fn ended(host: &TestHost, call: &str) -> serde_json::Value {
    loop {
        let kept = host.get(&format!("/v1/calls/{call}")).await.unwrap();
        if kept["state"] != "running" {
            return kept;
        }
    }
}

/// The record decides how it ended; a client that was cut off must not find a call that went well.
fn recorded(kept: &serde_json::Value, got: &mut Got) {
    let kind = kept["outcome"]["kind"].as_str().unwrap_or("unknown");
    if got.kind == "cut" {
        got.code = kept["code"].as_str().unwrap_or_default().to_owned();
        if kind == "ok" {
            got.wrong.push("the client was cut off and the record says ok".to_owned());
        }
        return;
    }
    if got.kind == "refused" && kind == "ok" {
        got.wrong.push("the client was refused and the record says ok".to_owned());
    }
    got.kind = kind.to_owned();
}

fn check(headers: &reqwest::header::HeaderMap, got: &mut Got) {
    for name in OURS {
        if headers.contains_key(name) {
            got.wrong.push(format!("the guest set {name}"));
        }
    }
    let cookies = headers.get_all("set-cookie").iter().filter_map(|value| value.to_str().ok());
    if cookies.map(str::to_lowercase).any(|cookie| cookie.contains("domain")) {
        got.wrong.push("the guest set a cookie for other hosts".to_owned());
    }
    let policy = headers.get("content-security-policy").and_then(|value| value.to_str().ok());
    if policy.is_some_and(|policy| policy == "default-src *") {
        got.wrong.push("the guest set the content policy".to_owned());
    }
    for stolen in [TOKEN_OF_CALLER, COOKIE_OF_CALLER, "203.0.113.7"] {
        if got.shown.contains(stolen) {
            got.wrong.push(format!("the guest saw {stolen}"));
        }
    }
}
