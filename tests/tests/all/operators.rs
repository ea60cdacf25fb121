//! Who may stop things changes while a host runs: a second operator, a quorum of two, and back.

use serde_json::{Value, json};
use soma_tests::{Finished, TestHome, TestHost};

/// A home whose second operator is Bob, with a quorum of two; the host was running all the while.
async fn with_two() -> (TestHome, TestHost) {
    let home = TestHome::new().await.unwrap();
    home.install("text", "text", &[]).await.unwrap();
    let host = TestHost::start(&home).await.unwrap();
    soma(&home, &host, &["key", "new", "bob", "--role", "operator"]).await;
    let from = host.journal_end().await.unwrap();
    let public = home.path().join("keys/bob.pub").display().to_string();
    let add = ["trust", "operator", "add", "bob", &public, "--person", "Bob", "--quorum", "2"];
    let said = soma(&home, &host, &add).await;
    assert_eq!(said.json().unwrap()["quorum"], 2);
    host.audited("operators-changed", from).await.unwrap();
    (home, host)
}

/// A command at this host; receipts that it leaves lie in the home.
async fn soma(home: &TestHome, host: &TestHost, words: &[&str]) -> Finished {
    let command = home.soma().unwrap().args(["--host", host.url(), "--output", "json"]);
    command.args(words).within(home.path()).succeed().await.unwrap()
}

async fn state(host: &TestHost, order: &str) -> Value {
    let orders = host.get("/v1/kill-orders").await.unwrap();
    let items = orders["items"].as_array().unwrap();
    items.iter().find(|item| item["order"]["id"] == order).unwrap()["state"].clone()
}

/// What a host that runs says, or the files of one that does not.
async fn explained_as_killed(home: &TestHome, host: &[&str]) {
    let words = ["policy", "explain", "text", "call", "slugify"];
    let said = home.soma().unwrap().args(host).args(words).finish().await.unwrap();
    assert_eq!(said.code, 6, "{said:?}");
    assert!(said.stdout.contains("operator ✓ · kill ✗ order "), "{said:?}");
}

async fn slugify(host: &TestHost) -> u16 {
    host.call("text", "slugify", &json!({ "text": "A b" })).await.unwrap().status
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wide_order_of_one_of_two_is_a_suspension_until_the_second_signs() {
    let (home, host) = with_two().await;
    assert_eq!(slugify(&host).await, 200);
    let kill = ["kill", "publisher:soma", "--reason", "drill", "--yes"];
    let said = soma(&home, &host, &kill).await.json().unwrap();
    let order = said["order"].as_str().unwrap();
    assert_eq!(said["answer"]["state"], "suspended");
    assert_eq!(slugify(&host).await, 403);
    explained_as_killed(&home, &["--host", host.url()]).await;
    let said = soma(&home, &host, &["kill", "sign", order, "--key", "bob"]).await.json().unwrap();
    assert_eq!(said["answer"]["state"], "complete");

    // It takes both to lift it, and what is complete outlasts both the list and a restart.
    soma(&home, &host, &["unkill", order, "--reason", "half", "--yes"]).await;
    assert_eq!(state(&host, order).await, "complete");
    let from = host.journal_end().await.unwrap();
    soma(&home, &host, &["trust", "operator", "remove", "bob", "--quorum", "1", "--yes"]).await;
    host.audited("operators-changed", from).await.unwrap();
    assert_eq!(state(&host, order).await, "complete");
    host.stop().await.unwrap();
    explained_as_killed(&home, &[]).await;
    let host = TestHost::start(&home).await.unwrap();
    assert_eq!((state(&host, order).await, slugify(&host).await), ("complete".into(), 403));
    soma(&home, &host, &["unkill", order, "--reason", "over", "--yes"]).await;
    assert_eq!((state(&host, order).await, slugify(&host).await), ("lifted".into(), 200));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_without_the_root_s_signature_changes_nothing_and_says_so() {
    let (home, host) = with_two().await;
    let path = home.path().join("trust/operators.toml");
    let signed = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, signed.replace("quorum = 2", "quorum = 1")).unwrap();
    let told = |answer: &Value| answer["problems"].to_string().contains("the old operators stay");
    host.until("/v1/installations", told).await.unwrap();
    let kill = ["kill", "publisher:soma", "--reason", "drill", "--yes"];
    let said = soma(&home, &host, &kill).await.json().unwrap();
    assert_eq!(said["answer"]["state"], "suspended");
    // Another key than the root's does not sign the list, and an impossible quorum is refused.
    for (words, code) in [
        (&["trust", "operator", "quorum", "1", "--root", "bob"][..], 4),
        (&["trust", "operator", "quorum", "3"][..], 4),
    ] {
        let ended = home.soma().unwrap().args(words).finish().await.unwrap();
        assert_eq!(ended.code, code, "{ended:?}");
    }
    std::fs::write(&path, &signed).unwrap();
    let ended = home.soma().unwrap().args(["trust", "operator", "quorum", "3"]).finish().await;
    assert_eq!(ended.unwrap().code, 2);
    assert_eq!(std::fs::read_to_string(&path).unwrap(), signed);
}
