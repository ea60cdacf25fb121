//! `soma/text`.

use serde_json::json;
use soma_tests::{TestHome, TestHost};

const ARTICLE: &str = "Bees make honey. Honey bees keep honey in wax cells of the hive. \
    The weather was fine on that day. A hive of honey bees holds many thousand bees. \
    Write to ann@example.org or see https://example.org/bees.";

#[tokio::test(flavor = "multi_thread")]
async fn text_measures_summarises_and_extracts() {
    let home = TestHome::new().await.unwrap();
    home.install("text", "text", &[]).await.unwrap();
    let host = TestHost::start(&home).await.unwrap();
    let call = async |function, arguments| host.call("text", function, &arguments).await.unwrap();

    let measured = call("statistics", json!({ "text": ARTICLE })).await.body;
    assert_eq!(measured["sentences"], "5", "64-bit numbers are decimal text: {measured}");

    let top = call("top-words", json!({ "text": ARTICLE, "limit": 2 })).await.body;
    assert_eq!(top[0], json!({ "word": "bees", "count": "5" }));

    let summary = call("summarise", json!({ "text": ARTICLE, "sentences": 2 })).await.body;
    assert_eq!((&summary["sentences"], &summary["total"]), (&json!([1, 3]), &json!(5)));

    let found = call("extract", json!({ "text": ARTICLE })).await.body;
    assert_eq!(
        found,
        json!({ "links": ["https://example.org/bees"], "emails": ["ann@example.org"] })
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guests_own_error_comes_back_typed() {
    let home = TestHome::new().await.unwrap();
    home.install("text", "text", &[]).await.unwrap();
    let host = TestHost::start(&home).await.unwrap();
    let reply =
        host.call("text", "summarise", &json!({ "text": " ", "sentences": 1 })).await.unwrap();
    assert_eq!((reply.status, reply.code()), (422, "SOMA-G001"), "{:?}", reply.body);
    assert_eq!(reply.body["guest_error"], json!({ "empty": null }));

    let wrong =
        host.call("text", "summarise", &json!({ "text": 7, "sentences": 1 })).await.unwrap();
    assert_eq!((wrong.status, wrong.code()), (422, "SOMA-H002"), "{:?}", wrong.body);
    let unknown = host
        .call("text", "summarise", &json!({ "text": "", "sentences": 1, "x": 1 }))
        .await
        .unwrap();
    assert_eq!(unknown.status, 422, "{:?}", unknown.body);
}
