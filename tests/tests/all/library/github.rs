//! `soma/github`, against a server of recorded shapes that is reached as `api.github.com`.

use serde_json::{Value, json};
use soma_tests::{TestHost, github};

use crate::all::range::Range;

/// Installs the adapter with a stored token.
async fn installed(range: &Range, token: &str) {
    range.home.secret("github-token", token).await.unwrap();
    range.home.install("github", "issues", &["--secret", "token=github-token"]).await.unwrap();
}

async fn list(host: &TestHost, repo: &str, limit: u32) -> soma_tests::Reply {
    host.call("issues", "list-issues", &json!({ "repo": repo, "limit": limit })).await.unwrap()
}

fn numbers(page: &Value) -> Vec<u64> {
    let issues = page["issues"].as_array().unwrap();
    issues.iter().map(|issue| issue["number"].as_str().unwrap().parse().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn issues_are_listed_over_pages_with_the_token_placed_by_the_host() {
    let range = Range::new().await;
    installed(&range, github::TOKEN).await;
    let host = TestHost::start(&range.home).await.unwrap();

    let reply = list(&host, "octocat/Hello-World", 10).await;
    assert_eq!(reply.status, 200, "{:?}", reply.body);
    assert_eq!(numbers(&reply.body), [1349, 1347, 1346, 1345], "pull requests are left out");
    assert_eq!(reply.body["issues"][2]["author"], "ghost");
    assert_eq!(reply.body["more"], false);

    let seen = range.github.seen();
    assert_eq!(seen.len(), 2, "one request for each page");
    assert!(seen.iter().all(|r| r.header("authorization") == format!("Bearer {}", github::TOKEN)));
    assert_eq!(
        seen[0].header("host"),
        "api.github.com",
        "the name stays, only the address changes"
    );
    assert!(!reply.body.to_string().contains(github::TOKEN));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_issue_is_filed_and_refused_fields_come_back_typed() {
    let range = Range::new().await;
    installed(&range, github::TOKEN).await;
    let host = TestHost::start(&range.home).await.unwrap();
    let file = async |title: &str| {
        let arguments = json!({ "repo": "octocat/Hello-World", "title": title, "labels": ["bug"] });
        host.call("issues", "create-issue", &arguments).await.unwrap()
    };
    let filed = file("It breaks").await;
    assert_eq!(filed.status, 200, "{:?}", filed.body);
    assert_eq!((&filed.body["number"], &filed.body["labels"]), (&json!("1350"), &json!(["bug"])));
    let refused = file("").await;
    let expected = json!({ "invalid": [{ "field": "title", "code": "missing_field" }] });
    assert_eq!(refused.body["guest_error"], expected, "{:?}", refused.body);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_refusals_of_the_server_are_typed() {
    let range = Range::new().await;
    installed(&range, "wrong").await;
    let host = TestHost::start(&range.home).await.unwrap();
    let error = async |repo| list(&host, repo, 5).await.body["guest_error"].clone();
    assert_eq!(error("octocat/Hello-World").await, json!({ "unauthorised": null }));
    range.home.secret("github-token", github::TOKEN).await.unwrap();
    host.stop().await.unwrap();

    let host = TestHost::start(&range.home).await.unwrap();
    let error = async |repo| list(&host, repo, 5).await.body["guest_error"].clone();
    assert_eq!(error("octocat/none").await, json!({ "not-found": null }));
    assert_eq!(error("octocat/busy").await, json!({ "rate-limited": "1372700873" }));
    assert_eq!(error("../octocat").await, json!({ "bad-repository": "../octocat" }));
    assert!(error("octocat/moved").await["unexpected"].as_str().unwrap().contains("301"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_narrower_grant_denies_filing_and_names_its_remedy() {
    let range = Range::new().await;
    installed(&range, github::TOKEN).await;
    range.home.edit("issues", "\"GET\", \"POST\"", "\"GET\"").unwrap();
    let host = TestHost::start(&range.home).await.unwrap();
    let arguments = json!({ "repo": "octocat/Hello-World", "title": "x", "labels": [] });
    let reply = host.call("issues", "create-issue", &arguments).await.unwrap();
    assert_eq!(reply.denials(), ["SOMA-D012"], "{:?}", reply.body);
    let denial = &reply.body["denials"][0];
    assert_eq!((&denial["layer"], &denial["capability"]), (&json!("grant"), &json!("http.issues")));
    assert!(denial["remedy"].as_str().unwrap().contains("POST"), "{denial}");
    assert!(range.github.seen().is_empty(), "nothing left the host");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_did_not_change_is_only_asked_about() {
    let range = Range::new().await;
    installed(&range, github::TOKEN).await;
    let host = TestHost::start(&range.home).await.unwrap();
    let first = list(&host, "octocat/Hello-World", 10).await;
    let again = list(&host, "octocat/Hello-World", 10).await;
    assert_eq!(again.status, 200, "{:?}", again.body);
    assert_eq!(again.body, first.body, "the kept answer is the answer, its next page too");
    let seen = range.github.seen();
    let asked: Vec<&str> = seen.iter().map(|request| request.header("if-none-match")).collect();
    assert_eq!(asked, ["", "", github::ETAG, ""], "the second page came without an ETag");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_cache_every_answer_is_fetched_whole() {
    let range = Range::new().await;
    range.home.secret("github-token", github::TOKEN).await.unwrap();
    let more = ["--secret", "token=github-token", "--without", "kv.cache"];
    range.home.install("github", "issues", &more).await.unwrap();
    let host = TestHost::start(&range.home).await.unwrap();
    for _ in 0..2 {
        let reply = list(&host, "octocat/Hello-World", 10).await;
        assert_eq!(numbers(&reply.body), [1349, 1347, 1346, 1345], "{:?}", reply.body);
    }
    assert!(range.github.seen().iter().all(|request| request.header("if-none-match").is_empty()));
}
