//! Idempotency-Key: one effect and one answer, however often it is sent.

use serde_json::json;

use super::stage::{Someone, Stage};
use crate::fixture::on_both_databases;

const PATH: &str = "/v1/orgs/acme/environments";

fn keyed(stage: &Stage, who: &Someone, key: &str, name: &str) -> super::stage::Ask {
    let body = json!({ "environment": name, "kind": "staging" });
    stage.ask("POST", PATH).token(&who.token).header("idempotency-key", key).json(&body)
}

on_both_databases! {
    async fn a_repeat_has_the_same_answer_and_no_second_effect(database: TestDatabase) {
        let stage = Stage::empty(database).await;
        let (operator, _) = stage.operator().await;
        let owner = stage.org(&operator, "acme").await;
        let first = keyed(&stage, &owner, "k1", "one").send().await;
        let again = keyed(&stage, &owner, "k1", "one").send().await;
        assert_eq!((first.status, again.status), (201, 201));
        assert_eq!(first.body, again.body);
        for name in ["location", "etag", "content-type"] {
            assert_eq!(first.header(name), again.header(name), "{name}");
        }
        assert_eq!((first.header("idempotent-replayed"), again.header("idempotent-replayed")), ("", "true"));
        let listed = stage.get(PATH, &owner.token).await.expect(200);
        assert_eq!(listed["items"].as_array().unwrap().len(), 2);
        let audit = stage.get("/v1/audit?kind=environment-made", &owner.token).await.expect(200);
        assert_eq!(audit["items"].as_array().unwrap().len(), 1);
    }

    async fn another_body_is_refused_and_a_key_belongs_to_one_principal_and_route(database: TestDatabase) {
        let stage = Stage::empty(database).await;
        let (operator, _) = stage.operator().await;
        let owner = stage.org(&operator, "acme").await;
        let admin = stage.member(&owner, "acme", "admin").await;
        keyed(&stage, &owner, "k1", "one").send().await.expect(201);
        keyed(&stage, &owner, "k1", "two").send().await.refused(422, "SOMA-H009");
        keyed(&stage, &admin, "k1", "two").send().await.expect(201);
        let body = json!({ "account": "builder", "name": "Builds", "caps": ["org:read"] });
        let other = stage.ask("POST", "/v1/orgs/acme/service-accounts").token(&owner.token);
        other.header("idempotency-key", "k1").json(&body).send().await.expect(201);
        stage.pass_seconds(300);
        for bad in ["", "a b", &"x".repeat(256)] {
            keyed(&stage, &owner, bad, "x").send().await.refused(422, "SOMA-H016");
        }
    }

    async fn another_query_under_the_same_key_is_refused(database: TestDatabase) {
        let stage = Stage::empty(database).await;
        let (operator, _) = stage.operator().await;
        let owner = stage.org(&operator, "acme").await;
        let ask = |query: &str| {
            let body = json!({ "environment": "one", "kind": "staging" });
            let ask = stage.ask("POST", &format!("{PATH}{query}")).token(&owner.token);
            ask.header("idempotency-key", "k1").json(&body).send()
        };
        ask("?id=a").await.expect(201);
        assert_eq!(ask("?id=a").await.header("idempotent-replayed"), "true");
        for other in ["?id=b", "?id=a&plan=x", ""] {
            ask(other).await.refused(422, "SOMA-H009");
        }
    }

    async fn what_failed_is_not_kept_and_may_be_tried_again(database: TestDatabase) {
        let stage = Stage::empty(database).await;
        let (operator, _) = stage.operator().await;
        let owner = stage.org(&operator, "acme").await;
        keyed(&stage, &owner, "k1", "production").send().await.refused(409, "SOMA-U004");
        keyed(&stage, &owner, "k1", "one").send().await.expect(201);
    }

    async fn of_many_at_once_one_has_the_effect_and_none_another_answer(database: TestDatabase) {
        let stage = Stage::empty(database).await;
        let (operator, _) = stage.operator().await;
        let owner = stage.org(&operator, "acme").await;
        let asks = (0..12).map(|_| keyed(&stage, &owner, "k1", "one").send());
        let answers = futures::future::join_all(asks).await;
        let made = answers.iter().filter(|answer| answer.status == 201 && answer.header("idempotent-replayed").is_empty());
        assert_eq!(made.count(), 1);
        for answer in answers {
            match answer.status {
                201 => assert_eq!(answer.body["environment"], "one"),
                _ => {
                    assert_eq!(answer.header("retry-after"), "1");
                    answer.refused(409, "SOMA-H010");
                }
            }
        }
    }

    async fn a_secret_is_never_kept(database: TestDatabase) {
        let stage = Stage::empty(database).await;
        let (operator, _) = stage.operator().await;
        let owner = stage.org(&operator, "acme").await;
        let ask = || {
            let ask = stage.ask("POST", "/v1/orgs/acme/invitations").token(&owner.token);
            ask.header("idempotency-key", "k1").json(&json!({ "role": "viewer" })).send()
        };
        let first = ask().await;
        let place = first.header("location").to_owned();
        first.expect(201);
        let again = ask().await;
        assert_eq!(again.header("location"), place);
        again.refused(409, "SOMA-H023");
        let listed = stage.get("/v1/orgs/acme/invitations", &owner.token).await.expect(200);
        assert_eq!(listed["items"].as_array().unwrap().iter().filter(|it| it["used"].is_null()).count(), 1);
    }

    async fn after_a_day_a_key_is_new_again(database: TestDatabase) {
        let stage = Stage::empty(database).await;
        let (operator, _) = stage.operator().await;
        let owner = stage.org(&operator, "acme").await;
        keyed(&stage, &owner, "k1", "one").send().await.expect(201);
        stage.pass_seconds(24 * 3600);
        let entered = stage.log_in("acme.owner", json!({})).await.expect(200);
        let token = entered["access_token"].as_str().unwrap().to_owned();
        let owner = Someone { token, ..owner };
        keyed(&stage, &owner, "k1", "one").send().await.refused(409, "SOMA-U004");
    }
}
