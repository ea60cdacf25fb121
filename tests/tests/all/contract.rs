//! The committed OpenAPI document against a running host: every path and method is asked for what the
//! document promises, refusals too, and every answer is held against the schema that the document names.

mod cases;
mod document;
mod kills;

use std::collections::BTreeSet;

use document::{Document, Operation};
use reqwest::{Method, StatusCode};
use serde_json::json;
use soma_tests::{TestHome, TestHost, tokens};

use cases::Case;

/// What the document lists and this test cannot bring about in a host that is well; each says who shows it.
const ELSEWHERE: &[(&str, &str)] = &[
    ("402", "tests of leases and of the gate matrix"),
    ("429", "tests of admission"),
    ("500", "tests of the stores"),
    ("503", "tests of the journal and of interrupted calls"),
];

/// A host with one installation, a call that ended, and tokens of less and less right.
pub(crate) struct Place {
    home: TestHome,
    host: TestHost,
    /// A call that ended well.
    call: String,
    /// A token that may call and nothing else.
    caller: String,
    /// A token that may read and nothing else.
    reader: String,
}

impl Place {
    async fn new() -> Self {
        let home = TestHome::new().await.unwrap();
        home.install("text", "text", &[]).await.unwrap();
        let host = TestHost::start(&home).await.unwrap();
        let reply = host.call("text", "slugify", &json!({ "text": "A b" })).await.unwrap();
        let caller = tokens::mint(home.path(), &["call:other"]).await.unwrap();
        let reader = tokens::mint(home.path(), &["read:calls"]).await.unwrap();
        Self { home, host, call: reply.call, caller, reader }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_documented_route_answers_as_documented() {
    let place = Place::new().await;
    let document = Document::committed();
    let served = place.host.get("/openapi.json").await.unwrap();
    assert_eq!(document.json(), &served, "the host serves another document than the committed one");

    let mut seen = BTreeSet::new();
    for case in cases::all(&place).into_iter().chain(kills::all(&place)) {
        seen.insert(met(&place, &document, case).await);
    }
    let mut missing = Vec::new();
    for Operation { method, path, statuses } in document.operations() {
        for status in statuses {
            let asked = seen.contains(&(method.clone(), path.clone(), status.clone()));
            if !asked && !ELSEWHERE.iter().any(|(elsewhere, _)| *elsewhere == status) {
                missing.push(format!("{method} {path} {status}"));
            }
        }
    }
    assert!(missing.is_empty(), "documented and never seen: {missing:#?}");
}

/// Sends a case, and holds the answer against the document.
async fn met(place: &Place, document: &Document, case: Case) -> (String, String, String) {
    let Case { method, path, request, expected, why } = case;
    let name = format!("{method} {path}: {why}");
    let response = request.send().await.unwrap();
    let status = response.status();
    let kind = response.headers().get("content-type").and_then(|kind| kind.to_str().ok());
    let kind = kind.unwrap_or_default().split(';').next().unwrap_or_default().to_owned();
    for field in ["x-content-type-options", "content-security-policy", "cache-control"] {
        assert!(response.headers().contains_key(field), "{name}: no {field}");
    }
    if status == StatusCode::UNAUTHORIZED {
        assert!(response.headers().contains_key("www-authenticate"), "{name}");
    }
    let body = response.bytes().await.unwrap();
    let text = String::from_utf8_lossy(&body);
    assert_eq!(status.as_u16(), expected, "{name}: {text}");
    document.check(method.as_str(), &path, expected, &kind, &body).unwrap_or_else(|error| {
        panic!("{name}: {error}\n{text}\nhost {}", place.host.url());
    });
    (method.to_string().to_lowercase(), path, expected.to_string())
}

#[tokio::test(flavor = "multi_thread")]
async fn methods_and_paths_that_are_not_documented_do_not_exist() {
    let place = Place::new().await;
    let document = Document::committed();
    for path in document.paths() {
        let known = document.methods(&path);
        for method in ["get", "post", "put", "patch", "delete"] {
            // Whoever answers GET answers HEAD too; the others are another matter.
            if known.iter().any(|known| known == method) {
                continue;
            }
            let concrete = path.replace("{id}", "x").replace("{function}", "y");
            let method = Method::from_bytes(method.to_uppercase().as_bytes()).unwrap();
            let response = place.host.request(method.clone(), &concrete).send().await.unwrap();
            assert_eq!(response.status().as_u16(), 405, "{method} {path}");
            assert!(response.headers().contains_key("allow"), "{method} {path}");
            let problem = response.bytes().await.unwrap();
            document.check_schema("ProblemBody", &problem).unwrap();
        }
    }
    for path in ["/", "/v1", "/v1/", "/v1/calls/", "/v1/installations/text", "/v2/calls", "/docs"] {
        let response = place.host.request(Method::GET, path).send().await.unwrap();
        assert_eq!(response.status().as_u16(), 404, "{path}");
        document.check_schema("ProblemBody", &response.bytes().await.unwrap()).unwrap();
    }
}

/// The router is built from the documented routes alone: each handler in its list is one operation of the
/// document, and no route is added beside the list.
#[test]
fn no_route_is_undocumented() {
    let source = include_str!("../../../host/runtime/src/edge/routes.rs");
    for way in [".route(", ".route_service(", ".nest(", ".merge("] {
        assert!(!source.contains(way), "routes.rs adds a route by `{way}`");
    }
    let lists = source.split("routes!(").skip(1).filter_map(|rest| rest.split(')').next());
    let handlers: usize = lists.map(|list| list.split(',').count()).sum();
    assert_eq!(handlers, Document::committed().operations().len());
}
