//! Invitations, roles, leaving, and being forgotten.

use serde_json::json;

use super::stage::Stage;
use crate::fixture::on_both_databases;

on_both_databases! {
    async fn an_invitation_is_taken_once_and_in_its_time(database: TestDatabase) {
        let stage = Stage::empty(database).await;
        let (operator, _) = stage.operator().await;
        let owner = stage.org(&operator, "acme").await;
        let offer = |role: &'static str| { let (stage, token) = (&stage, owner.token.clone()); async move {
            stage.post("/v1/orgs/acme/invitations", &token, &json!({ "role": role })).await
        } };
        let code = offer("developer").await.expect(201)["code"].as_str().unwrap().to_owned();
        let accept = |login: &str| {
            let body = json!({ "code": code, "person": Stage::person(login) });
            stage.ask("POST", "/v1/invitations/accept").json(&body).send()
        };
        let (a, b) = tokio::join!(accept("dev.one"), accept("dev.two"));
        let mut statuses = [a.status, b.status];
        statuses.sort_unstable();
        assert_eq!(statuses, [201, 404]);
        accept("dev.three").await.refused(404, "SOMA-U003");
        // One that is withdrawn, and one that is too old.
        let made = offer("viewer").await;
        let place = made.header("location").to_owned();
        stage.delete(&place, &owner.token).await.expect(204);
        stage.delete(&place, &owner.token).await.refused(404, "SOMA-U003");
        let body = json!({ "code": made.body["code"], "person": Stage::person("too.late") });
        stage.ask("POST", "/v1/invitations/accept").json(&body).send().await.refused(404, "SOMA-U003");
        let late = offer("viewer").await.expect(201)["code"].clone();
        stage.pass_seconds(7 * 24 * 3600 + 1);
        let body = json!({ "code": late, "person": Stage::person("too.late") });
        stage.ask("POST", "/v1/invitations/accept").json(&body).send().await.refused(404, "SOMA-U003");
    }

    async fn a_login_name_that_is_taken_leaves_the_invitation_open(database: TestDatabase) {
        let stage = Stage::empty(database).await;
        let (operator, _) = stage.operator().await;
        let owner = stage.org(&operator, "acme").await;
        let offered = stage.post("/v1/orgs/acme/invitations", &owner.token, &json!({ "role": "viewer" })).await.expect(201);
        let body = json!({ "code": offered["code"], "person": Stage::person("acme.owner") });
        stage.ask("POST", "/v1/invitations/accept").json(&body).send().await.refused(409, "SOMA-U004");
        for (login, password, code) in [("A B", "long enough password", "SOMA-H016"), ("viewer", "short", "SOMA-U014")] {
            let person = json!({ "login": login, "name": "x", "password": password });
            let body = json!({ "code": offered["code"], "person": person });
            stage.ask("POST", "/v1/invitations/accept").json(&body).send().await.refused(422, code);
        }
        stage.accept(offered["code"].as_str().unwrap(), "a.viewer").await;
    }

    async fn a_person_joins_a_second_org_and_says_which_at_login(database: TestDatabase) {
        let stage = Stage::empty(database).await;
        let (operator, _) = stage.operator().await;
        let acme = stage.org(&operator, "acme").await;
        let globex = stage.org(&operator, "globex").await;
        let offered = stage.post("/v1/orgs/globex/invitations", &globex.token, &json!({ "role": "viewer" })).await.expect(201);
        let code = json!({ "code": offered["code"] });
        let joined = stage.post("/v1/invitations/join", &acme.token, &code).await.expect(200);
        assert_eq!((joined["org"].as_str(), joined["role"].as_str()), (Some("globex"), Some("viewer")));
        stage.post("/v1/invitations/join", &acme.token, &code).await.refused(404, "SOMA-U003");
        let which = stage.log_in("acme.owner", json!({})).await.refused(422, "SOMA-H016");
        assert!(which["detail"].as_str().unwrap().contains("acme, globex"), "{which}");
        stage.log_in("acme.owner", json!({ "org": "platform" })).await.refused(422, "SOMA-H016");
        let entered = stage.log_in("acme.owner", json!({ "org": "globex" })).await.expect(200);
        assert_eq!(entered["caps"], json!(["org:read", "read:calls"]));
    }

    async fn nobody_gives_or_takes_more_than_they_have(database: TestDatabase) {
        let stage = Stage::empty(database).await;
        let (operator, _) = stage.operator().await;
        let owner = stage.org(&operator, "acme").await;
        let admin = stage.member(&owner, "acme", "admin").await;
        let viewer = stage.member(&admin, "acme", "viewer").await;
        let invite = |token: String, role: &'static str| { let stage = &stage; async move {
            stage.post("/v1/orgs/acme/invitations", &token, &json!({ "role": role })).await
        } };
        invite(admin.token.clone(), "owner").await.refused(403, "SOMA-T009");
        invite(viewer.token.clone(), "viewer").await.refused(403, "SOMA-T009");
        let of = |who: &str| format!("/v1/orgs/acme/members/{who}");
        stage.delete(&of(&owner.user), &admin.token).await.refused(403, "SOMA-T009");
        stage.delete(&of(&admin.user), &viewer.token).await.refused(403, "SOMA-T009");
        let seen = stage.get(&of(&viewer.user), &admin.token).await;
        let change = |role: &str| {
            let ask = stage.ask("PATCH", &of(&viewer.user)).token(&admin.token);
            ask.header("if-match", seen.header("etag")).json(&json!({ "role": role })).send()
        };
        change("owner").await.refused(403, "SOMA-T009");
        change("developer").await.expect(200);
        // What the old token said is no longer so.
        stage.get("/v1/auth/whoami", &viewer.token).await.refused(401, "SOMA-T008");
        // One may leave by oneself.
        stage.delete(&of(&admin.user), &admin.token).await.expect(204);
        stage.get("/v1/auth/whoami", &admin.token).await.refused(401, "SOMA-T008");
    }

    async fn an_org_keeps_a_head_even_if_two_leave_at_once(database: TestDatabase) {
        let stage = Stage::empty(database).await;
        let (operator, _) = stage.operator().await;
        let owner = stage.org(&operator, "acme").await;
        let of = |who: &str| format!("/v1/orgs/acme/members/{who}");
        stage.delete(&of(&owner.user), &owner.token).await.refused(409, "SOMA-U013");
        let second = stage.member(&owner, "acme", "owner").await;
        let (mine, theirs) = (of(&owner.user), of(&second.user));
        let (a, b) = tokio::join!(stage.delete(&mine, &owner.token), stage.delete(&theirs, &second.token));
        let mut statuses = [a.status, b.status];
        statuses.sort_unstable();
        assert_eq!(statuses, [204, 409]);
    }

    async fn an_operators_role_is_given_with_two_fresh_factors_only(database: TestDatabase) {
        let stage = Stage::empty(database).await;
        let (operator, secret) = stage.operator().await;
        stage.pass_seconds(400);
        let body = json!({ "role": "operator" });
        stage.post("/v1/orgs/platform/invitations", &operator.token, &body).await.refused(401, "SOMA-T010");
        let token = stage.step_up(&operator.token, &secret).await;
        stage.post("/v1/orgs/platform/invitations", &token, &body).await.expect(201);
        let reviewer = json!({ "role": "reviewer" });
        stage.post("/v1/orgs/platform/invitations", &operator.token, &reviewer).await.expect(201);
    }

    async fn an_erased_person_is_gone_but_for_the_pseudonym(database: TestDatabase) {
        let stage = Stage::empty(database).await;
        let (operator, _) = stage.operator().await;
        let owner = stage.org(&operator, "acme").await;
        let viewer = stage.member(&owner, "acme", "viewer").await;
        let path = format!("/v1/users/{}", viewer.user);
        stage.delete(&path, &owner.token).await.refused(404, "SOMA-U003");
        stage.delete(&format!("/v1/users/{}", owner.user), &operator.token).await.refused(409, "SOMA-U013");
        stage.delete(&path, &operator.token).await.expect(204);
        stage.delete(&path, &operator.token).await.refused(404, "SOMA-U003");
        let left = stage.get(&path, &operator.token).await.expect(200);
        assert_eq!((left["state"].as_str(), left["login"].as_str()), (Some("erased"), None));
        stage.get("/v1/auth/whoami", &viewer.token).await.refused(401, "SOMA-T008");
        stage.log_in("acme.viewer", json!({})).await.refused(401, "SOMA-T011");
        let members = stage.get("/v1/orgs/acme/members", &owner.token).await.expect(200);
        assert_eq!(members["items"].as_array().unwrap().len(), 1);
    }
}
