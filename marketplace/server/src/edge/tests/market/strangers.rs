//! Every route that names something of an org, asked by the owner of another one: it finds nothing, it changes nothing,
//! it shows nothing. Driven by the OpenAPI document, so that a new route is tried as soon as it exists.

use serde_json::{Value, json};
use soma_capsule::KeyPair;

use super::stall::Stall;
use crate::edge::tests::stage::{Answer, Someone, Stage};
use crate::fixture::on_both_databases;

/// Shown to everybody who is logged in: the catalogue, and publishers' public keys.
const PUBLIC: [&str; 6] = [
    "/v1/capsules/{publisher}/{name}",
    "/v1/capsules/{publisher}/{name}/ratings",
    "/v1/capsules/{publisher}/{name}/versions/{version}",
    "/v1/namespaces/{namespace}",
    "/v1/namespaces/{namespace}/keys",
    "/v1/passports/{submission}",
];
/// Named within the org of the token: what comes of it is the stranger's own.
const OWN: [&str; 1] = ["/v1/secrets/{name}"];
/// What no stranger is ever shown: people, programs, amounts and names that their orgs gave.
const PRIVATE: [&str; 6] =
    ["acme.owner", "ACME.OWNER", "globex.owner", "GLOBEX.OWNER", "Builds of globex", "globex-only"];
/// Tables that move by themselves.
const MOVING: [&str; 4] = ["sequences", "idempotency", "feed_state", "login_senders"];

/// A marketplace in which two orgs have something of everything, and the owner of a third one.
struct World {
    stall: Stall,
    stranger: Someone,
    ids: Vec<(&'static str, String)>,
}

fn text(value: &Value, name: &str) -> String {
    value[name].as_str().unwrap_or_else(|| panic!("`{name}` in {value}")).to_owned()
}

async fn world(stall: Stall) -> World {
    let stage = &stall.stage;
    let submission = text(&stall.submit(&Stall::plain("1.0.0")).await.expect(201), "submission");
    let done = stall.review(&submission, &json!({ "decision": "approve" })).await.expect(200);
    stall.install(&Stall::file(&text(&done, "digest"), &json!({}))).await.expect(201);
    let globex = &stall.globex.token;
    let accounts = "/v1/orgs/globex/service-accounts";
    let body = json!({ "account": "builder", "name": "Builds of globex", "caps": ["org:read"] });
    stage.post(accounts, globex, &body).await.expect(201);
    let body = json!({ "environment": "production" });
    let key = stage.post(&format!("{accounts}/builder/keys"), globex, &body).await.expect(201);
    let body = json!({ "role": "viewer" });
    let offered = stage.post("/v1/orgs/globex/invitations", globex, &body).await.expect(201);
    let body = json!({ "environment": "globex-only", "kind": "staging" });
    stage.post("/v1/orgs/globex/environments", globex, &body).await.expect(201);
    let secret = stage.ask("PUT", "/v1/secrets/token").token(globex).json(&json!({ "value": "s" }));
    assert!(secret.send().await.status < 300);
    let payout = "00000000000000000000000P07";
    let row = "INSERT INTO payouts (payout_id, org, amount, currency, state, requested_by, version, created_ms, updated_ms)";
    stage
        .database
        .tamper(&format!(
            "{row} VALUES ('{payout}', 'acme', 5, 'EUR', 'requested', 'user:x', 1, 1, 1)"
        ))
        .await;
    let keys = stage.get("/v1/namespaces/acme/keys", &stall.acme.token).await.expect(200);
    let signing = text(&keys["items"][0], "key");
    let ids = vec![
        ("org", "globex".to_owned()),
        ("environment", "globex-only".to_owned()),
        ("account", "builder".to_owned()),
        ("user", stall.globex.user.clone()),
        ("invitation", text(&offered["invitation"], "invitation")),
        ("key", text(&key["key"], "key")),
        ("submission", submission),
        ("namespace", "acme".to_owned()),
        ("signing_key", signing),
        ("publisher", "acme".to_owned()),
        ("name", "greeter".to_owned()),
        ("version", "1.0.0".to_owned()),
        ("installation", "greeter".to_owned()),
        ("payout", payout.to_owned()),
    ];
    let operator = stall.operator.clone();
    let stranger = stage.org(&operator, "initech").await;
    let secret = stage.enrol(&stranger).await;
    let token = stage.step_up(&stranger.token, &secret).await;
    World { stranger: Someone { token, ..stranger }, ids, stall }
}

/// A body that the route would take from whoever may send it; empty where it takes none.
fn body(method: &str, path: &str) -> Option<Value> {
    let reason = || json!({ "reason": "because" });
    Some(match (method, path.rsplit('/').next().unwrap()) {
        ("PATCH", "{org}") => json!({ "name": "mine now" }),
        ("POST", "environments") => json!({ "environment": "mine", "kind": "staging" }),
        ("PUT", "governance") => json!({ "roles": { "tenant": true }, "state": "closed" }),
        ("POST", "invitations") => json!({ "role": "viewer" }),
        ("PATCH", "{user}") if path.contains("/members/") => json!({ "role": "viewer" }),
        ("PATCH", "{user}") => json!({ "state": "locked" }),
        ("POST", "resets") => json!({ "factors": true }),
        ("POST", "service-accounts") => {
            json!({ "account": "mine", "name": "x", "caps": ["org:read"] })
        }
        ("PATCH", "{account}") => json!({ "name": "x", "caps": ["org:read"], "state": "disabled" }),
        ("POST", "keys") if path.contains("/namespaces/") => {
            json!({ "public_key": KeyPair::generate().unwrap().public().to_pem() })
        }
        ("POST", "keys") => json!({ "environment": "production" }),
        ("POST", "back-out" | "unfreeze") => reason(),
        ("POST", "owner") => json!({ "owner": "initech" }),
        ("POST", "upgrade") => json!({ "version": "1.0.0" }),
        ("POST", "transfer") => json!({ "move": "accept" }),
        ("PUT", "standing") => json!({ "checked": true }),
        ("POST", "withdrawal") => json!({ "move": "yank", "reason": "because" }),
        ("POST", "review") => json!({ "decision": "approve" }),
        ("POST", "steps") => json!({ "step": "approve" }),
        ("POST", "lift") => json!({}),
        ("PUT", "ratings") => json!({ "stars": 1 }),
        ("PUT", "{org}") => json!({ "limit": "5.00 EUR" }),
        ("PUT", "{name}") => json!({ "value": "mine" }),
        _ => return None,
    })
}

async fn ask(
    stage: &Stage,
    who: &Someone,
    (method, path): (&str, &str),
    body: Option<Value>,
) -> Answer {
    let ask = stage.ask(method, path).token(&who.token).header("if-match", "\"v1\"");
    let ask = ask.header("idempotency-key", "k1");
    match body {
        Some(body) => ask.json(&body).send().await,
        None => ask.send().await,
    }
}

/// Every row that is none of the stranger's.
async fn rows_of_others(world: &World) -> Vec<(String, Vec<String>)> {
    let own = |line: &str| line.contains("initech") || line.contains(&world.stranger.user);
    let dump = world.stall.stage.database.dump().await;
    let kept = dump.into_iter().filter(|(table, _)| !MOVING.contains(&table.as_str()));
    let lines = |rows: String| rows.lines().filter(|it| !own(it)).map(str::to_owned).collect();
    kept.map(|(table, rows)| (table, lines(rows))).collect()
}

on_both_databases! {
    async fn the_owner_of_another_org_finds_nothing_changes_nothing_and_is_shown_nothing(database: TestDatabase) {
        let world = world(Stall::open(database).await).await;
        let (stage, stranger) = (&world.stall.stage, &world.stranger);
        let before = rows_of_others(&world).await;
        let document = serde_json::to_value(crate::edge::openapi()).unwrap();
        let mut tried = 0;
        for (path, methods) in document["paths"].as_object().unwrap() {
            let filled = world.ids.iter().fold(path.clone(), |path, (name, id)| path.replace(&format!("{{{name}}}"), id));
            // Hosts, kill orders, constitutions and keys of the issuer are nobody's; their own tests try who may.
            if filled.contains('{') {
                continue;
            }
            let names = path.contains('{');
            for method in methods.as_object().unwrap().keys().map(|method| method.to_uppercase()) {
                let public = method == "GET" && PUBLIC.contains(&path.as_str());
                // Without a name in its path only a list can show something of others.
                if !names && method != "GET" {
                    continue;
                }
                let (what, given) = (format!("{method} {path}"), body(&method, path));
                let answer = ask(stage, stranger, (&method, &filled), given.clone()).await;
                tried += usize::from(names);
                assert!(answer.status < 500, "{what}: {}", answer.body);
                if names && !public && !OWN.contains(&path.as_str()) {
                    assert!(answer.status >= 400, "{what}: {} {}", answer.status, answer.body);
                    // What was given is right, so it is not the form that is refused.
                    let form = matches!(answer.status, 400 | 415) || answer.body["code"] == "SOMA-H016";
                    assert!(given.is_none() || !form, "{what}: {}", answer.body);
                }
                let said = answer.body.to_string();
                for private in PRIVATE {
                    assert!(!said.contains(private), "{what} shows `{private}`: {said}");
                }
            }
        }
        assert!(tried > 45, "{tried}");
        for ((table, before), (_, after)) in before.iter().zip(rows_of_others(&world).await) {
            for line in before {
                assert!(after.contains(line), "`{table}` has another row in the place of {line}");
            }
        }
        // They are still there, for whoever they belong to.
        stage.get("/v1/orgs/globex/environments/globex-only", &world.stall.globex.token).await.expect(200);
        stage.get("/v1/installations/greeter", &world.stall.globex.token).await.expect(200);
    }
}
