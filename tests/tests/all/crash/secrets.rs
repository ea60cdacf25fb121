//! A secret that is rotated while somebody dies: the new value is there whole or not at all, reaches the host, and
//! goes into the request that it is for.

use reqwest::Method;
use serde_json::{Value, json};
use soma_tests::home::write_peers;
use soma_tests::{Authority, Plane, Realm, TestServer, github};

use super::fleet::{Fleet, Who};
use super::server::assert_sound;

const ROTATING: &[(Who, &str)] = &[
    (Who::Server, "server.secret.kept"),
    (Who::Server, "server.secret.committed"),
    (Who::Server, "server.secret.sent"),
    (Who::Host, "host.secret.kept"),
];
const ROUTE: &str = "/v1/secrets/github-token";
const ORIGIN: &str = "https://api.github.com:443";

/// Gives the secret a value over a version that was read; none for its first one.
async fn set(plane: &Plane, token: &str, value: &str, over: Option<u64>) -> anyhow::Result<u16> {
    let ask = plane.bare(Method::PUT, ROUTE).bearer_auth(token).json(&json!({ "value": value }));
    let ask = match over {
        Some(version) => ask.header("if-match", format!("\"v{version}\"")),
        None => ask,
    };
    Ok(ask.send().await?.status().as_u16())
}

/// Waits until the host holds this version and no older one.
async fn held(fleet: &Fleet, version: u64) {
    let held = |it: &Value| {
        let now = (&it["version"], &it["hosts_current"], &it["hosts_behind"]);
        now == (&json!(version), &json!(1), &json!(0))
    };
    fleet.plane.until(ROUTE, &fleet.local, held).await.unwrap();
}

fn installation(digest: &str) -> Value {
    // Enough of a day for the leases of every run: what a dead one held comes back later.
    let (call, day) = (["4 KiB", "1 MiB"], ["1 MiB", "64 MiB"]);
    let bytes =
        |[request, response]: [&str; 2]| json!({ "request": request, "response": response });
    let issues = json!({
        "origin": ORIGIN, "methods": ["GET"], "paths": ["/repos/*/*/issues", "/repositories/*/issues"],
        "per_call": bytes(call), "per_day": bytes(day),
    });
    let cache = json!({ "prefix": "etag/", "access": "read-write", "quota": "4 MiB" });
    json!({
        "schema": 1, "tenant": "local", "environment": "production", "capsule": "acme/github",
        "version": "*", "digest": digest, "on_update": "ask",
        "grants": {
            "http": { "issues": issues }, "kv": { "cache": cache },
            "secret": { "token": { "from": "github-token" } },
        },
        "budget": { "limit": "5.00 EUR", "per": "day", "concurrent_calls": 16 },
    })
}

/// A realm whose host holds a first value, which the peer does not take.
async fn first(mut base: Realm, authority: &Authority, peer: &TestServer) -> Realm {
    write_peers(&base.home().join("policy"), authority, &[(ORIGIN, peer.address())]).unwrap();
    let plane = base.server(None).await.unwrap();
    let words = [("\"soma/github\"".to_owned(), "\"acme/github\"".to_owned())];
    let body = base.submission_of("github", &words, "").unwrap();
    let digest = base.release(&plane, &body).await.unwrap();
    plane.stop().await.unwrap();
    let fleet = Fleet::start(&base, None).await;
    assert_eq!(set(&fleet.plane, &fleet.local, "of last year", None).await.unwrap(), 201);
    fleet.install_as("issues", &installation(&digest)).await;
    fleet.active_as("issues").await;
    held(&fleet, 1).await;
    fleet.rest().await
}

/// Calls until the peer takes the value.
async fn lists(fleet: &Fleet) {
    let repo = json!({ "repo": "octocat/Hello-World" });
    let ask = async || Ok(fleet.host.call("issues", "list-issues", &repo).await?.status);
    soma_tests::running::until("a call", ask, |status| *status == 200).await.unwrap();
}

async fn rotating(base: &Realm, paths: &[(Who, &str)]) {
    for (who, point) in paths {
        let fleet = Fleet::start(base, Some((*who, point))).await;
        let answered = set(&fleet.plane, &fleet.local, github::TOKEN, Some(1)).await;
        let fleet = fleet.again(*who).await;
        let now = fleet.plane.get(ROUTE, &fleet.local).await.unwrap();
        let stands = now["version"] == 2;
        println!("{point:<28} {who:?} died, the new value stands: {stands}");
        assert_eq!(stands, *point != "server.secret.kept", "{now}");
        assert!(stands || answered.is_err(), "{point}: what was answered is not there");
        // The same once more: whoever read the old version is told that it is another one now.
        let again = set(&fleet.plane, &fleet.local, github::TOKEN, Some(1)).await.unwrap();
        assert_eq!(again, if stands { 412 } else { 200 }, "{point}");
        held(&fleet, 2).await;
        lists(&fleet).await;
        assert_sound(&fleet.plane, &fleet.operator).await;
        fleet.rest().await;
    }
}

/// What a server that dies makes of it, in a realm of any database.
pub(super) async fn of_server(base: Realm) {
    let authority = Authority::new().unwrap();
    let peer = github::start(&authority).await.unwrap();
    rotating(&first(base, &authority, &peer).await, &ROTATING[1..3]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotated_secret_is_there_whole_or_not_at_all_and_reaches_its_host() {
    let authority = Authority::new().unwrap();
    let peer = github::start(&authority).await.unwrap();
    let base = first(Realm::found().await.unwrap(), &authority, &peer).await;
    rotating(&base, ROTATING).await;
}
