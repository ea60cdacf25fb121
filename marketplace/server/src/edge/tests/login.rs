//! Coming in, staying in, proving more, and going.

use serde_json::{Value, json};

use super::stage::{PASSWORD, Stage};
use crate::clock::Clock as _;
use crate::fixture::on_both_databases;

on_both_databases! {
    async fn the_first_operator_comes_once_with_the_right_code(database: TestDatabase) {
        let stage = Stage::empty(database).await;
        let body = json!({ "code": "wrong", "person": Stage::person("mallory") });
        let wrong = stage.ask("POST", "/v1/bootstrap").json(&body).send().await;
        wrong.refused(403, "SOMA-T015");
        let body = json!({ "code": stage.code, "person": Stage::person("root.person") });
        let (a, b) = tokio::join!(
            stage.ask("POST", "/v1/bootstrap").json(&body).send(),
            stage.ask("POST", "/v1/bootstrap").json(&body).send(),
        );
        let mut statuses = [a.status, b.status];
        statuses.sort_unstable();
        assert_eq!(statuses, [201, 403]);
        let token = if a.status == 201 { a.body } else { b.body };
        let token = token["access_token"].as_str().unwrap().to_owned();
        let me = stage.get("/v1/auth/whoami", &token).await.expect(200);
        assert_eq!((me["org"].as_str(), me["acr"].as_str()), (Some("platform"), Some("aal1")));
        assert!(me["caps"].as_array().unwrap().contains(&json!("operate")));
    }


    async fn the_first_operator_may_bring_an_org_along_and_it_is_all_or_nothing(database: TestDatabase) {
        let stage = Stage::empty(database).await;
        let body = |roles: Value| json!({ "code": stage.code, "person": Stage::person("ada"),
            "org": { "org": "local", "name": "Local", "roles": roles } });
        let refused = stage.ask("POST", "/v1/bootstrap").json(&body(json!({ "platform": true })));
        refused.send().await.refused(422, "SOMA-H016");
        // The code is still good: nothing had an effect.
        let made = stage.ask("POST", "/v1/bootstrap").json(&body(json!({ "tenant": true, "publisher": true })));
        let token = made.send().await.expect(201)["access_token"].as_str().unwrap().to_owned();
        assert_eq!(stage.get("/v1/orgs/local", &token).await.expect(200)["roles"]["tenant"], true);
        let entered = stage.log_in("ada", json!({ "org": "local" })).await.expect(200);
        assert!(entered["caps"].to_string().contains("install"), "{entered}");
        let entered = stage.log_in("ada", json!({ "org": "platform" })).await.expect(200);
        assert!(entered["caps"].to_string().contains("operate"), "{entered}");
    }

    async fn a_login_gives_a_token_with_every_claim(database: TestDatabase) {
        let stage = Stage::empty(database).await;
        stage.bootstrap().await;
        let entered = stage.log_in("root.person", json!({})).await.expect(200);
        let token = entered["access_token"].as_str().unwrap();
        let claims = stage.server.keyring.judge(token, stage.clock.now()).unwrap();
        let claims = serde_json::to_value(claims).unwrap();
        for claim in ["iss", "aud", "sub", "org", "env", "caps", "acr", "auth_time", "jti", "iat", "nbf", "exp"] {
            assert!(!claims[claim].is_null(), "{claim}: {claims}");
        }
        let life = claims["exp"].as_u64().unwrap() - claims["iat"].as_u64().unwrap();
        assert!(life <= 3600, "{life}");
        let keys = stage.ask("GET", "/.well-known/jwks.json").send().await.expect(200);
        assert_eq!(keys["keys"].as_array().unwrap().len(), 1);
        assert!(keys["keys"][0].get("d").is_none() && keys["keys"][0]["kty"] == "EC");
    }

    async fn unknown_wrong_and_locked_sound_the_same(database: TestDatabase) {
        let stage = Stage::empty(database).await;
        let (operator, _) = stage.operator().await;
        let owner = stage.org(&operator, "acme").await;
        let ask = |login: &str, password: &str| {
            let body = json!({ "login": login, "password": password });
            stage.ask("POST", "/v1/auth/login").json(&body).send()
        };
        let unknown = ask("nobody.there", PASSWORD).await.refused(401, "SOMA-T011");
        let wrong = ask("acme.owner", "not the password").await.refused(401, "SOMA-T011");
        let path = format!("/v1/users/{}", owner.user);
        let seen = stage.get(&path, &operator.token).await;
        let lock = stage.ask("PATCH", &path).token(&operator.token).header("if-match", seen.header("etag"));
        lock.json(&json!({ "state": "locked" })).send().await.expect(200);
        let locked = ask("acme.owner", PASSWORD).await.refused(401, "SOMA-T011");
        assert_eq!(unknown["detail"], wrong["detail"]);
        assert_eq!(unknown["detail"], locked["detail"]);
        stage.get("/v1/auth/whoami", &owner.token).await.refused(401, "SOMA-T008");
        let refreshed = json!({ "refresh_token": owner.refresh });
        stage.ask("POST", "/v1/auth/refresh").json(&refreshed).send().await.refused(401, "SOMA-T013");
    }

    async fn five_failures_block_the_account_for_minutes(database: TestDatabase) {
        let stage = Stage::empty(database).await;
        stage.bootstrap().await;
        for _ in 0..5 {
            let body = json!({ "login": "root.person", "password": "not the password" });
            stage.ask("POST", "/v1/auth/login").json(&body).send().await.refused(401, "SOMA-T011");
        }
        stage.log_in("root.person", json!({})).await.refused(401, "SOMA-T011");
        stage.pass_seconds(301);
        stage.log_in("root.person", json!({})).await.expect(200);
    }

    async fn a_second_factor_is_asked_for_and_each_code_is_good_once(database: TestDatabase) {
        let stage = Stage::empty(database).await;
        let who = stage.bootstrap().await;
        let secret = stage.enrol(&who).await;
        stage.log_in("root.person", json!({})).await.refused(401, "SOMA-T012");
        stage.log_in("root.person", json!({ "totp": "000000" })).await.refused(401, "SOMA-T012");
        stage.pass_seconds(30);
        let code = json!({ "totp": secret.code_at(stage.clock.now()) });
        let entered = stage.log_in("root.person", code.clone()).await.expect(200);
        assert_eq!(entered["acr"], "aal2");
        stage.log_in("root.person", code).await.refused(401, "SOMA-T012");
        stage.post("/v1/auth/totp", &who.token, &json!({ "password": PASSWORD })).await.refused(409, "SOMA-U004");
    }

    async fn a_recovery_code_replaces_the_factor_once(database: TestDatabase) {
        let stage = Stage::empty(database).await;
        let who = stage.bootstrap().await;
        let begun = stage.post("/v1/auth/totp", &who.token, &json!({ "password": PASSWORD })).await.expect(200);
        assert!(begun["uri"].as_str().unwrap().starts_with("otpauth://totp/soma:root.person?"));
        let bad = stage.ask("PUT", "/v1/auth/totp").token(&who.token).json(&json!({ "totp": "x" }));
        bad.send().await.refused(401, "SOMA-T012");
        // Not confirmed yet: it does not count.
        stage.log_in("root.person", json!({})).await.expect(200);
        let (_, codes) = stage.enrol_with_codes(&who).await;
        assert_eq!(codes.len(), 10);
        stage.log_in("root.person", json!({ "recovery_code": "0000-0000-0000-0000" })).await.refused(401, "SOMA-T012");
        let code = json!({ "recovery_code": codes[0].to_uppercase() });
        assert_eq!(stage.log_in("root.person", code.clone()).await.expect(200)["acr"], "aal2");
        stage.log_in("root.person", code).await.refused(401, "SOMA-T012");
        let both = json!({ "recovery_code": codes[1], "totp": "000000" });
        stage.log_in("root.person", both).await.refused(401, "SOMA-T012");
    }

    async fn a_refresh_code_is_good_once_and_a_spent_one_ends_the_session(database: TestDatabase) {
        let stage = Stage::empty(database).await;
        let who = stage.bootstrap().await;
        let refresh = |code: &str| {
            stage.ask("POST", "/v1/auth/refresh").json(&json!({ "refresh_token": code })).send()
        };
        let next = refresh(&who.refresh).await.expect(200);
        let (token, code) = (next["access_token"].as_str().unwrap(), next["refresh_token"].as_str().unwrap());
        stage.get("/v1/auth/whoami", token).await.expect(200);
        refresh(&who.refresh).await.refused(401, "SOMA-T013");
        // Somebody showed a spent code: neither of the two keeps the session.
        refresh(code).await.refused(401, "SOMA-T013");
        stage.get("/v1/auth/whoami", token).await.refused(401, "SOMA-T008");
        refresh("rubbish").await.refused(401, "SOMA-T013");
    }

    async fn a_logout_ends_every_token_of_the_session(database: TestDatabase) {
        let stage = Stage::empty(database).await;
        let who = stage.bootstrap().await;
        let narrow = stage.post("/v1/tokens", &who.token, &json!({ "caps": ["org:read"] })).await.expect(200);
        let narrow = narrow["access_token"].as_str().unwrap();
        stage.ask("POST", "/v1/auth/logout").token(&who.token).send().await.expect(204);
        for token in [who.token.as_str(), narrow] {
            stage.get("/v1/auth/whoami", token).await.refused(401, "SOMA-T008");
        }
        let code = json!({ "refresh_token": who.refresh });
        stage.ask("POST", "/v1/auth/refresh").json(&code).send().await.refused(401, "SOMA-T013");
        stage.pass_seconds(1);
        stage.log_in("root.person", json!({})).await.expect(200);
    }

    async fn a_narrower_token_never_holds_more_and_never_outlives(database: TestDatabase) {
        let stage = Stage::empty(database).await;
        let who = stage.bootstrap().await;
        let ask = |body| { let token = who.token.clone(); let stage = &stage; async move { stage.post("/v1/tokens", &token, &body).await } };
        ask(json!({ "caps": ["install"] })).await.refused(403, "SOMA-T009");
        ask(json!({ "caps": ["rubbish"] })).await.refused(422, "SOMA-H016");
        ask(json!({ "caps": [] })).await.refused(422, "SOMA-H016");
        ask(json!({ "seconds": 3601 })).await.refused(422, "SOMA-H016");
        ask(json!({ "environment": "nowhere" })).await.refused(422, "SOMA-H016");
        stage.pass_seconds(600);
        let made = ask(json!({ "caps": ["org:read"], "seconds": 3600 })).await.expect(200);
        assert_eq!(made["expires_in"], 300);
        let token = made["access_token"].as_str().unwrap();
        stage.get("/v1/users", token).await.refused(403, "SOMA-T009");
        stage.pass_seconds(300);
        stage.get("/v1/auth/whoami", token).await.refused(401, "SOMA-T004");
    }

    async fn a_new_password_ends_every_session(database: TestDatabase) {
        let stage = Stage::empty(database).await;
        let who = stage.bootstrap().await;
        let change = |old: &str, new: &str| {
            let body = json!({ "old": old, "new": new });
            stage.ask("PUT", "/v1/auth/password").token(&who.token).json(&body).send()
        };
        change(PASSWORD, "short").await.refused(422, "SOMA-U014");
        change("not the password", "another long password").await.refused(401, "SOMA-T011");
        change(PASSWORD, "another long password").await.expect(204);
        stage.get("/v1/auth/whoami", &who.token).await.refused(401, "SOMA-T008");
        stage.pass_seconds(1);
        stage.log_in("root.person", json!({})).await.refused(401, "SOMA-T011");
        let body = json!({ "login": "root.person", "password": "another long password" });
        stage.ask("POST", "/v1/auth/login").json(&body).send().await.expect(200);
    }

    async fn what_needs_two_fresh_factors_says_so_and_takes_no_less(database: TestDatabase) {
        let stage = Stage::empty(database).await;
        let who = stage.bootstrap().await;
        let rotate = |token: String| { let stage = &stage; async move { stage.post("/v1/issuer-keys", &token, &json!({})).await } };
        let refused = rotate(who.token.clone()).await;
        let challenge = refused.header("www-authenticate").to_owned();
        assert!(challenge.contains("insufficient_user_authentication") && challenge.contains("acr_values=\"aal2\""), "{challenge}");
        refused.refused(401, "SOMA-T010");
        // Without a second factor there is nothing to step up with.
        stage.post("/v1/auth/step-up", &who.token, &json!({})).await.refused(401, "SOMA-T012");
        let secret = stage.enrol(&who).await;
        rotate(who.token.clone()).await.refused(401, "SOMA-T010");
        let token = stage.step_up(&who.token, &secret).await;
        stage.pass_seconds(301);
        rotate(token.clone()).await.refused(401, "SOMA-T010");
        let token = stage.step_up(&token, &secret).await;
        rotate(token).await.expect(201);
    }

    async fn a_rotated_key_overlaps_and_a_revoked_one_ends_its_tokens(database: TestDatabase) {
        let stage = Stage::empty(database).await;
        let (operator, secret) = stage.operator().await;
        let kid = |token: &str| {
            let header = jsonwebtoken::decode_header(token).unwrap();
            header.kid.unwrap()
        };
        let old = kid(&operator.token);
        let made = stage.post("/v1/issuer-keys", &operator.token, &json!({})).await.expect(201);
        let new = made["kid"].as_str().unwrap().to_owned();
        assert!(made.get("sealed").is_none());
        let published = stage.ask("GET", "/.well-known/jwks.json").send().await.expect(200);
        assert_eq!(published["keys"].as_array().unwrap().len(), 2);
        // Published, but the old one signs until the overlap is over.
        let token = stage.step_up(&operator.token, &secret).await;
        assert_eq!(kid(&token), old);
        stage.pass_seconds(600);
        stage.get("/v1/auth/whoami", &token).await.expect(200);
        let token = stage.step_up(&token, &secret).await;
        assert_eq!(kid(&token), new);
        stage.delete(&format!("/v1/issuer-keys/{new}"), &token).await.expect(204);
        stage.get("/v1/auth/whoami", &token).await.refused(401, "SOMA-T003");
        // There is a key again, at once.
        stage.pass_seconds(30);
        let code = json!({ "totp": secret.code_at(stage.clock.now()) });
        let entered = stage.log_in("root.person", code).await.expect(200);
        stage.get("/v1/auth/whoami", entered["access_token"].as_str().unwrap()).await.expect(200);
    }
}
