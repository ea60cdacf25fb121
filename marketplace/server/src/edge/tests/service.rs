//! Service accounts and API keys.

use serde_json::{Value, json};

use super::stage::{Answer, Someone, Stage};
use crate::fixture::on_both_databases;
use crate::store::PlatformScope;

const ACCOUNTS: &str = "/v1/orgs/acme/service-accounts";

async fn account(stage: &Stage, by: &Someone, caps: Value) -> Answer {
    let body = json!({ "account": "builder", "name": "Builds", "caps": caps });
    stage.post(ACCOUNTS, &by.token, &body).await
}

async fn key(stage: &Stage, by: &Someone, body: Value) -> Answer {
    stage.post(&format!("{ACCOUNTS}/builder/keys"), &by.token, &body).await
}

async fn exchange(stage: &Stage, key: &str, token: Value) -> Answer {
    let body = json!({ "api_key": key, "token": token });
    stage.ask("POST", "/v1/auth/exchange").json(&body).send().await
}

on_both_databases! {
    async fn a_key_is_shown_once_and_gives_tokens_of_its_rights_alone(database: TestDatabase) {
        let stage = Stage::empty(database).await;
        let (operator, _) = stage.operator().await;
        let owner = stage.org(&operator, "acme").await;
        account(&stage, &owner, json!(["org:read", "call:*"])).await.expect(201);
        account(&stage, &owner, json!(["org:read"])).await.refused(409, "SOMA-U004");
        key(&stage, &owner, json!({ "environment": "nowhere" })).await.refused(422, "SOMA-H016");
        key(&stage, &owner, json!({ "environment": "production", "caps": ["install"] })).await.refused(422, "SOMA-H016");
        key(&stage, &owner, json!({ "environment": "production", "days": 366 })).await.refused(422, "SOMA-H016");
        let made = key(&stage, &owner, json!({ "environment": "production", "caps": ["org:read", "call:csv"] })).await.expect(201);
        let text = made["api_key"].as_str().unwrap().to_owned();
        let listed = stage.get(&format!("{ACCOUNTS}/builder/keys"), &owner.token).await.expect(200);
        assert!(!listed.to_string().contains(&text[32..]), "{listed}");
        let entered = exchange(&stage, &text, json!({})).await.expect(200);
        assert_eq!(entered["caps"], json!(["org:read", "call:csv"]));
        let token = entered["access_token"].as_str().unwrap();
        stage.get("/v1/orgs/acme", token).await.expect(200);
        stage.get(ACCOUNTS, token).await.refused(403, "SOMA-T009");
        stage.post("/v1/auth/totp", token, &json!({ "password": "x" })).await.refused(422, "SOMA-H016");
        exchange(&stage, &text, json!({ "caps": ["call:*"] })).await.refused(403, "SOMA-T009");
        exchange(&stage, &text, json!({ "caps": ["call:csv"] })).await.expect(200);
        for bad in ["", "soma_x_y", &text[..text.len() - 1], &text.replace("soma_", "sona_")] {
            exchange(&stage, bad, json!({})).await.refused(401, "SOMA-T014");
        }
    }

    async fn an_account_for_which_nobody_answers_gets_whoever_changes_it(database: TestDatabase) {
        let stage = Stage::empty(database).await;
        let (operator, _) = stage.operator().await;
        let owner = stage.org(&operator, "acme").await;
        account(&stage, &owner, json!(["org:read"])).await.expect(201);
        let subject = "account:builder".parse().unwrap();
        let acts = async || {
            let mut unit = stage.server.store.survey(PlatformScope::of("test")).await.unwrap();
            unit.standing(&"acme".parse().unwrap(), &subject).await.unwrap().map(|it| it.person)
        };
        let person = owner.user.parse().unwrap();
        assert_eq!(acts().await, Some(person));
        // As one that was made before accounts had anybody.
        stage.database.tamper("DELETE FROM account_keepers").await;
        assert_eq!(acts().await, None);
        let path = format!("{ACCOUNTS}/builder");
        let change = async |by: &Someone| {
            let etag = stage.get(&path, &by.token).await.header("etag").to_owned();
            let body = json!({ "name": "Builds", "caps": ["org:read"], "state": "active" });
            stage.ask("PATCH", &path).token(&by.token).header("if-match", &etag).json(&body).send().await.expect(200);
        };
        change(&owner).await;
        assert_eq!(acts().await, Some(person));
        // Somebody answers for it: who changes it later does not take that over.
        let second = stage.member(&owner, "acme", "owner").await;
        change(&second).await;
        assert_eq!(acts().await, Some(person));
    }

    async fn a_revoked_key_and_a_disabled_account_end_at_once(database: TestDatabase) {
        let stage = Stage::empty(database).await;
        let (operator, _) = stage.operator().await;
        let owner = stage.org(&operator, "acme").await;
        account(&stage, &owner, json!(["org:read"])).await.expect(201);
        let make = || async {
            let made = key(&stage, &owner, json!({ "environment": "production", "days": 1 })).await;
            let place = made.header("location").to_owned();
            (made.expect(201)["api_key"].as_str().unwrap().to_owned(), place)
        };
        let (first, place) = make().await;
        let token = exchange(&stage, &first, json!({})).await.expect(200)["access_token"].as_str().unwrap().to_owned();
        stage.delete(&place, &owner.token).await.expect(204);
        stage.delete(&place, &owner.token).await.refused(404, "SOMA-U003");
        stage.get("/v1/orgs/acme", &token).await.refused(401, "SOMA-T008");
        exchange(&stage, &first, json!({})).await.refused(401, "SOMA-T014");
        let (second, _) = make().await;
        stage.pass_seconds(1);
        let token = exchange(&stage, &second, json!({})).await.expect(200)["access_token"].as_str().unwrap().to_owned();
        let seen = stage.get(&format!("{ACCOUNTS}/builder"), &owner.token).await;
        let change = json!({ "name": "Builds", "caps": ["org:read"], "state": "disabled" });
        let ask = stage.ask("PATCH", &format!("{ACCOUNTS}/builder")).token(&owner.token);
        ask.header("if-match", seen.header("etag")).json(&change).send().await.expect(200);
        stage.get("/v1/orgs/acme", &token).await.refused(401, "SOMA-T008");
        exchange(&stage, &second, json!({})).await.refused(401, "SOMA-T014");
        stage.delete(&format!("{ACCOUNTS}/builder"), &owner.token).await.expect(204);
        stage.delete(&format!("{ACCOUNTS}/builder"), &owner.token).await.refused(404, "SOMA-U003");
    }

    async fn a_key_ends_by_itself(database: TestDatabase) {
        let stage = Stage::empty(database).await;
        let (operator, _) = stage.operator().await;
        let owner = stage.org(&operator, "acme").await;
        account(&stage, &owner, json!(["org:read"])).await.expect(201);
        let made = key(&stage, &owner, json!({ "environment": "production", "days": 1 })).await.expect(201);
        let text = made["api_key"].as_str().unwrap();
        stage.pass_seconds(24 * 3600 - 60);
        let last = exchange(&stage, text, json!({ "seconds": 3600 })).await.expect(200);
        assert_eq!(last["expires_in"], 60, "a token never outlives its key");
        stage.pass_seconds(60);
        exchange(&stage, text, json!({})).await.refused(401, "SOMA-T014");
    }

    async fn nobody_gives_a_program_more_than_they_have(database: TestDatabase) {
        let stage = Stage::empty(database).await;
        let (operator, _) = stage.operator().await;
        let owner = stage.org(&operator, "acme").await;
        let admin = stage.member(&owner, "acme", "admin").await;
        let viewer = stage.member(&owner, "acme", "viewer").await;
        account(&stage, &admin, json!(["billing:write"])).await.refused(403, "SOMA-T009");
        account(&stage, &viewer, json!(["org:read"])).await.refused(403, "SOMA-T009");
        account(&stage, &owner, json!(["operate"])).await.refused(422, "SOMA-H016");
        let body = json!({ "account": "x", "name": "x", "caps": ["operate"] });
        stage.post("/v1/orgs/platform/service-accounts", &operator.token, &body).await.refused(422, "SOMA-H016");
    }

    async fn revocations_reach_one_token_a_subject_and_a_whole_org(database: TestDatabase) {
        let stage = Stage::empty(database).await;
        let (operator, _) = stage.operator().await;
        let owner = stage.org(&operator, "acme").await;
        let viewer = stage.member(&owner, "acme", "viewer").await;
        let other = stage.org(&operator, "globex").await;
        let entered = stage.post("/v1/tokens", &viewer.token, &json!({})).await.expect(200);
        let (jti, token) = (entered["jti"].clone(), entered["access_token"].as_str().unwrap().to_owned());
        let revoke = |by: &Someone, body: Value| { let (stage, token) = (&stage, by.token.clone()); async move {
            stage.post("/v1/revocations", &token, &body).await
        } };
        // Another org's owner revokes only within the own org.
        revoke(&other, json!({ "kind": "token", "subject": jti })).await.expect(200);
        stage.get("/v1/auth/whoami", &token).await.expect(200);
        revoke(&viewer, json!({ "kind": "subject", "subject": format!("user:{}", owner.user) })).await.refused(403, "SOMA-T009");
        revoke(&owner, json!({ "kind": "token", "subject": "rubbish" })).await.refused(422, "SOMA-H016");
        revoke(&owner, json!({ "kind": "org", "subject": "globex" })).await.refused(422, "SOMA-H016");
        revoke(&owner, json!({ "kind": "token", "subject": jti })).await.expect(200);
        stage.get("/v1/auth/whoami", &token).await.refused(401, "SOMA-T008");
        stage.get("/v1/auth/whoami", &viewer.token).await.expect(200);
        revoke(&owner, json!({ "kind": "org" })).await.expect(200);
        for who in [&owner, &viewer] {
            stage.get("/v1/auth/whoami", &who.token).await.refused(401, "SOMA-T008");
        }
        stage.get("/v1/auth/whoami", &other.token).await.expect(200);
    }
}
