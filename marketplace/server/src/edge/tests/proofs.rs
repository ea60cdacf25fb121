//! Guesses are counted where they are made: a stolen token has five, a sender is blocked and nobody else with it, and
//! an operator lets people in again.

use serde_json::{Value, json};

use super::stage::{Answer, PASSWORD, Stage};
use crate::clock::Clock as _;
use crate::fixture::on_both_databases;

const HOME: &str = "198.51.100.1";
const STRANGER: &str = "203.0.113.1";

async fn log_in(stage: &Stage, from: &str, password: &str) -> Answer {
    let body = json!({ "login": "root.person", "password": password });
    stage.ask("POST", "/v1/auth/login").from(from).json(&body).send().await
}

async fn guess(stage: &Stage, from: &str, times: usize) {
    for _ in 0..times {
        log_in(stage, from, "not the password").await.refused(401, "SOMA-T011");
    }
}

async fn step_up(stage: &Stage, token: &str, proof: Value) -> Answer {
    stage.post("/v1/auth/step-up", token, &proof).await
}

on_both_databases! {
    async fn a_session_ends_with_the_fifth_wrong_proof_and_each_is_in_the_record(database: TestDatabase) {
        let stage = Stage::empty(database).await;
        let who = stage.bootstrap().await;
        let secret = stage.enrol(&who).await;
        for proof in [json!({ "totp": "000000" }), json!({ "recovery_code": "0000-0000-0000-0000" }), json!({ "totp": "x" })] {
            step_up(&stage, &who.token, proof).await.refused(401, "SOMA-T012");
        }
        // Nothing was shown, so nothing was wrong.
        step_up(&stage, &who.token, json!({})).await.refused(401, "SOMA-T012");
        let body = json!({ "old": "not the password", "new": "another long password" });
        let change = stage.ask("PUT", "/v1/auth/password").token(&who.token).json(&body);
        change.send().await.refused(401, "SOMA-T011");
        stage.get("/v1/auth/whoami", &who.token).await.expect(200);
        step_up(&stage, &who.token, json!({ "totp": "000000" })).await.refused(401, "SOMA-T012");
        stage.get("/v1/auth/whoami", &who.token).await.refused(401, "SOMA-T008");
        let code = json!({ "refresh_token": who.refresh });
        stage.ask("POST", "/v1/auth/refresh").json(&code).send().await.refused(401, "SOMA-T013");
        // The right one comes too late for this session, and is good for the next.
        stage.pass_seconds(30);
        let code = json!({ "totp": secret.code_at(stage.clock.now()) });
        step_up(&stage, &who.token, code.clone()).await.refused(401, "SOMA-T008");
        let entered = stage.log_in("root.person", code).await.expect(200);
        let token = entered["access_token"].as_str().unwrap();
        let audit = stage.get("/v1/audit?kind=proof-failed", token).await.expect(200);
        let items = audit["items"].as_array().unwrap();
        let whys: Vec<&str> = items.iter().map(|it| it["detail"]["why"].as_str().unwrap()).collect();
        assert_eq!(whys, ["second factor", "password", "second factor", "second factor", "second factor"]);
        let ended = items.iter().filter(|it| it["detail"]["ended"] == true);
        assert_eq!(ended.count(), 1, "{audit}");
    }

    async fn a_right_proof_begins_the_count_anew(database: TestDatabase) {
        let stage = Stage::empty(database).await;
        let who = stage.bootstrap().await;
        let secret = stage.enrol(&who).await;
        let mut token = who.token.clone();
        for _ in 0..3 {
            for _ in 0..4 {
                step_up(&stage, &token, json!({ "totp": "000000" })).await.refused(401, "SOMA-T012");
            }
            token = stage.step_up(&token, &secret).await;
        }
        stage.get("/v1/auth/whoami", &token).await.expect(200);
    }

    async fn what_comes_while_a_sender_is_blocked_makes_the_block_no_longer(database: TestDatabase) {
        let stage = Stage::empty(database).await;
        stage.bootstrap().await;
        guess(&stage, HOME, 5).await;
        for _ in 0..10 {
            stage.pass_seconds(29);
            guess(&stage, HOME, 1).await;
            // Nor does the right password, which is not told to be right.
            log_in(&stage, HOME, PASSWORD).await.refused(401, "SOMA-T011");
        }
        stage.pass_seconds(10);
        log_in(&stage, HOME, PASSWORD).await.expect(200);
    }

    async fn a_stranger_keeps_nobody_out_but_itself(database: TestDatabase) {
        let stage = Stage::empty(database).await;
        stage.bootstrap().await;
        guess(&stage, STRANGER, 50).await;
        log_in(&stage, STRANGER, PASSWORD).await.refused(401, "SOMA-T011");
        log_in(&stage, HOME, PASSWORD).await.expect(200);
    }

    async fn many_strangers_together_keep_strangers_out_and_not_who_came_before(database: TestDatabase) {
        let stage = Stage::empty(database).await;
        let (operator, _) = stage.operator().await;
        let owner = stage.org(&operator, "acme").await;
        let log_in = |from: String, password: &str| {
            let body = json!({ "login": "acme.owner", "password": password });
            stage.ask("POST", "/v1/auth/login").from(&from).json(&body).send()
        };
        log_in(HOME.to_owned(), PASSWORD).await.expect(200);
        for n in 0..20 {
            for _ in 0..5 {
                log_in(format!("203.0.113.{n}"), "not the password").await.refused(401, "SOMA-T011");
            }
        }
        log_in("203.0.113.99".to_owned(), PASSWORD).await.refused(401, "SOMA-T011");
        // An operator ends that at once, too.
        let reset = stage.post(&format!("/v1/users/{}/resets", owner.user), &operator.token, &json!({})).await.expect(200);
        assert!(reset["code"].as_str().unwrap().len() > 40);
        log_in("203.0.113.99".to_owned(), PASSWORD).await.expect(200);
        for n in 0..20 {
            for _ in 0..5 {
                log_in(format!("203.0.113.{n}"), "not the password").await.refused(401, "SOMA-T011");
            }
        }
        log_in("203.0.113.98".to_owned(), PASSWORD).await.refused(401, "SOMA-T011");
        log_in(HOME.to_owned(), PASSWORD).await.expect(200);
    }

    async fn wrong_second_factors_block_a_sender_as_passwords_do(database: TestDatabase) {
        let stage = Stage::empty(database).await;
        let who = stage.bootstrap().await;
        let secret = stage.enrol(&who).await;
        let log_in = |from: &str, code: String| {
            let body = json!({ "login": "root.person", "password": PASSWORD, "totp": code });
            stage.ask("POST", "/v1/auth/login").from(from).json(&body).send()
        };
        for _ in 0..5 {
            log_in(STRANGER, "000000".to_owned()).await.refused(401, "SOMA-T012");
        }
        stage.pass_seconds(30);
        let code = secret.code_at(stage.clock.now());
        log_in(STRANGER, code.clone()).await.refused(401, "SOMA-T011");
        log_in(HOME, code).await.expect(200);
    }

    async fn an_operator_gives_a_way_back_in_that_is_good_once(database: TestDatabase) {
        let stage = Stage::empty(database).await;
        let (operator, _) = stage.operator().await;
        let owner = stage.org(&operator, "acme").await;
        stage.enrol(&owner).await;
        let path = format!("/v1/users/{}/resets", owner.user);
        // Operators alone, with two fresh factors, and never for themselves.
        stage.post(&path, &owner.token, &json!({})).await.refused(403, "SOMA-T009");
        let narrow = stage.post("/v1/tokens", &operator.token, &json!({})).await.expect(200);
        stage.post(&path, narrow["access_token"].as_str().unwrap(), &json!({})).await.refused(403, "SOMA-T009");
        let own = format!("/v1/users/{}/resets", operator.user);
        stage.post(&own, &operator.token, &json!({})).await.refused(422, "SOMA-H016");
        let nobody = "/v1/users/00000000000000000000000000/resets";
        stage.post(nobody, &operator.token, &json!({})).await.refused(404, "SOMA-U003");

        let first = stage.post(&path, &operator.token, &json!({})).await.expect(200);
        let again = stage.post(&path, &operator.token, &json!({ "factors": true })).await.expect(200);
        let set = |code: &Value, password: &str| {
            let body = json!({ "code": code, "password": password });
            stage.ask("POST", "/v1/auth/reset").json(&body).send()
        };
        // With its factor, everything that was proven by it is gone.
        stage.get("/v1/auth/whoami", &owner.token).await.refused(401, "SOMA-T008");
        set(&json!("rubbish"), "another long password").await.refused(404, "SOMA-U003");
        set(&first["code"], "another long password").await.refused(404, "SOMA-U003");
        set(&again["code"], "short").await.refused(422, "SOMA-U014");
        set(&again["code"], "another long password").await.expect(204);
        set(&again["code"], "a third long password").await.refused(404, "SOMA-U003");
        stage.pass_seconds(1);
        stage.log_in("acme.owner", json!({})).await.refused(401, "SOMA-T011");
        let body = json!({ "login": "acme.owner", "password": "another long password" });
        let entered = stage.ask("POST", "/v1/auth/login").json(&body).send().await.expect(200);
        assert_eq!(entered["acr"], "aal1");
        let dump = stage.dump_of("password_resets").await + &stage.dump_of("audit_entries").await;
        for code in [&first["code"], &again["code"]] {
            assert!(!dump.contains(code.as_str().unwrap()), "only its hash is kept");
        }
        let seen = stage.get("/v1/audit?kind=user-reset", &operator.token).await.expect(200);
        assert_eq!(seen["items"].as_array().unwrap().len(), 2);
    }
}
