//! Secrets as a tenant meets them: set, listed, replaced and removed, and never shown.

use serde_json::{Value, json};

use super::stage::{Answer, Someone, Stage};
use crate::fixture::on_both_databases;

const TOKEN: &str = "/v1/secrets/github-readonly";

pub(super) async fn put(stage: &Stage, who: &Someone, seen: Option<&str>, body: &Value) -> Answer {
    let ask = stage.ask("PUT", TOKEN).token(&who.token).json(body);
    match seen {
        Some(seen) => ask.header("if-match", seen).send().await,
        None => ask.send().await,
    }
}

on_both_databases! {
    async fn a_value_is_set_replaced_and_removed_and_never_shown(database: TestDatabase) {
        let stage = Stage::empty(database).await;
        let (operator, _) = stage.operator().await;
        let owner = stage.org(&operator, "acme").await;
        let value = |text: &str| json!({ "value": text });
        let made = put(&stage, &owner, None, &value("hunter2-first")).await;
        assert_eq!((made.header("etag"), made.header("location")), ("\"v1\"", TOKEN));
        let made = made.expect(201);
        assert_eq!((&made["name"], &made["version"], &made["used_by"]), (&json!("github-readonly"), &json!(1), &json!([])));
        put(&stage, &owner, None, &value("hunter2-second")).await.refused(428, "SOMA-H021");
        put(&stage, &owner, Some("\"v2\""), &value("hunter2-second")).await.refused(412, "SOMA-H020");
        let next = put(&stage, &owner, Some("\"v1\""), &json!({ "base64": "aHVudGVyMi1zZWNvbmQ=" })).await;
        assert_eq!(next.header("etag"), "\"v2\"");
        next.expect(200);
        let shown = stage.get(TOKEN, &owner.token).await;
        assert_eq!(shown.header("etag"), "\"v2\"");
        let shown = shown.expect(200);
        let listed = stage.get("/v1/secrets", &owner.token).await.expect(200);
        assert_eq!(listed["items"], json!([shown]));
        for text in [made.to_string(), shown.to_string()] {
            assert!(!text.contains("hunter2") && !text.contains("aHVudGVyMi"), "{text}");
        }
        let ask = stage.ask("DELETE", TOKEN).token(&owner.token).header("if-match", "\"v1\"");
        ask.send().await.refused(412, "SOMA-H020");
        stage.delete(TOKEN, &owner.token).await.expect(204);
        stage.delete(TOKEN, &owner.token).await.refused(404, "SOMA-U003");
        stage.get(TOKEN, &owner.token).await.refused(404, "SOMA-U003");
        assert_eq!(stage.get("/v1/secrets", &owner.token).await.expect(200)["items"], json!([]));
        // Versions go on where they were: no host takes an older value for a newer one.
        put(&stage, &owner, Some("\"v2\""), &value("hunter2-third")).await.refused(412, "SOMA-H020");
        assert_eq!(put(&stage, &owner, None, &value("hunter2-third")).await.expect(201)["version"], 3);
    }

    async fn what_is_wrong_with_a_value_is_said_without_it(database: TestDatabase) {
        let stage = Stage::empty(database).await;
        let (operator, _) = stage.operator().await;
        let owner = stage.org(&operator, "acme").await;
        for bad in [
            json!("hunter2"), json!(["hunter2"]), json!({ "value": ["hunter2"] }), json!({ "value": "" }),
            json!({ "valeu": "hunter2" }), json!({ "value": "hunter2", "base64": "aGk=" }),
            json!({ "base64": "hunter2!" }), json!({ "value": "hunter2".repeat(10_000) }),
        ] {
            let said = put(&stage, &owner, None, &bad).await.refused(422, "SOMA-H016");
            assert!(!said.to_string().contains("hunter2"), "{said}");
        }
        let ask = |body: &[u8]| stage.ask("PUT", TOKEN).token(&owner.token).header("content-type", "application/json").raw(body);
        let said = ask(b"{\"value\": \"hunter2").send().await.refused(400, "SOMA-H001");
        assert!(!said.to_string().contains("hunter2"), "{said}");
        ask(&vec![b' '; 200_000]).send().await.refused(413, "SOMA-H003");
        let ask = stage.ask("PUT", "/v1/secrets/NO%20NAME").token(&owner.token).json(&json!({ "value": "hunter2" }));
        let said = ask.send().await.refused(422, "SOMA-H016");
        assert!(said["detail"].as_str().unwrap().starts_with("`name`"), "{said}");
        assert_eq!(stage.get("/v1/secrets", &owner.token).await.expect(200)["items"], json!([]));
    }

    async fn a_secret_belongs_to_one_org_and_environment(database: TestDatabase) {
        let stage = Stage::empty(database).await;
        let (operator, _) = stage.operator().await;
        let owner = stage.org(&operator, "acme").await;
        let other = stage.org(&operator, "globex").await;
        let viewer = stage.member(&owner, "acme", "viewer").await;
        let body = json!({ "value": "hunter2" });
        put(&stage, &owner, None, &body).await.expect(201);
        put(&stage, &viewer, None, &body).await.refused(403, "SOMA-T009");
        stage.delete(TOKEN, &viewer.token).await.refused(403, "SOMA-T009");
        stage.get(TOKEN, &viewer.token).await.expect(200);
        for stranger in [&other, &operator] {
            stage.get(TOKEN, &stranger.token).await.refused(404, "SOMA-U003");
            assert_eq!(stage.get("/v1/secrets", &stranger.token).await.expect(200)["items"], json!([]));
        }
        stage.delete(TOKEN, &other.token).await.refused(404, "SOMA-U003");
        put(&stage, &other, None, &body).await.expect(201);
        let staging = json!({ "environment": "staging", "kind": "staging" });
        stage.post("/v1/orgs/acme/environments", &owner.token, &staging).await.expect(201);
        let account = json!({ "account": "builder", "name": "Builds", "caps": ["org:read"] });
        stage.post("/v1/orgs/acme/service-accounts", &owner.token, &account).await.expect(201);
        let key = json!({ "environment": "staging" });
        let key = stage.post("/v1/orgs/acme/service-accounts/builder/keys", &owner.token, &key).await.expect(201);
        let key = json!({ "api_key": key["api_key"], "token": {} });
        let there = stage.ask("POST", "/v1/auth/exchange").json(&key).send().await.expect(200);
        let there = there["access_token"].as_str().unwrap();
        stage.get(TOKEN, there).await.refused(404, "SOMA-U003");
    }

    async fn of_two_that_set_it_at_once_one_wins(database: TestDatabase) {
        let stage = Stage::empty(database).await;
        let (operator, _) = stage.operator().await;
        let owner = stage.org(&operator, "acme").await;
        let (one, two) = (json!({ "value": "one" }), json!({ "value": "two" }));
        for (seen, good) in [(None, 201), (Some("\"v1\""), 200)] {
            let (a, b) = tokio::join!(put(&stage, &owner, seen, &one), put(&stage, &owner, seen, &two));
            let mut statuses = [a.status, b.status];
            statuses.sort_unstable();
            assert_eq!(statuses[0], good, "{a:?} {b:?}");
            assert!([409, 412, 428].contains(&statuses[1]), "{a:?} {b:?}");
        }
        assert_eq!(stage.get(TOKEN, &owner.token).await.expect(200)["version"], 2);
    }

    async fn nothing_of_a_value_is_kept_to_compare_repetitions_with(database: TestDatabase) {
        let stage = Stage::empty(database).await;
        let (operator, _) = stage.operator().await;
        let owner = stage.org(&operator, "acme").await;
        let ask = || stage.ask("PUT", TOKEN).token(&owner.token).header("idempotency-key", "k1");
        ask().json(&json!({ "value": "one" })).send().await.expect(201);
        // The key means nothing here: the second is judged by its version, as any other.
        ask().json(&json!({ "value": "one" })).send().await.refused(428, "SOMA-H021");
        let dump = stage.dump_of("idempotency").await;
        assert!(!dump.contains("secrets/"), "{dump}");
    }
}
