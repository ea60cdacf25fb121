//! A server in the shape of GitHub's issues API, answering with the recorded bodies of
//! `tests/fixtures/github`: authentication, pages with `Link`, refusals, rate limit.

use serde_json::Value;

use crate::server::{Answer, Seen, whole};
use crate::{Authority, TestServer};

/// The name that the adapter asks for.
pub const HOST: &str = "api.github.com";
/// The token that the server knows.
pub const TOKEN: &str = "github_pat_11AAAAAAA0soma0tests0only0000";

const PAGE_1: &str = include_str!("../fixtures/github/issues-page-1.json");
const PAGE_2: &str = include_str!("../fixtures/github/issues-page-2.json");
const ISSUE: &str = include_str!("../fixtures/github/issue-1347.json");
const NOT_FOUND: &str = include_str!("../fixtures/github/not-found.json");
const BAD_CREDENTIALS: &str = include_str!("../fixtures/github/bad-credentials.json");
const VALIDATION_FAILED: &str = include_str!("../fixtures/github/validation-failed.json");
const RATE_LIMITED: &str = include_str!("../fixtures/github/rate-limited.json");
const FORBIDDEN: &str = include_str!("../fixtures/github/forbidden.json");

/// The ETag of the first page.
pub const ETAG: &str = "W/\"a18c3bded88eb5dbb5c849a489412bf3\"";
const JSON: (&str, &str) = ("content-type", "application/json; charset=utf-8");

/// Starts it.
///
/// # Errors
/// If no port is free.
pub async fn start(authority: &Authority) -> anyhow::Result<TestServer> {
    TestServer::start(authority, &[HOST], |request| async move { answer(&request) }).await
}

fn answer(request: &Seen) -> Answer {
    if request.header("authorization") != format!("Bearer {TOKEN}") {
        return whole(401, &[JSON], BAD_CREDENTIALS);
    }
    match (request.method.as_str(), request.path()) {
        ("GET", "/repos/octocat/Hello-World/issues") => first_page(request),
        ("GET", "/repositories/1296269/issues") => whole(200, &[JSON], PAGE_2),
        ("GET", "/repos/octocat/Hello-World/issues/1347") => whole(200, &[JSON], ISSUE),
        ("POST", "/repos/octocat/Hello-World/issues") => create(request),
        ("POST", "/repos/octocat/read-only/issues") => whole(403, &[JSON], FORBIDDEN),
        ("GET", "/repos/octocat/busy/issues") => {
            let limit = [JSON, ("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "1372700873")];
            whole(403, &limit, RATE_LIMITED)
        }
        ("GET", "/repos/octocat/moved/issues") => {
            let away = ("location", "https://api.github.com/repositories/1296269/issues");
            whole(301, &[JSON, away], "{\"message\":\"Moved Permanently\"}")
        }
        _ => whole(404, &[JSON], NOT_FOUND),
    }
}

fn first_page(request: &Seen) -> Answer {
    if request.header("if-none-match") == ETAG {
        return whole(304, &[("etag", ETAG)], "");
    }
    let size = request.query("per_page").unwrap_or("30");
    let next = format!(
        "<https://api.github.com/repositories/1296269/issues?per_page={size}&page=2>; rel=\"next\", \
         <https://api.github.com/repositories/1296269/issues?per_page={size}&page=2>; rel=\"last\""
    );
    whole(200, &[JSON, ("etag", ETAG), ("link", &next)], PAGE_1)
}

/// The documented example with the fields that were sent.
fn create(request: &Seen) -> Answer {
    let sent: Value = serde_json::from_slice(&request.body).unwrap_or_default();
    let title = sent.get("title").and_then(Value::as_str).unwrap_or_default();
    if title.is_empty() {
        return whole(422, &[JSON], VALIDATION_FAILED);
    }
    let mut issue: Value = serde_json::from_str(ISSUE).unwrap_or_default();
    if let Some(fields) = issue.as_object_mut() {
        fields.insert("title".into(), title.into());
        fields.insert("number".into(), 1350.into());
        fields.insert("body".into(), sent.get("body").cloned().unwrap_or_default());
        let labels = sent.get("labels").and_then(Value::as_array).cloned().unwrap_or_default();
        let labels = labels.into_iter().map(|name| serde_json::json!({ "name": name })).collect();
        fields.insert("labels".into(), Value::Array(labels));
    }
    whole(
        201,
        &[JSON, ("location", "https://api.github.com/repos/octocat/Hello-World/issues/1350")],
        issue.to_string(),
    )
}
