//! Behaviour review: a submission waits for a review host where one is alive, and its passport decides with.

use serde_json::{Value, json};
use soma_capsule::dsse;
use soma_policy::Code;
use soma_policy::feed::{HostRole, Noticed, Passport, ReviewJob, kind};

use super::stall::Stall;
use crate::edge::tests::stage::Answer;
use crate::fixture::on_both_databases;
use crate::hosts::fixture::TestHost;

const NEXT: &str = "/v1/feed/reviews/next";

async fn send(stall: &Stall, host: &TestHost, path: &str, body: &Value) -> Answer {
    let bytes = serde_json::to_vec(body).unwrap();
    let proof = host.proof(&stall.stage.server, "POST", path, &bytes);
    stall.stage.ask("POST", path).header("soma-host-proof", &proof).json(body).send().await
}

/// A review host that asked once: it is alive.
async fn reviewer(stall: &Stall, n: u128) -> TestHost {
    let host = TestHost::joined(n, &stall.stage.server, HostRole::Review).await;
    send(stall, &host, NEXT, &json!({})).await.expect(204);
    host
}

fn passport(stall: &Stall, host: &TestHost, job: &ReviewJob, noticed: Vec<Noticed>) -> Passport {
    Passport {
        at: stall.stage.server.now(),
        capsule: "acme/greeter".parse().unwrap(),
        digest: job.digest,
        host: host.id,
        noticed,
        program: "0.1.0".to_owned(),
        reached: Default::default(),
        runs: Vec::new(),
        unseen: Vec::new(),
        v: 1,
        version: "1.0.0".parse().unwrap(),
    }
}

fn signed(passport: &Passport, by: &TestHost) -> Value {
    let envelope = dsse::sign_document(kind::PASSPORT, passport, &[&by.key]).unwrap();
    serde_json::from_slice(&envelope.to_json()).unwrap()
}

async fn waiting(stall: &Stall, host: &TestHost) -> (String, ReviewJob) {
    let made = stall.submit(&Stall::plain("1.0.0")).await.expect(201);
    assert_eq!(made["state"], "verifying", "{made}");
    let job = send(stall, host, NEXT, &json!({})).await.expect(200);
    (made["submission"].as_str().unwrap().to_owned(), serde_json::from_value(job).unwrap())
}

on_both_databases! {
    async fn a_passport_takes_a_submission_on(database: TestDatabase) {
        let stall = Stall::open(database).await;
        let host = reviewer(&stall, 5).await;
        let (id, job) = waiting(&stall, &host).await;
        assert_eq!((job.submission.to_string(), job.keys.keys.len()), (id.clone(), 1));
        send(&stall, &host, NEXT, &json!({})).await.expect(204);
        let path = format!("/v1/feed/reviews/{id}");
        let it = passport(&stall, &host, &job, Vec::new());
        send(&stall, &host, &path, &signed(&it, &host)).await.expect(204);
        let seen = stall.stage.get(&format!("/v1/submissions/{id}"), &stall.acme.token).await.expect(200);
        assert_eq!(seen["state"], "in_review", "{seen}");
        let findings = seen["findings"].to_string();
        assert!(!findings.contains("SOMA-F013"), "{findings}");
        send(&stall, &host, &path, &signed(&it, &host)).await.refused(404, "SOMA-S035");
        // Until it is published, its publisher and reviewers see it.
        let page = format!("/v1/passports/{id}");
        stall.stage.get(&page, &stall.globex.token).await.refused(404, "SOMA-U003");
        stall.stage.get(&page, &stall.acme.token).await.expect(200);
        stall.review(&id, &json!({ "decision": "approve" })).await.expect(200);
        assert!(stall.stage.get(&page, &stall.globex.token).await.expect(200)["payload"].is_string());
    }

    async fn what_a_review_notices_is_a_finding_like_any_other(database: TestDatabase) {
        let stall = Stall::open(database).await;
        let host = reviewer(&stall, 5).await;
        let (id, job) = waiting(&stall, &host).await;
        let noticed = Noticed { code: Code::BehaviourUndeclared, evidence: "greet asked for GET https://evil.example/".to_owned() };
        let it = passport(&stall, &host, &job, vec![noticed]);
        send(&stall, &host, &format!("/v1/feed/reviews/{id}"), &signed(&it, &host)).await.expect(204);
        let seen = stall.stage.get(&format!("/v1/submissions/{id}"), &stall.acme.token).await.expect(200);
        assert_eq!(seen["findings"][0]["code"], "SOMA-F011", "{seen}");
        // A grave finding is passed with a reason or not at all.
        stall.review(&id, &json!({ "decision": "approve" })).await.refused(422, "SOMA-S019");
    }

    async fn only_the_review_host_that_took_it_hands_in_and_only_what_it_signed(database: TestDatabase) {
        let stall = Stall::open(database).await;
        let (host, other) = (reviewer(&stall, 5).await, reviewer(&stall, 6).await);
        let (id, job) = waiting(&stall, &host).await;
        let path = format!("/v1/feed/reviews/{id}");
        let mine = passport(&stall, &host, &job, Vec::new());
        send(&stall, &host, &path, &signed(&mine, &other)).await.refused(422, "SOMA-V012");
        send(&stall, &other, &path, &signed(&passport(&stall, &other, &job, Vec::new()), &other)).await.refused(404, "SOMA-S035");
        let elsewhere = Passport { digest: soma_policy::Digest::of(b"x"), ..mine.clone() };
        send(&stall, &host, &path, &signed(&elsewhere, &host)).await.refused(422, "SOMA-V003");
        let runs = stall.host(7).await;
        send(&stall, &runs, NEXT, &json!({})).await.refused(403, "SOMA-T009");
        send(&stall, &host, NEXT, &json!({ "x": 1 })).await.refused(422, "SOMA-H016");
        // A turn that nobody ends goes to the next.
        stall.stage.pass_seconds(91);
        let again = send(&stall, &other, NEXT, &json!({})).await.expect(200);
        assert_eq!(again["submission"], id.as_str());
        send(&stall, &host, &path, &signed(&mine, &host)).await.refused(404, "SOMA-S035");
    }

    async fn a_submission_is_given_out_three_times_and_no_more_however_late_it_is_given_up(database: TestDatabase) {
        let stall = Stall::open(database).await;
        let host = reviewer(&stall, 5).await;
        let (id, _) = waiting(&stall, &host).await;
        for _ in 0..2 {
            stall.stage.pass_seconds(91);
            send(&stall, &host, NEXT, &json!({})).await.expect(200);
        }
        stall.stage.pass_seconds(91);
        // Nobody has given it up yet.
        send(&stall, &host, NEXT, &json!({})).await.expect(204);
        // What waits behind it is not held up.
        let next = stall.submit(&Stall::plain("1.1.0")).await.expect(201);
        let job = send(&stall, &host, NEXT, &json!({})).await.expect(200);
        assert_eq!(job["submission"], next["submission"]);
        stall.stage.server.give_up_reviews().await.unwrap();
        let seen = stall.stage.get(&format!("/v1/submissions/{id}"), &stall.acme.token).await.expect(200);
        assert_eq!(seen["state"], "in_review", "{seen}");
    }

    async fn where_nobody_watches_in_time_the_finding_stays(database: TestDatabase) {
        let stall = Stall::open(database).await;
        let host = reviewer(&stall, 5).await;
        let (id, job) = waiting(&stall, &host).await;
        stall.stage.pass_seconds(301);
        stall.stage.server.give_up_reviews().await.unwrap();
        let mut unit = stall.stage.server.store.platform(crate::store::PlatformScope::of("tests")).await.unwrap();
        let row = unit.submission(id.parse().unwrap()).await.unwrap().unwrap();
        assert_eq!(row.state, "in_review");
        let release = unit.release(&row.capsule, &row.version).await.unwrap().unwrap();
        let report = release.attempt().unwrap().report.clone().unwrap();
        assert!(report.findings.iter().any(|it| it.code == Code::PassportMissing), "{report:?}");
        drop(unit);
        let late = passport(&stall, &host, &job, Vec::new());
        let path = format!("/v1/feed/reviews/{id}");
        send(&stall, &host, &path, &signed(&late, &host)).await.refused(404, "SOMA-S035");
        // Where no review host is alive, nothing waits.
        let made = stall.submit(&Stall::plain("1.1.0")).await.expect(201);
        assert_eq!(made["state"], "in_review");
    }
}
