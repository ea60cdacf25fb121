//! Orgs and environments.

use serde_json::json;

use super::stage::Stage;
use crate::fixture::on_both_databases;

on_both_databases! {
    async fn operators_make_orgs_and_nobody_else_does(database: TestDatabase) {
        let stage = Stage::empty(database).await;
        let (operator, _) = stage.operator().await;
        let owner = stage.org(&operator, "acme").await;
        let body = json!({ "org": "globex", "name": "Globex", "roles": { "tenant": true } });
        stage.post("/v1/orgs", &owner.token, &body).await.refused(403, "SOMA-T009");
        let twice = json!({ "org": "acme", "name": "Acme", "roles": {} });
        stage.post("/v1/orgs", &operator.token, &twice).await.refused(409, "SOMA-U004");
        let listed = stage.get("/v1/orgs", &operator.token).await.expect(200);
        let ids: Vec<&str> = listed["items"].as_array().unwrap().iter().map(|it| it["org"].as_str().unwrap()).collect();
        assert_eq!(ids, ["acme", "platform"]);
        let own = stage.get("/v1/orgs", &owner.token).await.expect(200);
        assert_eq!(own["items"].as_array().unwrap().len(), 1);
    }

    async fn bad_orgs_name_the_field_and_the_rule(database: TestDatabase) {
        let stage = Stage::empty(database).await;
        let (operator, _) = stage.operator().await;
        for (body, says) in [
            (json!({ "org": "Acme", "name": "x", "roles": {} }), "a-z"),
            (json!({ "org": "acme", "name": "", "roles": {} }), "`name`"),
            (json!({ "org": "acme", "name": "a\u{7}b", "roles": {} }), "`name`"),
            (json!({ "org": "acme", "name": "x", "roles": { "tennant": true } }), "did you mean \"tenant\""),
            (json!({ "org": "acme", "name": "x" }), "roles"),
            (json!({ "org": "acme", "name": "x".repeat(201), "roles": {} }), "200"),
        ] {
            let refused = stage.post("/v1/orgs", &operator.token, &body).await.refused(422, "SOMA-H016");
            assert!(refused["detail"].as_str().unwrap().contains(says), "{refused}");
        }
    }

    async fn another_org_is_not_there(database: TestDatabase) {
        let stage = Stage::empty(database).await;
        let (operator, _) = stage.operator().await;
        let acme = stage.org(&operator, "acme").await;
        stage.org(&operator, "globex").await;
        for path in [
            "/v1/orgs/globex", "/v1/orgs/globex/environments", "/v1/orgs/globex/environments/production",
            "/v1/orgs/globex/members", "/v1/orgs/globex/invitations", "/v1/orgs/globex/service-accounts",
        ] {
            let theirs = stage.get(path, &acme.token).await.refused(404, "SOMA-U003");
            let none = stage.get(&path.replace("globex", "nowhere"), &acme.token).await;
            assert_eq!(theirs["detail"], none.refused(404, "SOMA-U003")["detail"], "{path}");
        }
        let body = json!({ "environment": "dev", "kind": "development" });
        stage.post("/v1/orgs/globex/environments", &acme.token, &body).await.refused(404, "SOMA-U003");
        let body = json!({ "role": "viewer" });
        stage.post("/v1/orgs/globex/invitations", &acme.token, &body).await.refused(404, "SOMA-U003");
    }

    async fn an_update_carries_the_version_that_was_read(database: TestDatabase) {
        let stage = Stage::empty(database).await;
        let (operator, _) = stage.operator().await;
        let owner = stage.org(&operator, "acme").await;
        let seen = stage.get("/v1/orgs/acme", &owner.token).await;
        let tag = seen.header("etag").to_owned();
        let change = |tag: Option<&str>, name: &str| {
            let mut ask = stage.ask("PATCH", "/v1/orgs/acme").token(&owner.token);
            if let Some(tag) = tag {
                ask = ask.header("if-match", tag);
            }
            ask.json(&json!({ "name": name, "region": "eu" })).send()
        };
        change(None, "x").await.refused(428, "SOMA-H021");
        change(Some("*"), "x").await.refused(412, "SOMA-H020");
        let (a, b) = tokio::join!(change(Some(&tag), "First"), change(Some(&tag), "Second"));
        let mut statuses = [a.status, b.status];
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 412]);
        change(Some(&tag), "Third").await.refused(412, "SOMA-H020");
        let now = stage.get("/v1/orgs/acme", &owner.token).await;
        assert_ne!(now.header("etag"), tag);
        assert_eq!(now.expect(200)["region"], "eu");
    }

    async fn a_closed_org_has_no_tokens_and_no_logins(database: TestDatabase) {
        let stage = Stage::empty(database).await;
        let (operator, secret) = stage.operator().await;
        let owner = stage.org(&operator, "acme").await;
        let token = stage.step_up(&operator.token, &secret).await;
        let seen = stage.get("/v1/orgs/acme", &token).await;
        let body = json!({ "roles": { "tenant": true }, "state": "closed" });
        let close = stage.ask("PUT", "/v1/orgs/acme/governance").token(&token).header("if-match", seen.header("etag"));
        close.json(&body).send().await.expect(200);
        stage.get("/v1/orgs/acme", &owner.token).await.refused(401, "SOMA-T008");
        let code = json!({ "refresh_token": owner.refresh });
        stage.ask("POST", "/v1/auth/refresh").json(&code).send().await.refused(401, "SOMA-T013");
        stage.log_in("acme.owner", json!({})).await.refused(422, "SOMA-H016");
        // Nobody shuts themselves out.
        let seen = stage.get("/v1/orgs/platform", &token).await;
        let own = stage.ask("PUT", "/v1/orgs/platform/governance").token(&token).header("if-match", seen.header("etag"));
        own.json(&json!({ "roles": { "platform": true }, "state": "closed" })).send().await.refused(422, "SOMA-H016");
    }

    async fn environments_are_listed_page_by_page(database: TestDatabase) {
        let stage = Stage::empty(database).await;
        let (operator, _) = stage.operator().await;
        let owner = stage.org(&operator, "acme").await;
        for name in ["dev", "stage", "test"] {
            let body = json!({ "environment": name, "kind": "development" });
            let made = stage.post("/v1/orgs/acme/environments", &owner.token, &body).await;
            let location = made.header("location").to_owned();
            made.expect(201);
            stage.get(&location, &owner.token).await.expect(200);
        }
        let (mut seen, mut cursor) = (Vec::new(), String::new());
        loop {
            let path = format!("/v1/orgs/acme/environments?limit=2{cursor}");
            let page = stage.get(&path, &owner.token).await.expect(200);
            let items = page["items"].as_array().unwrap();
            seen.extend(items.iter().map(|it| it["environment"].as_str().unwrap().to_owned()));
            let Some(next) = page["next"].as_str() else { break };
            cursor = format!("&cursor={next}");
        }
        assert_eq!(seen, ["dev", "production", "stage", "test"]);
        for (query, code) in [("limit=0", "SOMA-H016"), ("limit=x", "SOMA-H016"), ("cursor=%25", "SOMA-H015"), ("lmit=2", "SOMA-H016")] {
            let status = if code == "SOMA-H015" { 400 } else { 422 };
            let path = format!("/v1/orgs/acme/environments?{query}");
            stage.get(&path, &owner.token).await.refused(status, code);
        }
    }
}
