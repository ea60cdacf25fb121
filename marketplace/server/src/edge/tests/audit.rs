//! The record as its readers see it.

use serde_json::json;

use super::stage::Stage;
use crate::audit::Sequencer;
use crate::fixture::on_both_databases;

on_both_databases! {
    async fn entries_are_the_own_orgs_and_operators_see_all(database: TestDatabase) {
        let stage = Stage::empty(database).await;
        let (operator, _) = stage.operator().await;
        let owner = stage.org(&operator, "acme").await;
        let viewer = stage.member(&owner, "acme", "viewer").await;
        stage.get("/v1/audit", &viewer.token).await.refused(403, "SOMA-T009");
        stage.get("/v1/audit?everywhere=true", &owner.token).await.refused(403, "SOMA-T009");
        let own = stage.get("/v1/audit", &owner.token).await.expect(200);
        let items = own["items"].as_array().unwrap();
        assert!(items.len() >= 3 && items.iter().all(|it| it["org"] == "acme"), "{own}");
        assert!(items.iter().any(|it| it["kind"] == "member-joined"));
        let all = stage.get("/v1/audit?everywhere=true&limit=100", &operator.token).await.expect(200);
        assert!(all["items"].as_array().unwrap().iter().any(|it| it["kind"] == "bootstrapped"));
        stage.log_in("acme.owner", json!({ "totp": "1", "org": "acme" })).await.expect(200);
        let failed = json!({ "login": "acme.owner", "password": "wrong wrong wrong" });
        stage.ask("POST", "/v1/auth/login").json(&failed).send().await.refused(401, "SOMA-T011");
        let kind = "/v1/audit?everywhere=true&kind=login-failed";
        let found = stage.get(kind, &operator.token).await.expect(200);
        assert_eq!(found["items"].as_array().unwrap().len(), 1);
        // No personal data: persons are named by pseudonyms alone.
        for text in ["acme.owner", "ACME.OWNER"] {
            assert!(!all.to_string().contains(text) && !found.to_string().contains(text), "{text}");
        }
    }

    async fn pages_go_back_in_time_without_gaps(database: TestDatabase) {
        let stage = Stage::empty(database).await;
        let (operator, _) = stage.operator().await;
        stage.org(&operator, "acme").await;
        let whole = stage.get("/v1/audit?everywhere=true&limit=100", &operator.token).await.expect(200);
        let ids = |page: &serde_json::Value| -> Vec<String> {
            page["items"].as_array().unwrap().iter().map(|it| it["id"].to_string()).collect()
        };
        let (mut seen, mut cursor) = (Vec::new(), String::new());
        loop {
            let path = format!("/v1/audit?everywhere=true&limit=2{cursor}");
            let page = stage.get(&path, &operator.token).await.expect(200);
            seen.extend(ids(&page));
            let Some(next) = page["next"].as_str() else { break };
            cursor = format!("&cursor={next}");
        }
        assert_eq!(seen, ids(&whole));
        stage.get("/v1/audit?cursor=AAAA", &operator.token).await.refused(400, "SOMA-H015");
    }

    async fn the_chain_is_verified_and_survives_the_erasure_of_a_person(database: TestDatabase) {
        let stage = Stage::empty(database).await;
        let (operator, secret) = stage.operator().await;
        let owner = stage.org(&operator, "acme").await;
        let viewer = stage.member(&owner, "acme", "viewer").await;
        let mut sequencer = Sequencer::default();
        sequencer.run(&stage.server).await.unwrap();
        let token = stage.step_up(&operator.token, &secret).await;
        stage.delete(&format!("/v1/users/{}", viewer.user), &token).await.expect(204);
        sequencer.run(&stage.server).await.unwrap();
        let found = stage.get("/v1/audit/verification", &token).await.expect(200);
        assert_eq!((found["sound"].as_bool(), found["unchained"].as_u64()), (Some(true), Some(0)), "{found}");
        assert!(found["entries"].as_u64().unwrap() >= 8, "{found}");
        assert!(found["checkpoints"].as_u64().unwrap() >= 2, "in the database and outside: {found}");
        stage.get("/v1/audit/verification", &owner.token).await.refused(403, "SOMA-T009");
    }
}
