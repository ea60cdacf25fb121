//! Money as people and hosts meet it over HTTP.

use serde_json::{Value, json};
use soma_capsule::dsse::{self, Envelope};
use soma_policy::Digest;
use soma_policy::feed::{FeedHead, HostRole, JournalAck, LeaseAnswer, kind};

use super::stage::{Answer, Someone, Stage};
use crate::fixture::on_both_databases;
use crate::hosts::fixture::TestHost;

/// Sends with an idempotency key.
async fn send(
    stage: &Stage,
    method: &str,
    path: &str,
    (token, key): (&str, &str),
    body: &Value,
) -> Answer {
    stage.ask(method, path).token(token).header("idempotency-key", key).json(body).send().await
}

fn top_up(org: &str, amount: &str) -> Value {
    json!({ "org": org, "kind": "top-up", "amount": amount, "reason": "transfer 17" })
}

async fn filled(stage: &Stage) -> (Someone, Someone, Someone) {
    let (operator, _) = stage.operator().await;
    let acme = stage.org(&operator, "acme").await;
    let globex = stage.org(&operator, "globex").await;
    for (org, amount) in [("acme", "10.00 EUR"), ("globex", "7.00 EUR")] {
        let body = top_up(org, amount);
        send(stage, "POST", "/v1/billing/events", (&operator.token, org), &body).await.expect(201);
    }
    (operator, acme, globex)
}

async fn by_host(stage: &Stage, host: &TestHost, path: &str, body: &Value) -> Answer {
    let bytes = serde_json::to_vec(body).unwrap();
    let proof = host.proof(&stage.server, "POST", path, &bytes);
    stage.ask("POST", path).header("soma-host-proof", &proof).json(body).send().await
}

/// A document that the feed key signed.
fn signed<T>(stage: &Stage, kind: &str, answer: &Value) -> T
where
    T: serde::Serialize + for<'de> serde::Deserialize<'de>,
{
    let envelope = Envelope::from_json(answer.to_string().as_bytes()).unwrap();
    let key = [stage.server.feed_key.public().clone()];
    dsse::verify(&envelope, kind, &key).unwrap().read().unwrap()
}

/// What a run of a host that has done nothing says.
fn report(boot: &str) -> Value {
    json!({
        "boot": boot, "head": FeedHead::start(0), "journal": "00000000000000000000000004", "journal_head": Digest::ZERO,
        "journal_seq": "0", "nonce": "0123456789abcdef", "running": 0,
    })
}

on_both_databases! {
    async fn a_top_up_needs_a_key_two_factors_and_the_platform(database: TestDatabase) {
        let stage = Stage::empty(database).await;
        let (operator, acme, _) = filled(&stage).await;
        let path = "/v1/billing/events";
        let body = top_up("acme", "5.00 EUR");
        stage.post(path, &operator.token, &body).await.refused(422, "SOMA-H016");
        send(&stage, "POST", path, (&acme.token, "k"), &body).await.refused(403, "SOMA-T009");
        let first = send(&stage, "POST", path, (&operator.token, "k"), &body).await.expect(201);
        let again = send(&stage, "POST", path, (&operator.token, "k"), &body).await;
        assert_eq!(again.header("idempotent-replayed"), "true");
        assert_eq!(again.expect(201)["id"], first["id"]);
        let other = top_up("acme", "6.00 EUR");
        send(&stage, "POST", path, (&operator.token, "k"), &other).await.refused(422, "SOMA-H009");
        let nobody = top_up("nobody", "6.00 EUR");
        send(&stage, "POST", path, (&operator.token, "n"), &nobody).await.refused(404, "SOMA-U003");
        let nothing = top_up("acme", "0.00 EUR");
        send(&stage, "POST", path, (&operator.token, "z"), &nothing).await.refused(422, "SOMA-B003");
        let accounts = stage.get("/v1/accounts", &acme.token).await.expect(200);
        assert_eq!(accounts["items"][0]["balance"], "15.00 EUR");
        stage.pass_seconds(400);
        send(&stage, "POST", path, (&operator.token, "late"), &body).await.refused(401, "SOMA-T010");
    }

    async fn a_write_off_moves_money_and_so_needs_a_key(database: TestDatabase) {
        let stage = Stage::empty(database).await;
        let (operator, _, _) = filled(&stage).await;
        let path = format!("/v1/billing/journals/{}/lift", soma_policy::JournalId::from_u128(7));
        let body = json!({ "write_off": "3" });
        let refused = stage.post(&path, &operator.token, &body).await.refused(422, "SOMA-H016");
        assert!(refused["detail"].as_str().unwrap().contains("Idempotency-Key"), "{refused}");
        send(&stage, "POST", &path, (&operator.token, "k"), &body).await.refused(404, "SOMA-U003");
        stage.post(&path, &operator.token, &json!({})).await.refused(404, "SOMA-U003");
    }

    async fn no_route_shows_another_tenants_money(database: TestDatabase) {
        let stage = Stage::empty(database).await;
        let (operator, acme, globex) = filled(&stage).await;
        for path in [
            "/v1/accounts", "/v1/billing/events", "/v1/billing/ledgers", "/v1/billing/ledgers/export",
            "/v1/billing/ledgers/export?format=jsonl", "/v1/billing/ledgers?side=author", "/v1/budgets",
            "/v1/billing/payouts", "/v1/billing/earnings", "/v1/billing/statements?window=2027-01&currency=EUR",
        ] {
            let answer = stage.get(path, &acme.token).await;
            assert_eq!(answer.status, 200, "{path}: {}", answer.body);
            let said = answer.body.to_string();
            assert!(!said.contains("globex") && !said.contains("7.00"), "{path}: {said}");
            let everything = stage.get(path, &operator.token).await;
            assert_eq!(everything.status, 200, "{path}: {}", everything.body);
        }
        for path in [
            "/v1/accounts?org=globex", "/v1/billing/events?org=globex", "/v1/billing/ledgers?org=globex",
            "/v1/billing/ledgers/export?org=globex", "/v1/billing/statements?window=2027-01&currency=EUR&org=globex",
        ] {
            stage.get(path, &acme.token).await.refused(404, "SOMA-U003");
        }
        for path in ["/v1/billing/journals", "/v1/billing/check"] {
            stage.get(path, &globex.token).await.refused(403, "SOMA-T009");
        }
        let viewer = stage.member(&acme, "acme", "viewer").await;
        stage.get("/v1/accounts", &viewer.token).await.refused(403, "SOMA-T009");
        let own = stage.get("/v1/billing/ledgers", &acme.token).await.expect(200);
        assert_eq!((own["items"][0]["debit"].as_str(), own["items"][0]["amount"].as_str()), (Some("outside"), Some("10.00 EUR")));
        let all = stage.get("/v1/billing/ledgers?limit=1", &operator.token).await.expect(200);
        let next = format!("/v1/billing/ledgers?limit=1&cursor={}", all["next"].as_str().unwrap());
        assert_eq!(stage.get(&next, &operator.token).await.expect(200)["items"][0]["tenant"], "globex");
    }

    async fn the_ledger_is_exported_as_csv_and_as_lines_of_json(database: TestDatabase) {
        let stage = Stage::empty(database).await;
        let (operator, _, _) = filled(&stage).await;
        let csv = stage.get("/v1/billing/ledgers/export?format=csv", &operator.token).await;
        assert!(csv.header("content-type").starts_with("text/csv"));
        let text = csv.expect(200).as_str().unwrap().to_owned();
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[0].starts_with("id,posting,cause,at,tenant") && lines.len() == 3, "{text}");
        assert!(lines[1].contains(",acme,") && lines[1].contains(",10.00,EUR,"), "{text}");
        let jsonl = stage.get("/v1/billing/ledgers/export?format=jsonl&org=acme", &operator.token).await;
        assert_eq!(jsonl.header("content-type"), "application/jsonl");
        assert_eq!(jsonl.expect(200)["tenant"], "acme", "one line is one object");
        stage.get("/v1/billing/ledgers/export?format=xml", &operator.token).await.refused(422, "SOMA-H016");
        stage.get("/v1/billing/ledgers?service=cpus", &operator.token).await.refused(422, "SOMA-H016");
    }

    async fn budgets_are_set_for_the_own_org_alone(database: TestDatabase) {
        let stage = Stage::empty(database).await;
        let (_, acme, _) = filled(&stage).await;
        let body = |scope: &str| json!({ "scope": scope, "limit": "3.00 EUR", "per": "day", "soft_percent": 80 });
        let put = |key: &'static str, scope: &'static str| {
            let (stage, token, body) = (&stage, acme.token.clone(), body(scope));
            async move { send(stage, "PUT", "/v1/budgets", (&token, key), &body).await }
        };
        assert_eq!(put("a", "acme").await.expect(200)["limit"], "3.00 EUR");
        assert_eq!(put("b", "acme/production").await.expect(200)["version"], 1);
        assert_eq!(put("c", "acme").await.expect(200)["version"], 2);
        put("d", "globex").await.refused(404, "SOMA-B026");
        put("e", "acme/nowhere").await.refused(404, "SOMA-U003");
        put("f", "acme/production/csv").await.refused(404, "SOMA-B026");
        let bad = json!({ "scope": "acme", "limit": "-1.00 EUR", "per": "day" });
        send(&stage, "PUT", "/v1/budgets", (&acme.token, "g"), &bad).await.refused(422, "SOMA-B003");
        let listed = stage.get("/v1/budgets", &acme.token).await.expect(200);
        assert_eq!(listed["caps"].as_array().unwrap().len(), 2);
        let gone = "/v1/budgets?scope=acme&currency=EUR&per=day";
        stage.delete(gone, &acme.token).await.expect(204);
        stage.delete(gone, &acme.token).await.refused(404, "SOMA-B026");
    }

    async fn payouts_and_refunds_that_cannot_be_are_refused_in_words(database: TestDatabase) {
        let stage = Stage::empty(database).await;
        let (operator, acme, _) = filled(&stage).await;
        let ask = json!({ "amount": "1.00 EUR" });
        send(&stage, "POST", "/v1/billing/payouts", (&acme.token, "p"), &ask).await.refused(401, "SOMA-T010");
        let none = send(&stage, "POST", "/v1/billing/payouts", (&operator.token, "p"), &ask).await;
        none.refused(402, "SOMA-B021");
        let step = "/v1/billing/payouts/00000000000000000000000001/steps";
        send(&stage, "POST", step, (&operator.token, "s"), &json!({ "step": "approve" })).await.refused(404, "SOMA-B027");
        send(&stage, "POST", step, (&operator.token, "t"), &json!({ "step": "settle" })).await.refused(422, "SOMA-H016");
        let file = json!({ "reference": "file 1" });
        let exported = send(&stage, "POST", "/v1/billing/payouts/export", (&operator.token, "x"), &file).await.expect(200);
        assert_eq!(exported["items"], json!([]));
        for (key, original, status, code) in [
            ("a", "receipt:00000000000000000000000001:1", 404, "SOMA-B028"),
            ("b", "lease:00000000000000000000000001", 422, "SOMA-H016"),
            ("c", "nothing", 422, "SOMA-H016"),
        ] {
            let body = json!({ "kind": "refund", "original": original, "amount": "1.00 EUR", "reason": "x" });
            send(&stage, "POST", "/v1/billing/refunds", (&operator.token, key), &body).await.refused(status, code);
        }
        // A top-up goes back by the entry that it was.
        let events = stage.get("/v1/billing/events?org=acme", &operator.token).await.expect(200);
        let original = format!("entry:{}", events["items"][0]["id"].as_str().unwrap());
        let body = json!({ "kind": "refund", "original": original, "amount": "4.00 EUR", "reason": "asked for" });
        send(&stage, "POST", "/v1/billing/refunds", (&operator.token, "d"), &body).await.expect(201);
        let statement = stage.get("/v1/billing/statements?window=2027-01&currency=EUR", &acme.token).await.expect(200);
        assert_eq!((statement["opening"].as_str(), statement["closing"].as_str()), (Some("0.00 EUR"), Some("6.00 EUR")));
        let checked = stage.get("/v1/billing/check", &operator.token).await.expect(200);
        assert_eq!((&checked["differing"], &checked["postings"]), (&json!(0), &json!(3)));
    }

    async fn terms_are_put_by_the_platform_and_credit_is_given_by_it(database: TestDatabase) {
        let stage = Stage::empty(database).await;
        let (operator, acme, _) = filled(&stage).await;
        let terms = soma_policy::price::Terms::free(soma_policy::Currency::EUR);
        let terms = serde_json::to_value(&terms).unwrap();
        send(&stage, "PUT", "/v1/billing/terms", (&acme.token, "t"), &terms).await.refused(403, "SOMA-T009");
        let put = send(&stage, "PUT", "/v1/billing/terms", (&operator.token, "t"), &terms).await.expect(200);
        assert_eq!(put["active"], true);
        send(&stage, "PUT", "/v1/billing/terms", (&operator.token, "u"), &terms).await.refused(422, "SOMA-B005");
        let seen = stage.get("/v1/billing/terms", &acme.token).await.expect(200);
        assert_eq!(seen["items"][0]["digest"], put["digest"]);
        let limit = json!({ "limit": "2.00 EUR" });
        send(&stage, "PUT", "/v1/billing/credit/acme", (&acme.token, "c"), &limit).await.refused(403, "SOMA-T009");
        send(&stage, "PUT", "/v1/billing/credit/acme", (&operator.token, "c"), &limit).await.expect(200);
        let accounts = stage.get("/v1/accounts", &acme.token).await.expect(200);
        assert_eq!(accounts["items"][0]["least"], "-2.00 EUR");
    }

    async fn a_host_asks_and_pushes_with_its_proof_and_nobody_else_does(database: TestDatabase) {
        let stage = Stage::empty(database).await;
        let host = TestHost::joined(1, &stage.server, HostRole::Host).await;
        let wishes = json!({
            "boot": "00000000000000000000000003",
            "wishes": [{ "at_least": "1.00 EUR", "installation": { "environment": "production", "id": "csv", "org": "acme" } }],
        });
        // Whether it came back from a copy is judged by the first report of a run: before that it gets no money.
        let pending = by_host(&stage, &host, "/v1/feed/leases", &wishes).await;
        pending.refused(409, "SOMA-B013");
        let closes = json!({ "boot": wishes["boot"] });
        by_host(&stage, &host, "/v1/feed/leases", &closes).await.expect(200);
        for (boot, status) in [("00000000000000000000000009", 409), ("00000000000000000000000003", 200)] {
            let report = report(boot);
            by_host(&stage, &host, "/v1/feed/heartbeat", &report).await.expect(200);
            assert_eq!(by_host(&stage, &host, "/v1/feed/leases", &wishes).await.status, status);
        }
        let answer = by_host(&stage, &host, "/v1/feed/leases", &wishes).await.expect(200);
        let leases: LeaseAnswer = signed(&stage, kind::LEASES, &answer);
        assert!(leases.leases.is_empty() && leases.refused[0].1.contains("not installed"), "{leases:?}");
        let nonce = "0123456789abcdef";
        let push = json!({ "from": "1", "journal": "00000000000000000000000004", "nonce": nonce, "records": [] });
        let answer = by_host(&stage, &host, "/v1/feed/journal", &push).await.expect(200);
        let ack: JournalAck = signed(&stage, kind::ACK, &answer);
        assert_eq!((ack.host, ack.next, &*ack.nonce), (host.id, 1, nonce));
        let mut short = push.clone();
        short["nonce"] = json!("short");
        by_host(&stage, &host, "/v1/feed/journal", &short).await.refused(422, "SOMA-H016");
        let mut bad = push.clone();
        bad["records"] = json!(["x"]);
        by_host(&stage, &host, "/v1/feed/journal", &bad).await.refused(422, "SOMA-H016");
        stage.ask("POST", "/v1/feed/journal").json(&push).send().await.refused(401, "SOMA-T016");
        let gateway = TestHost::joined(2, &stage.server, HostRole::Gateway).await;
        by_host(&stage, &gateway, "/v1/feed/leases", &wishes).await.refused(403, "SOMA-T009");
        by_host(&stage, &gateway, "/v1/feed/journal", &push).await.refused(403, "SOMA-T009");
    }
}
