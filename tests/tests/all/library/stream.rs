//! `soma/stream`.

use serde_json::json;
use soma_tests::{TestHome, TestHost, sse};

#[tokio::test(flavor = "multi_thread")]
async fn lines_come_one_by_one_between_start_and_finish() {
    let home = TestHome::new().await.unwrap();
    home.install("stream", "stream", &[]).await.unwrap();
    let host = TestHost::start(&home).await.unwrap();
    let arguments = json!({ "to": "3", "every-ms": "1" });
    let stream = host.stream("stream", "count", &arguments).await.unwrap().text().await.unwrap();
    let events = sse::parse(&stream);
    let names: Vec<_> = events.iter().map(|event| event.name.as_str()).collect();
    assert_eq!(names, ["started", "emit", "emit", "emit", "finished"], "{stream}");
    assert!(events[1].data.contains('1') && events[3].data.contains('3'), "{stream}");
    assert_eq!(events[4].json()["result"], json!("3"), "{stream}");
}

#[tokio::test(flavor = "multi_thread")]
async fn events_carry_their_name_and_payload() {
    let home = TestHome::new().await.unwrap();
    home.install("stream", "stream", &[]).await.unwrap();
    let host = TestHost::start(&home).await.unwrap();
    let arguments = json!({ "steps": 2, "every-ms": "1" });
    let stream = host.stream("stream", "progress", &arguments).await.unwrap().text().await.unwrap();
    assert_eq!(
        stream.matches("\"percent\"").count() + stream.matches("\\\"percent\\\"").count(),
        2,
        "{stream}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_grant_nothing_is_emitted_and_the_guest_is_told() {
    let home = TestHome::new().await.unwrap();
    home.install("stream", "stream", &[]).await.unwrap();
    home.edit("stream", "per_call = \"1 MiB\"", "per_call = \"8 B\"").unwrap();
    let host = TestHost::start(&home).await.unwrap();
    let reply =
        host.call("stream", "lines", &json!({ "text": "a line beyond the grant" })).await.unwrap();
    assert_eq!(reply.denials(), ["SOMA-D038"], "{:?}", reply.body);
}
