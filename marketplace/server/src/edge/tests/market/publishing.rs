//! From a name to a release, and back.

use serde_json::json;
use soma_capsule::dsse::{self, Envelope};
use soma_policy::feed::{ReleaseApproval, kind};
use soma_policy::{KillScope, OrderId};

use super::stall::Stall;
use crate::examine::fixture::{capsule, component, manifest};
use crate::fixture::{TestDatabase, on_both_databases};
use crate::store::PlatformScope;

on_both_databases! {
    async fn what_is_submitted_is_examined_reviewed_countersigned_and_found(database: TestDatabase) {
        let stall = Stall::open(database).await;
        let stage = &stall.stage;
        let told = stall.told("acme").await.unwrap();
        assert_eq!(told["keys"].as_array().unwrap().len(), 1, "{told}");
        let made = stall.submit(&Stall::reaching("1.0.0")).await;
        let location = made.header("location").to_owned();
        let made = made.expect(201);
        assert_eq!((&made["state"], &made["attempt"]), (&json!("in_review"), &json!(1)), "{made}");
        let codes: Vec<&str> = made["findings"].as_array().unwrap().iter().map(|it| it["code"].as_str().unwrap()).collect();
        assert!(codes.contains(&"SOMA-F013"), "{codes:?}");
        assert!(made["capabilities"][0].as_str().unwrap().contains("GET https://api.example.org"), "{made}");
        let queue = stage.get("/v1/submissions?state=in_review", &stall.operator.token).await.expect(200);
        assert_eq!(queue["items"].as_array().unwrap().len(), 1);
        let hidden = stage.get("/v1/capsules/acme/greeter", &stall.globex.token).await;
        hidden.refused(404, "SOMA-S034");
        let id = made["submission"].as_str().unwrap();
        let done = stall.review(id, &json!({ "decision": "approve" })).await.expect(200);
        assert_eq!(done["state"], "published");
        assert_eq!(stage.get(&location, &stall.acme.token).await.expect(200)["state"], "published");
        let page = stage.get("/v1/capsules/acme/greeter/versions/1.0.0", &stall.globex.token).await.expect(200);
        assert!(page["capabilities"][0].as_str().unwrap().starts_with("http.api: may GET"), "{page}");
        assert!(page["sbom"].is_object() && page["provenance"].is_object());
        let digest = done["digest"].as_str().unwrap().parse().unwrap();
        let envelope = stage.server.packages.approval(digest).await.unwrap().unwrap();
        let envelope = Envelope::from_json(&envelope).unwrap();
        let keys = [stage.server.feed_key.public().clone()];
        let said: ReleaseApproval = dsse::verify(&envelope, kind::APPROVAL, &keys).unwrap().read().unwrap();
        assert_eq!((said.digest, said.version.to_string()), (digest, "1.0.0".to_owned()));
        assert_eq!(stall.events("capsule.submitted").await, 1);
        assert_eq!(stall.events("capsule.published").await, 1);
    }

    async fn an_attempt_that_is_sent_back_is_replaced_by_the_next(database: TestDatabase) {
        let stall = Stall::open(database).await;
        let first = stall.submit(&Stall::plain("1.0.0")).await.expect(201);
        let first = first["submission"].as_str().unwrap().to_owned();
        stall.review(&first, &json!({ "decision": "revise" })).await.refused(422, "SOMA-H016");
        stall.review(&first, &json!({ "decision": "revise", "reason": "say more" })).await.expect(200);
        stall.submit(&Stall::plain("1.0.0")).await.refused(409, "SOMA-S016");
        let second = stall.submit(&Stall::reaching("1.0.0")).await.expect(201);
        assert_eq!(second["attempt"], 2);
        let path = format!("/v1/submissions/{first}");
        let seen = stall.stage.get(&path, &stall.acme.token).await.expect(200);
        assert_eq!((seen["state"].as_str(), seen["reason"].as_str()), (Some("replaced"), Some("say more")));
        stall.review(&first, &json!({ "decision": "approve" })).await.refused(409, "SOMA-S002");
        let second = second["submission"].as_str().unwrap();
        stall.review(second, &json!({ "decision": "reject", "reason": "no" })).await.expect(200);
        let refused = stall.review(second, &json!({ "decision": "approve" })).await.refused(409, "SOMA-S001");
        assert!(refused["detail"].as_str().unwrap().contains("final"), "{refused}");
    }

    async fn a_release_is_deprecated_yanked_given_back_and_revoked(database: TestDatabase) {
        let mut stall = Stall::open(database).await;
        let digest = stall.published(&Stall::plain("1.0.0")).await;
        let path = "/v1/capsules/acme/greeter/versions/1.0.0/withdrawal";
        let say = |what: &str| json!({ "move": what, "reason": "because" });
        let acme = stall.acme.token.clone();
        let refused = stall.stage.post(path, &acme, &say("unyank")).await.refused(409, "SOMA-S001");
        assert!(refused["detail"].as_str().unwrap().contains("deprecate, yank, revoke"), "{refused}");
        stall.stage.post(path, &stall.globex.token, &say("yank")).await.refused(403, "SOMA-S013");
        let done = stall.stage.post(path, &acme, &say("deprecate")).await.expect(200);
        assert_eq!(done["release"]["state"], "deprecated");
        stall.stage.post(path, &acme, &say("yank")).await.expect(200);
        let listed = stall.stage.get("/v1/capsules", &stall.globex.token).await.expect(200);
        assert_eq!(listed["items"], json!([]));
        stall.install(&Stall::file(&digest, &json!({}))).await.refused(409, "SOMA-S023");
        let back = stall.stage.post(path, &acme, &say("unyank")).await.expect(200);
        assert_eq!(back["release"]["state"], "deprecated");
        stall.freshen().await;
        let gone = stall.stage.post(path, &stall.acme.token, &say("revoke")).await.expect(200);
        assert_eq!((gone["release"]["state"].as_str(), gone["kill"].as_str()), (Some("revoked"), Some(digest.as_str())));
        stall.install(&Stall::file(&digest, &json!({}))).await.refused(409, "SOMA-S024");
    }

    async fn a_name_changes_hands_after_its_pause_and_asks_the_tenants(database: TestDatabase) {
        let mut stall = Stall::open(database).await;
        let digest = stall.published(&Stall::plain("1.0.0")).await;
        stall.install(&Stall::file(&digest, &json!({}))).await.expect(201);
        let zeta = stall.stage.org(&stall.operator, "zeta").await;
        let zeta_secret = stall.stage.enrol(&zeta).await;
        stall.freshen().await;
        let path = "/v1/namespaces/acme/transfer";
        let accept = json!({ "move": "accept" });
        let offer = json!({ "move": "offer", "to": "zeta" });
        let token = stall.stage.step_up(&zeta.token, &zeta_secret).await;
        stall.stage.post(path, &token, &accept).await.refused(409, "SOMA-S001");
        stall.stage.post(path, &stall.acme.token, &offer).await.expect(200);
        stall.stage.post(path, &token, &accept).await.expect(200);
        crate::releases::complete_transfers(&stall.stage.server).await.unwrap();
        let seen = stall.stage.get("/v1/namespaces/acme", &token).await.expect(200);
        assert_eq!(seen["org"], "acme");
        stall.stage.pass_seconds(8 * 86_400);
        assert_eq!(crate::releases::complete_transfers(&stall.stage.server).await.unwrap(), 1);
        let entered = stall.stage.log_in("globex.owner", json!({})).await.expect(200);
        let token = entered["access_token"].as_str().unwrap();
        let seen = stall.stage.get("/v1/namespaces/acme", token).await.expect(200);
        assert_eq!((seen["org"].as_str(), seen["history"].as_array().unwrap().len()), (Some("zeta"), 2));
        let asked = stall.stage.get("/v1/installations/greeter", token).await.expect(200);
        assert_eq!(asked["owner_asked"], "zeta");
        let body = json!({ "owner": "zeta" });
        let agreed = stall.stage.post("/v1/installations/greeter/owner", token, &body).await.expect(200);
        assert!(agreed["owner_asked"].is_null());
    }

    async fn a_killed_digest_freezes_its_name_until_somebody_has_looked(database: TestDatabase) {
        let stall = Stall::open(database).await;
        let digest = stall.published(&Stall::plain("1.0.0")).await;
        let server = &stall.stage.server;
        let scope = KillScope::Digest(digest.parse().unwrap());
        for _ in 0..2 {
            let mut unit = server.store.platform(PlatformScope::of("tests")).await.unwrap();
            server.follow_kill(&mut unit, &scope, OrderId::from_u128(7)).await.unwrap();
            unit.commit().await.unwrap();
        }
        stall.submit(&Stall::plain("1.1.0")).await.refused(409, "SOMA-S017");
        let seen = stall.stage.get("/v1/namespaces/acme", &stall.acme.token).await.expect(200);
        assert_eq!(seen["frozen"], true);
        let path = "/v1/capsules/acme/greeter/unfreeze";
        let body = json!({ "reason": "looked at" });
        stall.stage.post(path, &stall.acme.token, &body).await.refused(403, "SOMA-T009");
        stall.stage.post(path, &stall.operator.token, &body).await.expect(200);
        stall.stage.post(path, &stall.operator.token, &body).await.refused(409, "SOMA-S001");
        let standing = json!({ "checked": true, "unfreeze": "looked at" });
        let put = stall.stage.ask("PUT", "/v1/namespaces/acme/standing").token(&stall.operator.token).json(&standing);
        assert_eq!(put.send().await.expect(200)["frozen"], false);
        stall.submit(&Stall::plain("1.1.0")).await.expect(201);
    }

    async fn little_risk_is_approved_without_a_person_where_the_operator_allows_it(database: TestDatabase) {
        let stall = Stall::open(TestDatabase { auto_approve: true, ..database }).await;
        let made = stall.submit(&Stall::plain("1.0.0")).await.expect(201);
        assert_eq!((made["state"].as_str(), made["risk"].as_str()), (Some("published"), Some("0.280")), "{made}");
        let listed = stall.stage.get("/v1/capsules", &stall.globex.token).await.expect(200);
        assert_eq!(listed["items"][0]["latest"], "1.0.0");
        let data = format!("ghp_{}", "a1B2".repeat(9));
        let leaking = capsule(&component(&[], &data), &manifest("acme/greeter", "1.1.0", ""));
        assert_eq!(stall.submit(&leaking).await.expect(201)["state"], "in_review");
    }
}
