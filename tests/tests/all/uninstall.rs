//! An installation goes: its file, its calls, and what it kept only if that is asked for.

use serde_json::{Value, json};
use soma_tests::{Finished, TestHome, TestHost};

async fn uninstall(home: &TestHome, words: &[&str]) -> Finished {
    let command = home.soma().unwrap().args(["--output", "json", "uninstall"]).args(words);
    command.finish().await.unwrap()
}

async fn home_with_a_note() -> (TestHome, TestHost) {
    let home = TestHome::new().await.unwrap();
    home.install("kv-notes", "notes", &[]).await.unwrap();
    let host = TestHost::start(&home).await.unwrap();
    let put = host.call("notes", "put", &json!({ "name": "a", "text": "kept" })).await.unwrap();
    assert_eq!(put.status, 200, "{put:?}");
    (home, host)
}

async fn note(host: &TestHost) -> Value {
    let told = |answer: &Value| {
        let items = answer["items"].as_array();
        items.is_some_and(|items| items.iter().any(|item| item["state"] == "active"))
    };
    host.until("/v1/installations", told).await.unwrap();
    host.call("notes", "get", &json!({ "name": "a" })).await.unwrap().body
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_kept_outlasts_uninstalling_and_goes_with_purge_under_a_running_host() {
    let (home, host) = home_with_a_note().await;
    assert_eq!(uninstall(&home, &["notes"]).await.code, 2, "nobody said yes");
    let said = uninstall(&home, &["notes", "--yes"]).await;
    assert_eq!((said.code, &said.json().unwrap()["removed"]), (0, &json!(true)), "{said:?}");
    let none = |answer: &Value| answer["items"].as_array().is_some_and(Vec::is_empty);
    host.until("/v1/installations", none).await.unwrap();
    home.install("kv-notes", "notes", &[]).await.unwrap();
    assert!(note(&host).await.to_string().contains("kept"));

    let from = host.journal_end().await.unwrap();
    let said = uninstall(&home, &["notes", "--purge", "--yes"]).await;
    assert_eq!(said.code, 0, "{said:?}");
    assert_ne!(said.json().unwrap()["purged"]["kv_entries"], "0", "{said:?}");
    host.audited("data-purged", from).await.unwrap();
    home.install("kv-notes", "notes", &[]).await.unwrap();
    assert!(!note(&host).await.to_string().contains("kept"));
    assert_eq!(uninstall(&home, &["never-was", "--yes"]).await.code, 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_host_the_command_purges_under_the_home_s_lock() {
    let (home, host) = home_with_a_note().await;
    host.stop().await.unwrap();
    assert_eq!(uninstall(&home, &["notes", "--yes"]).await.code, 0);
    let said = uninstall(&home, &["notes", "--purge", "--yes"]).await;
    let report = said.json().unwrap();
    assert_eq!((&report["removed"], said.code), (&json!(false), 0), "{said:?}");
    assert_ne!(report["purged"]["kv_entries"], "0", "{said:?}");
    home.install("kv-notes", "notes", &[]).await.unwrap();
    let host = TestHost::start(&home).await.unwrap();
    assert!(!note(&host).await.to_string().contains("kept"));
}
