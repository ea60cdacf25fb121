//! A token that was narrowed may be in the hands of somebody else: it never becomes more again, and never touches what
//! proves its person.

use serde_json::{Value, json};

use super::stage::{PASSWORD, Someone, Stage};
use crate::clock::Clock as _;
use crate::fixture::on_both_databases;
use crate::identity::{Assurance, Claims};

async fn narrow(stage: &Stage, token: &str, body: Value) -> String {
    let made = stage.post("/v1/tokens", token, &body).await.expect(200);
    made["access_token"].as_str().unwrap().to_owned()
}

fn claims(stage: &Stage, token: &str) -> Claims {
    stage.server.keyring.judge(token, stage.clock.now()).unwrap()
}

async fn environment(stage: &Stage, owner: &Someone, name: &str) {
    let body = json!({ "environment": name, "kind": "staging" });
    stage.post("/v1/orgs/acme/environments", &owner.token, &body).await.expect(201);
}

on_both_databases! {
    async fn a_narrowed_token_adds_no_factor_and_steps_up_to_nothing(database: TestDatabase) {
        let stage = Stage::empty(database).await;
        let who = stage.bootstrap().await;
        // What a host is shown for one call, and what a script asked for without saying how narrow.
        for body in [json!({ "caps": ["audit:read"], "seconds": 300 }), json!({})] {
            let token = narrow(&stage, &who.token, body).await;
            let begin = json!({ "password": PASSWORD });
            stage.post("/v1/auth/totp", &token, &begin).await.refused(403, "SOMA-T009");
            let ask = stage.ask("PUT", "/v1/auth/totp").token(&token).json(&json!({ "totp": "000000" }));
            ask.send().await.refused(403, "SOMA-T009");
            stage.post("/v1/auth/step-up", &token, &json!({ "totp": "000000" })).await.refused(403, "SOMA-T009");
        }
        let (secret, codes) = stage.enrol_with_codes(&who).await;
        let token = narrow(&stage, &who.token, json!({ "caps": ["audit:read"] })).await;
        stage.pass_seconds(30);
        for proof in [json!({ "totp": secret.code_at(stage.clock.now()) }), json!({ "recovery_code": codes[0] })] {
            stage.post("/v1/auth/step-up", &token, &proof).await.refused(403, "SOMA-T009");
        }
        // Neither was used up.
        let proof = json!({ "totp": secret.code_at(stage.clock.now()) });
        let entered = stage.post("/v1/auth/step-up", &who.token, &proof).await.expect(200);
        assert!(entered["caps"].to_string().contains("operate"), "{entered}");
    }

    async fn a_narrowed_token_is_no_proof_of_two_factors_however_fresh_they_are(database: TestDatabase) {
        let stage = Stage::empty(database).await;
        let (operator, _) = stage.operator().await;
        assert_eq!(claims(&stage, &operator.token).acr, Assurance::Aal2);
        let token = narrow(&stage, &operator.token, json!({})).await;
        let said = claims(&stage, &token);
        assert_eq!((said.acr, said.auth_time, said.whole), (Assurance::Aal1, None, false));
        stage.post("/v1/issuer-keys", &token, &json!({})).await.refused(401, "SOMA-T010");
        stage.delete("/v1/auth/totp", &token).await.refused(403, "SOMA-T009");
        stage.delete(&format!("/v1/users/{}", operator.user), &token).await.refused(403, "SOMA-T009");
        let body = json!({ "old": PASSWORD, "new": "another long password" });
        stage.ask("PUT", "/v1/auth/password").token(&token).json(&body).send().await.refused(403, "SOMA-T009");
        let me = stage.get("/v1/auth/whoami", &token).await.expect(200);
        assert_eq!((&me["narrowed"], &me["acr"]), (&json!(true), &json!("aal1")));
        // The person's own still does.
        stage.post("/v1/issuer-keys", &operator.token, &json!({})).await.expect(201);
    }

    async fn a_narrowed_token_ends_itself_and_nobody_else(database: TestDatabase) {
        let stage = Stage::empty(database).await;
        let (operator, _) = stage.operator().await;
        let owner = stage.org(&operator, "acme").await;
        let viewer = stage.member(&owner, "acme", "viewer").await;
        let token = narrow(&stage, &viewer.token, json!({ "caps": ["org:read"] })).await;
        let said = claims(&stage, &token);
        stage.ask("POST", "/v1/auth/logout").token(&token).send().await.refused(403, "SOMA-T009");
        for (kind, subject) in [("subject", format!("user:{}", viewer.user)), ("key", said.cred.clone())] {
            let body = json!({ "kind": kind, "subject": subject });
            stage.post("/v1/revocations", &token, &body).await.refused(403, "SOMA-T009");
        }
        let leave = format!("/v1/orgs/acme/members/{}", viewer.user);
        stage.delete(&leave, &token).await.refused(403, "SOMA-T009");
        stage.get(&format!("/v1/users/{}", viewer.user), &token).await.refused(404, "SOMA-U003");
        let offered = stage.post("/v1/orgs/acme/invitations", &owner.token, &json!({ "role": "developer" })).await.expect(201);
        stage.post("/v1/invitations/join", &token, &json!({ "code": offered["code"] })).await.refused(403, "SOMA-T009");
        let body = json!({ "kind": "token", "subject": said.jti.to_string() });
        stage.post("/v1/revocations", &token, &body).await.expect(200);
        stage.get("/v1/auth/whoami", &token).await.refused(401, "SOMA-T008");
        stage.get("/v1/auth/whoami", &viewer.token).await.expect(200);
    }

    async fn only_a_persons_own_token_names_another_environment(database: TestDatabase) {
        let stage = Stage::empty(database).await;
        let (operator, _) = stage.operator().await;
        let owner = stage.org(&operator, "acme").await;
        environment(&stage, &owner, "staging").await;
        let there = narrow(&stage, &owner.token, json!({ "caps": ["call:*"], "environment": "staging" })).await;
        assert_eq!(claims(&stage, &there).env.as_str(), "staging");
        for other in ["production", "nowhere"] {
            let body = json!({ "environment": other });
            stage.post("/v1/tokens", &there, &body).await.refused(403, "SOMA-T009");
        }
        // Its own it may name, and what comes of it is as narrow.
        let same = narrow(&stage, &there, json!({ "environment": "staging" })).await;
        let said = claims(&stage, &same);
        assert_eq!((said.env.as_str(), said.caps.to_string(), said.whole), ("staging", "call:*".to_owned(), false));
        // One that was narrowed in its rights alone stays where it is, too.
        let here = narrow(&stage, &owner.token, json!({ "caps": ["call:*"] })).await;
        stage.post("/v1/tokens", &here, &json!({ "environment": "staging" })).await.refused(403, "SOMA-T009");
    }

    async fn a_step_up_gives_no_more_than_the_token_that_asked_holds(database: TestDatabase) {
        let stage = Stage::empty(database).await;
        let (operator, _) = stage.operator().await;
        let owner = stage.org(&operator, "acme").await;
        let viewer = stage.member(&owner, "acme", "viewer").await;
        let secret = stage.enrol(&viewer).await;
        // A token from before the person became more, as if nothing had revoked it.
        let member = format!("/v1/orgs/acme/members/{}", viewer.user);
        let seen = stage.get(&member, &owner.token).await;
        let change = stage.ask("PATCH", &member).token(&owner.token).header("if-match", seen.header("etag"));
        change.json(&json!({ "role": "admin" })).send().await.expect(200);
        stage.database.tamper("DELETE FROM revocations").await;
        let token = stage.step_up(&viewer.token, &secret).await;
        let before = claims(&stage, &viewer.token).caps;
        assert_eq!(claims(&stage, &token).caps, before);
        stage.post("/v1/orgs/acme/invitations", &token, &json!({ "role": "viewer" })).await.refused(403, "SOMA-T009");
    }

    async fn the_first_factor_is_added_with_the_password_alone(database: TestDatabase) {
        let stage = Stage::empty(database).await;
        let who = stage.bootstrap().await;
        let begin = |body: Value| { let (stage, token) = (&stage, who.token.clone()); async move {
            stage.post("/v1/auth/totp", &token, &body).await
        } };
        begin(json!({})).await.refused(422, "SOMA-H016");
        begin(json!({ "password": "not the password" })).await.refused(401, "SOMA-T011");
        begin(json!({ "password": "" })).await.refused(401, "SOMA-T011");
        let ask = stage.ask("PUT", "/v1/auth/totp").token(&who.token).json(&json!({ "totp": "000000" }));
        ask.send().await.refused(409, "SOMA-U004");
        begin(json!({ "password": PASSWORD })).await.expect(200);
    }
}
