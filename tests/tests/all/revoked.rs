//! A token is taken back while a call runs under it: the call ends, the token opens nothing any more, and
//! everybody else goes on.

use reqwest::{Client, Response};
use serde_json::{Value, json};
use soma_tests::{TestHome, TestHost, sse, tokens};

/// Starts a call that streams for ever, with a token of its own.
async fn counting(host: &TestHost, token: &str) -> Response {
    let client = Client::builder().no_proxy().build().unwrap();
    let route = format!("{}/v1/installations/stream/calls/count", host.url());
    let request = client.post(route).bearer_auth(token).header("accept", "text/event-stream");
    request.json(&json!({ "every-ms": "10" })).send().await.unwrap()
}

/// Waits until as many calls run.
async fn running(host: &TestHost, count: usize) -> Value {
    let as_many = |answer: &Value| answer["items"].as_array().is_some_and(|i| i.len() == count);
    host.until("/v1/calls?state=running", as_many).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_token_s_calls_end_and_it_is_refused_though_it_was_remembered() {
    let home = TestHome::new().await.unwrap();
    home.install("stream", "stream", &[]).await.unwrap();
    let host = TestHost::start(&home).await.unwrap();
    let command = |words: &[&str]| home.soma().unwrap().args(["--output", "json"]).args(words);
    let minted = command(&["token", "new"]).succeed().await.unwrap().json().unwrap();
    let (token, jti) = (minted["token"].as_str().unwrap(), minted["jti"].as_str().unwrap());
    let other = tokens::mint(home.path(), &["call:*"]).await.unwrap();

    let (doomed, spared) = (counting(&host, token).await, counting(&host, &other).await);
    running(&host, 2).await;
    let from = host.journal_end().await.unwrap();
    command(&["token", "revoke", jti, "--yes"]).succeed().await.unwrap();
    let events = sse::parse(&doomed.text().await.unwrap());
    let last = events.last().unwrap();
    assert_eq!(last.name, "failed", "{events:?}");
    assert!(last.data.to_string().contains("denied"), "{last:?}");
    let left = running(&host, 1).await;
    let spared_call = spared.headers()["soma-call-id"].to_str().unwrap().to_owned();
    assert_eq!(left["items"][0]["id"], spared_call);
    host.audited("token-revoked", from).await.unwrap();

    let refused = host.call_as(token, "stream", "count", &json!({})).await.unwrap();
    assert_eq!((refused.status, refused.code()), (401, "SOMA-T008"));
    // A host that starts anew knows it too.
    drop(spared);
    host.stop().await.unwrap();
    let host = TestHost::start(&home).await.unwrap();
    let refused = host.call_as(token, "stream", "count", &json!({})).await.unwrap();
    assert_eq!((refused.status, refused.code()), (401, "SOMA-T008"));
}
