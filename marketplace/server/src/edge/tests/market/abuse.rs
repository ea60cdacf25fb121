//! Wrong orgs, wrong roles, two at once, again, out of order, too large: refused, and nothing changed.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use soma_capsule::KeyPair;

use super::stall::Stall;
use crate::edge::tests::stage::Someone;
use crate::examine::fixture::{bundle, capsule, component, manifest};
use crate::fixture::on_both_databases;

on_both_databases! {
    async fn a_name_is_claimed_once_and_only_its_owner_publishes_under_it(database: TestDatabase) {
        let stall = Stall::open(database).await;
        let (stage, body) = (&stall.stage, stall.body(&Stall::plain("1.0.0")));
        stage.post("/v1/submissions", &stall.globex.token, &body).await.refused(403, "SOMA-S013");
        stage.post("/v1/marketplace/publish", &stall.globex.token, &body).await.refused(403, "SOMA-S013");
        let claim = json!({ "namespace": "acme" });
        stage.post("/v1/namespaces", &stall.globex.token, &claim).await.refused(401, "SOMA-T010");
        stage.post("/v1/namespaces", &stall.operator.token, &json!({ "namespace": "acme", "org": "globex" })).await.refused(409, "SOMA-S011");
        stage.post("/v1/namespaces", &stall.acme.token, &json!({ "namespace": "support" })).await.refused(403, "SOMA-S012");
        let viewer = stage.member(&stall.acme, "acme", "viewer").await;
        stage.post("/v1/submissions", &viewer.token, &body).await.refused(403, "SOMA-T009");
        let developer = stage.member(&stall.acme, "acme", "developer").await;
        let pem = json!({ "public_key": KeyPair::generate().unwrap().public().to_pem() });
        stage.post("/v1/namespaces/acme/keys", &developer.token, &pem).await.refused(403, "SOMA-S003");
        stage.post("/v1/submissions", &developer.token, &body).await.expect(201);
        let id = "/v1/submissions/00000000000000000000000001";
        stage.get(id, &stall.acme.token).await.refused(404, "SOMA-S035");
    }

    async fn another_orgs_submissions_and_installations_are_not_there(database: TestDatabase) {
        let stall = Stall::open(database).await;
        let made = stall.submit(&Stall::plain("1.0.0")).await;
        let location = made.header("location").to_owned();
        let id = made.expect(201)["submission"].as_str().unwrap().to_owned();
        stall.stage.get(&location, &stall.globex.token).await.refused(404, "SOMA-S035");
        let listed = stall.stage.get("/v1/submissions", &stall.globex.token).await.expect(200);
        assert_eq!(listed["items"], json!([]));
        let review = format!("{location}/review");
        let approve = json!({ "decision": "approve" });
        stall.stage.post(&review, &stall.acme.token, &approve).await.refused(403, "SOMA-T009");
        let done = stall.review(&id, &approve).await.expect(200);
        let digest = done["digest"].as_str().unwrap();
        stall.install(&Stall::file(digest, &json!({}))).await.expect(201);
        let file = Stall::file(digest, &json!({}));
        for (method, path) in [("GET", ""), ("DELETE", ""), ("GET", "/revisions"), ("POST", "/rollback"), ("DELETE", "/previous")] {
            let path = format!("/v1/installations/greeter{path}");
            let ask = stall.stage.ask(method, &path).token(&stall.acme.token).header("idempotency-key", "k");
            ask.send().await.refused(404, "SOMA-U003");
        }
        stall.stage.post("/v1/installations", &stall.acme.token, &file).await.refused(422, "SOMA-H017");
        let listed = stall.stage.get("/v1/installations", &stall.acme.token).await.expect(200);
        assert_eq!(listed["items"], json!([]));
    }

    async fn nobody_reviews_what_is_their_own_as_a_person(database: TestDatabase) {
        let mut stall = Stall::open(database).await;
        let offered = stall.stage.post("/v1/orgs/acme/invitations", &stall.acme.token, &json!({ "role": "viewer" })).await.expect(201);
        let code = json!({ "code": offered["code"] });
        stall.stage.post("/v1/invitations/join", &stall.operator.token, &code).await.expect(200);
        let id = stall.submit(&Stall::plain("1.0.0")).await.expect(201)["submission"].as_str().unwrap().to_owned();
        let approve = json!({ "decision": "approve" });
        stall.review(&id, &approve).await.refused(403, "SOMA-S018");
        // Who left lately still counts as one of them.
        stall.freshen().await;
        let path = format!("/v1/orgs/acme/members/{}", stall.operator.user);
        let left = stall.stage.delete(&path, &stall.acme.token).await;
        assert_eq!(left.status, 204, "{}", left.body);
        stall.review(&id, &approve).await.refused(403, "SOMA-S018");
        let offered = stall.stage.post("/v1/orgs/platform/invitations", &stall.operator.token, &json!({ "role": "reviewer" })).await.expect(201);
        let reviewer: Someone = stall.stage.accept(offered["code"].as_str().unwrap(), "a.reviewer").await;
        let review = format!("/v1/submissions/{id}/review");
        let done = stall.stage.post(&review, &reviewer.token, &approve).await.expect(200);
        assert_eq!(done["state"], "published");
    }

    async fn grave_findings_are_passed_only_with_a_reason_and_by_who_may(database: TestDatabase) {
        let stall = Stall::open(database).await;
        let data = format!("ghp_{}", "a1B2".repeat(9));
        let leaking = capsule(&component(&[], &data), &manifest("acme/greeter", "1.0.0", ""));
        let made = stall.submit(&leaking).await.expect(201);
        let id = made["submission"].as_str().unwrap();
        stall.review(id, &json!({ "decision": "approve" })).await.refused(422, "SOMA-S019");
        let offered = stall.stage.post("/v1/orgs/platform/invitations", &stall.operator.token, &json!({ "role": "reviewer" })).await.expect(201);
        let reviewer = stall.stage.accept(offered["code"].as_str().unwrap(), "a.reviewer").await;
        let review = format!("/v1/submissions/{id}/review");
        stall.stage.post(&review, &reviewer.token, &json!({ "decision": "approve" })).await.refused(403, "SOMA-S020");
        let reason = json!({ "decision": "approve", "reason": "a test token" });
        stall.stage.post(&review, &reviewer.token, &reason).await.refused(401, "SOMA-T010");
        assert_eq!(stall.review(id, &reason).await.expect(200)["state"], "published");
        // What contradicts its manifest goes back by itself.
        let undeclared = component(&["wasi:http/outgoing-handler@0.2.3", "wasi:http/types@0.2.3"], "x");
        let wrong = capsule(&undeclared, &manifest("acme/greeter", "2.0.0", ""));
        let back = stall.submit(&wrong).await.expect(201);
        assert_eq!(back["state"], "needs_revision", "{back}");
    }

    async fn a_version_is_one_digest_for_ever(database: TestDatabase) {
        let stall = Stall::open(database).await;
        stall.published(&Stall::plain("1.0.0")).await;
        stall.submit(&Stall::reaching("1.0.0")).await.refused(409, "SOMA-S015");
        stall.submit(&Stall::plain("1.0.0")).await.refused(409, "SOMA-S015");
        let built = capsule(&component(&[], "x"), &manifest("acme/greeter", "1.0.0+build", ""));
        stall.submit(&built).await.refused(409, "SOMA-S015");
    }

    async fn unsigned_foreign_broken_and_oversize_packages_are_refused_whole(database: TestDatabase) {
        let stall = Stall::open(database).await;
        let (stage, good) = (&stall.stage, Stall::plain("1.0.0"));
        let with = |component: &[u8], bundle: &[u8]| json!({ "component": STANDARD.encode(component), "bundle": STANDARD.encode(bundle) });
        let other = KeyPair::generate().unwrap();
        let foreign = with(&good, &bundle(&good, &other));
        stage.post("/v1/submissions", &stall.acme.token, &foreign).await.refused(422, "SOMA-V006");
        let answer = stage.post("/v1/submissions", &stall.acme.token, &with(&good, b"")).await;
        assert!((400..500).contains(&answer.status), "{}", answer.body);
        for broken in [&b""[..], b"\0asm", b"\x7fELF", &good[..good.len() - 1]] {
            let answer = stage.post("/v1/submissions", &stall.acme.token, &with(broken, b"{}")).await;
            assert_eq!(answer.status, 422, "{}", answer.body);
        }
        let large = json!({ "component": "A".repeat(45 << 20), "bundle": "" });
        stage.post("/v1/submissions", &stall.acme.token, &large).await.refused(413, "SOMA-H003");
        let listed = stage.get("/v1/submissions", &stall.acme.token).await.expect(200);
        assert_eq!(listed["items"], json!([]));
    }

    async fn a_revoked_key_signs_nothing_more_and_approves_nothing_more(database: TestDatabase) {
        let stall = Stall::open(database).await;
        let id = stall.submit(&Stall::plain("1.0.0")).await.expect(201)["submission"].as_str().unwrap().to_owned();
        let keys = stall.stage.get("/v1/namespaces/acme/keys", &stall.globex.token).await.expect(200);
        let path = format!("/v1/namespaces/acme/keys/{}", keys["items"][0]["key"].as_str().unwrap());
        let gone = stall.stage.delete(&path, &stall.acme.token).await;
        assert_eq!(gone.status, 204, "{}", gone.body);
        stall.stage.delete(&path, &stall.acme.token).await.refused(404, "SOMA-U003");
        assert_eq!(stall.told("acme").await.unwrap()["keys"], json!([]));
        let refused = stall.submit(&Stall::plain("1.1.0")).await;
        assert_eq!(refused.status, 422, "{}", refused.body);
        let refused = stall.review(&id, &json!({ "decision": "approve" })).await;
        assert_eq!(refused.status, 422, "{}", refused.body);
        let again = json!({ "public_key": stall.key.public().to_pem() });
        stall.stage.post("/v1/namespaces/acme/keys", &stall.acme.token, &again).await.refused(409, "SOMA-U004");
    }

    async fn of_two_at_once_one_has_an_effect(database: TestDatabase) {
        let stall = Stall::open(database).await;
        let (a, b) = (Stall::plain("1.0.0"), Stall::reaching("1.0.0"));
        let (one, two) = tokio::join!(stall.submit(&a), stall.submit(&b));
        for answer in [&one, &two] {
            assert!(matches!(answer.status, 201 | 409 | 503), "{}", answer.body);
        }
        assert!(one.status == 201 || two.status == 201);
        let queue = stall.stage.get("/v1/submissions?state=in_review", &stall.operator.token).await.expect(200);
        let waiting = queue["items"].as_array().unwrap();
        assert_eq!(waiting.len(), 1, "{queue}");
        let id = waiting[0]["submission"].as_str().unwrap().to_owned();
        let approve = json!({ "decision": "approve" });
        let (one, two) = tokio::join!(stall.review(&id, &approve), stall.review(&id, &approve));
        let mut statuses = [one.status, two.status];
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 409], "{} {}", one.body, two.body);
        assert_eq!(stall.events("capsule.published").await, 1);
        let done = stall.stage.get(&format!("/v1/submissions/{id}"), &stall.operator.token).await.expect(200);
        let digest = done["digest"].as_str().unwrap();
        let grants = match done["capabilities"].as_array().unwrap().is_empty() {
            true => json!({}),
            false => json!({ "http": { "api": { "origin": "https://api.example.org", "methods": ["GET"], "paths": ["/v1/*"] } } }),
        };
        let file = Stall::file(digest, &grants);
        let (one, two) = tokio::join!(stall.install(&file), stall.install(&file));
        let mut statuses = [one.status, two.status];
        statuses.sort_unstable();
        assert_eq!(statuses, [201, 409], "{} {}", one.body, two.body);
    }

    async fn what_is_repeated_under_one_key_has_one_effect(database: TestDatabase) {
        let stall = Stall::open(database).await;
        let body = stall.body(&Stall::plain("1.0.0"));
        let send = || stall.stage.ask("POST", "/v1/submissions").token(&stall.acme.token).header("idempotency-key", "k1").json(&body).send();
        let first = send().await.expect(201);
        let again = send().await;
        assert_eq!(again.header("idempotent-replayed"), "true");
        assert_eq!(again.expect(201)["submission"], first["submission"]);
        let other = stall.body(&Stall::plain("1.1.0"));
        let reused = stall.stage.ask("POST", "/v1/submissions").token(&stall.acme.token).header("idempotency-key", "k1").json(&other);
        reused.send().await.refused(422, "SOMA-H009");
    }

    async fn grants_beyond_what_is_declared_are_refused_with_every_denial(database: TestDatabase) {
        let stall = Stall::open(database).await;
        let digest = stall.published(&Stall::reaching("1.0.0")).await;
        let wide = json!({ "http": { "api": { "origin": "https://api.example.org", "methods": ["GET", "POST"], "paths": ["/**"] } } });
        let refused = stall.install(&Stall::file(&digest, &wide)).await;
        assert!(matches!(refused.status, 403 | 409 | 422), "{}", refused.body);
        assert!(!refused.body["denials"].as_array().unwrap().is_empty(), "{}", refused.body);
        let none = stall.install(&Stall::file(&digest, &json!({}))).await;
        assert!(!none.body["denials"].as_array().unwrap().is_empty(), "{}", none.body);
        let other = Stall::file(&format!("sha256:{}", "0".repeat(64)), &json!({}));
        stall.install(&other).await.refused(404, "SOMA-S034");
        let mut unknown = Stall::file(&digest, &json!({}));
        unknown["grnats"] = json!({});
        stall.install(&unknown).await.refused(422, "SOMA-H016");
        let listed = stall.stage.get("/v1/installations", &stall.globex.token).await.expect(200);
        assert_eq!(listed["items"], json!([]));
    }
}
