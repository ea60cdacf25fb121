//! How fast who may ask: a token that counts no more uses up nothing, and one person not the part of all others.

use serde_json::json;

use super::stage::{Someone, Stage};
use crate::config::Rates;
use crate::fixture::on_both_databases;

const RATES: Rates = Rates { peer: 1_000_000, org: 120, user: 36, login: 1_000_000 };

async fn asks(stage: &Stage, who: &Someone) -> super::stage::Answer {
    stage.get("/v1/orgs/acme", &who.token).await
}

on_both_databases! {
    async fn a_revoked_token_uses_up_nothing_of_its_org(database: TestDatabase) {
        let stage = Stage::limited(database, RATES).await;
        let (operator, _) = stage.operator().await;
        let owner = stage.org(&operator, "acme").await;
        let viewer = stage.member(&owner, "acme", "viewer").await;
        let body = json!({ "kind": "subject", "subject": format!("user:{}", viewer.user) });
        stage.post("/v1/revocations", &owner.token, &body).await.expect(200);
        stage.pass_seconds(60);
        for _ in 0..100 {
            asks(&stage, &viewer).await.refused(401, "SOMA-T008");
        }
        asks(&stage, &owner).await.expect(200);
    }

    async fn one_person_has_only_some_of_the_orgs_requests(database: TestDatabase) {
        let stage = Stage::limited(database, RATES).await;
        let (operator, _) = stage.operator().await;
        let owner = stage.org(&operator, "acme").await;
        let viewer = stage.member(&owner, "acme", "viewer").await;
        stage.pass_seconds(60);
        // A sixth of a minute's may come at once.
        for _ in 0..6 {
            asks(&stage, &viewer).await.expect(200);
        }
        for _ in 0..100 {
            let slower = asks(&stage, &viewer).await;
            let told = ["x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset", "retry-after"];
            assert_eq!(told.map(|name| slower.header(name)), ["36", "0", "2", "2"]);
            slower.refused(429, "SOMA-H014");
        }
        // Not one of the hundred was the org's.
        for _ in 0..6 {
            asks(&stage, &owner).await.expect(200);
        }
        // What a narrowed token asks is its person's.
        stage.pass_seconds(2);
        stage.post("/v1/tokens", &viewer.token, &json!({})).await.expect(200);
        asks(&stage, &viewer).await.refused(429, "SOMA-H014");
    }
}
