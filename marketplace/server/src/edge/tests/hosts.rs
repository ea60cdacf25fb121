//! Hosts as they join, report and leave.

use serde_json::{Value, json};
use soma_policy::Digest;
use soma_policy::feed::HostRole;

use super::stage::{Someone, Stage};
use crate::audit::Sequencer;
use crate::fixture::on_both_databases;
use crate::hosts::fixture::TestHost;

fn enrol(host: &TestHost, role: &str) -> Value {
    json!({
        "address": "https://10.0.0.7:8443", "host": host.id, "region": "eu", "role": role,
        "sealing_key": "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=", "signing_key": host.signing_key(), "version": "0.1.0",
    })
}

async fn token(stage: &Stage, operator: &Someone, body: Value) -> String {
    let made = stage.post("/v1/hosts/enrolments", &operator.token, &body).await.expect(201);
    made["token"].as_str().unwrap().to_owned()
}

fn report(nonce: &str) -> Value {
    json!({
        "boot": "00000000000000000000000001", "head": { "epoch": "0", "hash": Digest::ZERO, "n": "0" },
        "journal": "00000000000000000000000002", "journal_head": Digest::ZERO, "journal_seq": "0", "nonce": nonce, "running": 0,
        "checks": [{ "key": { "org": "acme", "environment": "production", "id": "csv" }, "passed": false, "revision": "2", "words": "no\u{1b}[31m" }],
        "not_running": [{ "code": "SOMA-V001", "key": { "org": "acme", "environment": "production", "id": "csv" }, "revision": "2", "words": "why" }],
    })
}

async fn beat(stage: &Stage, host: &TestHost, body: &Value) -> super::stage::Answer {
    let bytes = serde_json::to_vec(body).unwrap();
    let proof = host.proof(&stage.server, "POST", "/v1/feed/heartbeat", &bytes);
    let ask = stage.ask("POST", "/v1/feed/heartbeat").header("soma-host-proof", &proof);
    ask.json(body).send().await
}

async fn fetch(stage: &Stage, host: &TestHost, path: &str) -> super::stage::Answer {
    let proof = host.proof(&stage.server, "GET", path, b"");
    stage.ask("GET", path).header("soma-host-proof", &proof).send().await
}

on_both_databases! {
    async fn a_host_joins_with_a_token_that_counts_once(database: TestDatabase) {
        let stage = Stage::empty(database).await;
        let (operator, _) = stage.operator().await;
        let one = token(&stage, &operator, json!({ "role": "host" })).await;
        let (a, b) = (TestHost::new(1), TestHost::new(2));
        let join = |code: &str, body: Value| stage.ask("POST", "/v1/hosts").token(code).json(&body).send();
        // What it is not for does not spend it.
        join(&one, enrol(&a, "gateway")).await.refused(403, "SOMA-T018");
        let joined = join(&one, enrol(&a, "host")).await.expect(201);
        assert_eq!((joined["deployment"].as_str(), joined["host"].as_str()), (Some(stage.server.deployment.as_str()), Some(a.id.to_string().as_str())));
        assert!(joined["feed_key"].is_string() && joined["issuer"].is_string());
        join(&one, enrol(&b, "host")).await.refused(403, "SOMA-T018");
        join("rubbish", enrol(&b, "host")).await.refused(403, "SOMA-T018");
        // Names and keys belong to one host each.
        let more = token(&stage, &operator, json!({ "role": "host", "region": "us" })).await;
        join(&more, enrol(&b, "host")).await.refused(403, "SOMA-T018");
        let again = token(&stage, &operator, json!({ "role": "host", "region": "eu" })).await;
        join(&again, enrol(&TestHost { id: b.id, key: a.key }, "host")).await.refused(409, "SOMA-U004");
        // After an hour it counts no more.
        stage.pass_seconds(3601);
        join(&again, enrol(&b, "host")).await.refused(403, "SOMA-T018");
    }

    async fn a_host_that_never_heard_that_it_joined_joins_again_and_no_other_takes_its_name(database: TestDatabase) {
        let stage = Stage::empty(database).await;
        let (operator, _) = stage.operator().await;
        let host = TestHost::new(1);
        let join = async |body: &Value| {
            let code = token(&stage, &operator, json!({ "role": body["role"] })).await;
            stage.ask("POST", "/v1/hosts").token(&code).json(body).send().await
        };
        join(&enrol(&host, "host")).await.expect(201);
        let mut moved = enrol(&host, "host");
        moved["address"] = json!("https://10.0.0.8:8443");
        join(&moved).await.expect(201);
        let seen = stage.get("/v1/hosts", &operator.token).await.expect(200);
        assert_eq!((seen["items"].as_array().unwrap().len(), &seen["items"][0]["address"]), (1, &moved["address"]));
        // Other keys under its name, and another role, are somebody else.
        join(&enrol(&TestHost { id: host.id, key: TestHost::new(2).key }, "host")).await.refused(409, "SOMA-U004");
        join(&enrol(&host, "gateway")).await.refused(409, "SOMA-U004");
        // Who has reported knows that it joined.
        Sequencer::default().run(&stage.server).await.unwrap();
        beat(&stage, &host, &report("0123456789abcdef")).await.expect(200);
        join(&moved).await.refused(409, "SOMA-U004");
    }

    async fn only_operators_with_two_fresh_factors_make_tokens_and_retire(database: TestDatabase) {
        let stage = Stage::empty(database).await;
        let (operator, _) = stage.operator().await;
        let owner = stage.org(&operator, "acme").await;
        let body = json!({ "role": "host" });
        stage.post("/v1/hosts/enrolments", &owner.token, &body).await.refused(403, "SOMA-T009");
        stage.get("/v1/hosts", &owner.token).await.refused(403, "SOMA-T009");
        stage.pass_seconds(600);
        stage.post("/v1/hosts/enrolments", &operator.token, &body).await.refused(401, "SOMA-T010");
    }

    async fn a_host_reports_is_seen_and_is_told_nothing_once_it_is_retired(database: TestDatabase) {
        let stage = Stage::empty(database).await;
        let (operator, _) = stage.operator().await;
        Sequencer::default().run(&stage.server).await.unwrap();
        let host = TestHost::joined(7, &stage.server, HostRole::Host).await;
        let path = format!("/v1/hosts/{}", host.id);
        assert_eq!(stage.get(&path, &operator.token).await.expect(200)["state"], "new");
        let beaten = beat(&stage, &host, &report("0123456789abcdef")).await.expect(200);
        assert_eq!(beaten["payloadType"], "application/vnd.soma.feed-heartbeat.v1+json");
        let seen = stage.get(&path, &operator.token).await.expect(200);
        assert_eq!((&seen["state"], &seen["boot"]), (&json!("live"), &json!("00000000000000000000000001")));
        let told = fetch(&stage, &host, "/v1/feed").await.expect(200);
        assert_eq!(told["payloadType"], "application/vnd.soma.feed-snapshot.v1+json");
        stage.delete(&path, &operator.token).await.expect(204);
        stage.delete(&path, &operator.token).await.expect(204);
        beat(&stage, &host, &report("0123456789abcdef")).await.refused(403, "SOMA-T019");
        fetch(&stage, &host, "/v1/feed").await.refused(403, "SOMA-T019");
        let listed = stage.get("/v1/hosts", &operator.token).await.expect(200);
        assert_eq!(listed["items"][0]["state"], "retired");
        stage.delete("/v1/hosts/00000000000000000000000009", &operator.token).await.refused(404, "SOMA-S037");
    }

    async fn what_carries_no_proof_or_another_hosts_gets_nothing(database: TestDatabase) {
        let stage = Stage::empty(database).await;
        let host = TestHost::joined(7, &stage.server, HostRole::Host).await;
        stage.ask("GET", "/v1/feed").send().await.refused(401, "SOMA-T016");
        let proof = host.proof(&stage.server, "GET", "/v1/feed", b"");
        let twice = stage.ask("GET", "/v1/feed").header("soma-host-proof", &proof).header("soma-host-proof", &proof);
        twice.send().await.refused(401, "SOMA-T016");
        stage.ask("GET", "/v1/feed?n=1").header("soma-host-proof", &proof).send().await.refused(401, "SOMA-T016");
        stage.ask("GET", "/v1/feed").header("soma-host-proof", &proof).send().await.expect(200);
        stage.ask("GET", "/v1/feed").header("soma-host-proof", &proof).send().await.refused(401, "SOMA-T017");
        // A body is read only within its bound, and only after the proof's signature fits.
        let large = vec![b' '; 600 * 1024];
        let proof = host.proof(&stage.server, "POST", "/v1/feed/heartbeat", &large);
        let ask = stage.ask("POST", "/v1/feed/heartbeat").header("soma-host-proof", &proof);
        ask.header("content-type", "application/json").raw(&large).send().await.refused(413, "SOMA-H003");
    }

    async fn a_report_has_bounds_and_names_the_field_that_breaks_them(database: TestDatabase) {
        let stage = Stage::empty(database).await;
        let host = TestHost::joined(7, &stage.server, HostRole::Host).await;
        beat(&stage, &host, &report("short")).await.refused(422, "SOMA-H016");
        let mut body = report("0123456789abcdef");
        let one = body["checks"][0].clone();
        body["checks"] = json!(vec![one; 257]);
        let said = beat(&stage, &host, &body).await.refused(422, "SOMA-H016");
        assert!(said["detail"].as_str().unwrap().contains("`checks`"), "{said}");
        fetch(&stage, &host, "/v1/feed?n=1").await.refused(422, "SOMA-H016");
        fetch(&stage, &host, "/v1/feed?wiat=1").await.refused(422, "SOMA-H016");
    }

    async fn each_role_gets_what_it_needs(database: TestDatabase) {
        let stage = Stage::empty(database).await;
        let digest = stage.server.packages.put("wasm".into(), "signed".into()).await.unwrap();
        let base = format!("/v1/feed/components/{digest}");
        for (n, role, feed, component) in [
            (1, HostRole::Host, 200, 200),
            (2, HostRole::Review, 403, 200),
            (3, HostRole::Gateway, 200, 403),
        ] {
            let host = TestHost::joined(n, &stage.server, role).await;
            assert_eq!(fetch(&stage, &host, "/v1/feed").await.status, feed, "{role:?}");
            let got = fetch(&stage, &host, &base).await;
            assert_eq!(got.status, component, "{role:?}");
            if component == 200 {
                assert_eq!(got.body, "wasm");
                assert_eq!(fetch(&stage, &host, &format!("{base}/bundle")).await.body, "signed");
                fetch(&stage, &host, &format!("{base}/approval")).await.refused(404, "SOMA-U003");
            }
        }
    }
}
