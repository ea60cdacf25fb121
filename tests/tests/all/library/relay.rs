//! `soma/relay`.

use serde_json::json;
use soma_tests::{TestHome, TestHost};

#[tokio::test(flavor = "multi_thread")]
async fn a_capsule_calls_another_and_its_receipt_names_the_parent() {
    let home = TestHome::new().await.unwrap();
    home.install("text", "text", &[]).await.unwrap();
    home.install("relay", "relay", &[]).await.unwrap();
    let host = TestHost::start(&home).await.unwrap();
    let arguments = json!({ "function": "slugify", "arguments": "{\"text\":\"Hello there\"}" });
    let reply = host.call("relay", "call", &arguments).await.unwrap();
    assert_eq!((reply.status, &reply.body), (200, &json!("\"hello-there\"")), "{:?}", reply.body);

    let steps = json!([
        { "function": "slugify", "arguments": "{\"text\":\"One Two\"}" },
        { "function": "slugify", "arguments": "{\"text\":\"$previous\",\"max-length\":3}" },
    ]);
    let reply = host.call("relay", "pipeline", &json!({ "steps": steps })).await.unwrap();
    assert_eq!(reply.body, json!("\"one\""));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_that_is_not_granted_and_a_tool_that_is_not_there_are_refused() {
    let home = TestHome::new().await.unwrap();
    home.install("relay", "relay", &[]).await.unwrap();
    let host = TestHost::start(&home).await.unwrap();
    let call = async |function: &str| {
        let arguments = json!({ "function": function, "arguments": "{\"text\":\"x\"}" });
        host.call("relay", "call", &arguments).await.unwrap()
    };
    let denied = call("extract").await;
    assert_eq!(denied.denials(), ["SOMA-D031"], "{:?}", denied.body);
    let missing = call("slugify").await;
    assert!(missing.body["guest_error"]["not-found"].is_string(), "{:?}", missing.body);
}
