//! `soma/kv-notes`.

use serde_json::json;
use soma_tests::{TestHome, TestHost};

#[tokio::test(flavor = "multi_thread")]
async fn notes_outlive_calls_and_the_host() {
    let home = TestHome::new().await.unwrap();
    home.install("kv-notes", "notes", &[]).await.unwrap();
    let host = TestHost::start(&home).await.unwrap();
    let put = json!({ "name": "todo", "text": "write the tests" });
    assert_eq!(host.call("notes", "put", &put).await.unwrap().body, json!("1"));
    let append = json!({ "name": "todo", "line": "run them" });
    assert_eq!(host.call("notes", "append", &append).await.unwrap().body, json!("2"));
    host.stop().await.unwrap();

    let host = TestHost::start(&home).await.unwrap();
    let note = host.call("notes", "get", &json!({ "name": "todo" })).await.unwrap();
    assert_eq!(note.body["text"], "write the tests\nrun them", "{:?}", note.body);
    let found = host.call("notes", "search", &json!({ "words": "TESTS run" })).await.unwrap();
    assert_eq!(found.body[0]["name"], "todo");
    assert_eq!(host.call("notes", "names", &json!({})).await.unwrap().body, json!(["todo"]));
    assert_eq!(
        host.call("notes", "forget", &json!({ "name": "todo" })).await.unwrap().body,
        json!(true)
    );
    let gone = host.call("notes", "get", &json!({ "name": "todo" })).await.unwrap();
    assert_eq!(gone.body["guest_error"], json!({ "no-such-note": null }));
}

#[tokio::test(flavor = "multi_thread")]
async fn two_installations_share_no_note() {
    let home = TestHome::new().await.unwrap();
    home.install("kv-notes", "mine", &[]).await.unwrap();
    home.install("kv-notes", "yours", &[]).await.unwrap();
    let host = TestHost::start(&home).await.unwrap();
    host.call("mine", "put", &json!({ "name": "a", "text": "x" })).await.unwrap();
    assert_eq!(host.call("yours", "names", &json!({})).await.unwrap().body, json!([]));
}
