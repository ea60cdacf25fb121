//! Kill orders as operators, hosts and strangers bring them.

use serde_json::{Value, json};
use soma_capsule::KeyPair;
use soma_capsule::dsse;
use soma_capsule::kill::{KillReceipt, LIFT_KIND, ORDER_KIND};
use soma_capsule::operators::{OperatorEntry, OperatorFile, encoded};
use soma_policy::feed::HostRole;
use soma_policy::{KillOrder, Lift, LiftReason, OrderId, Reason, Severity};

use super::stage::{Answer, Stage};
use crate::fixture::{START, on_both_databases};
use crate::hosts::fixture::TestHost;

/// One operator under a root, and what the operator wrote.
pub(super) struct Desk {
    ada: KeyPair,
}

impl Desk {
    pub(super) fn of(stage: &Stage) -> Self {
        let (root, ada) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
        let (name, person) = ("ada".to_owned(), "ada".to_owned());
        let operators = vec![OperatorEntry { name, person, key: encoded(ada.public()) }];
        let (text, bundle) = OperatorFile { schema: 1, quorum: 1, operators }.sign(&root).unwrap();
        let folder = &stage.server.trust;
        std::fs::create_dir_all(folder).unwrap();
        std::fs::write(folder.join("root.pub"), root.public().to_pem()).unwrap();
        std::fs::write(folder.join("operators.toml"), text).unwrap();
        std::fs::write(folder.join("operators.toml.sigstore.json"), bundle).unwrap();
        Self { ada }
    }

    pub(super) fn order(n: u128, scope: &str) -> KillOrder {
        KillOrder {
            evidence: None,
            id: OrderId::from_u128(n),
            issued_at: START,
            reason: Reason::Drill,
            scope: scope.parse().unwrap(),
            severity: Severity::High,
            version: 1,
        }
    }

    pub(super) fn order_of(&self, order: &KillOrder) -> Vec<u8> {
        self.signed(ORDER_KIND, order)
    }

    fn signed<T: serde::Serialize>(&self, kind: &str, document: &T) -> Vec<u8> {
        dsse::sign_document(kind, document, &[&self.ada]).unwrap().to_json()
    }
}

async fn send(stage: &Stage, method: &str, path: &str, body: &[u8]) -> Answer {
    stage.ask(method, path).raw(body).send().await
}

on_both_databases! {
    async fn an_order_is_given_seen_and_lifted_over_http(database: TestDatabase) {
        let stage = Stage::empty(database).await;
        let (operator, _) = stage.operator().await;
        let desk = Desk::of(&stage);
        let order = Desk::order(1, "capsule:acme/csv");
        let path = format!("/v1/kill-orders/{}", order.id);
        send(&stage, "POST", &format!("{path}/sign"), &desk.signed(ORDER_KIND, &order)).await.refused(404, "SOMA-K008");
        // The signature is the authority: no token is shown.
        let done = send(&stage, "POST", "/v1/kill-orders", &desk.signed(ORDER_KIND, &order)).await.expect(200);
        assert_eq!((&done["state"], &done["signed"], &done["needed"]), (&json!("complete"), &json!(1), &json!(1)));
        assert_eq!((&done["killed"], &done["durable"]), (&json!(0), &json!(true)));
        let listed = stage.get("/v1/kill-orders", &operator.token).await.expect(200);
        assert_eq!(listed["items"][0]["order"]["scope"], "capsule:acme/csv");
        assert_eq!((&listed["items"][0]["state"], &listed["next"]), (&json!("complete"), &Value::Null));
        let lift = Lift::of(&order, LiftReason::try_from("over".to_owned()).unwrap(), START);
        let other = format!("/v1/kill-orders/{}", OrderId::from_u128(2));
        send(&stage, "DELETE", &other, &desk.signed(LIFT_KIND, &lift)).await.refused(422, "SOMA-K003");
        let done = send(&stage, "DELETE", &path, &desk.signed(LIFT_KIND, &lift)).await.expect(200);
        assert_eq!(done["state"], "lifted");
        let kinds = stage.get("/v1/audit?limit=100", &operator.token).await.expect(200).to_string();
        assert!(kinds.contains("kill-taken") && kinds.contains("kill-lift-taken"), "{kinds}");
    }

    async fn a_dry_run_says_what_would_stop_and_stops_nothing(database: TestDatabase) {
        let stage = Stage::empty(database).await;
        let (operator, _) = stage.operator().await;
        let owner = stage.org(&operator, "acme").await;
        Desk::of(&stage);
        let path = "/v1/kill-orders?dry_run=true";
        let asked = json!({ "scope": "publisher:acme" });
        stage.ask("POST", path).json(&asked).send().await.refused(401, "SOMA-T001");
        stage.post(path, &owner.token, &asked).await.refused(403, "SOMA-T009");
        let radius = stage.post(path, &operator.token, &asked).await.expect(200);
        assert_eq!((&radius["wide"], &radius["needed"], &radius["installations"]), (&json!(true), &json!(1), &json!([])));
        stage.post(path, &operator.token, &json!({ "scope": "publsher:acme" })).await.refused(422, "SOMA-K007");
        let listed = stage.get("/v1/kill-orders", &operator.token).await.expect(200);
        assert_eq!(listed["items"], json!([]));
    }

    async fn strangers_read_nothing_and_give_nothing(database: TestDatabase) {
        let stage = Stage::empty(database).await;
        let (operator, _) = stage.operator().await;
        let owner = stage.org(&operator, "acme").await;
        let desk = Desk::of(&stage);
        let mallory = Desk { ada: KeyPair::generate().unwrap() };
        let order = Desk::order(1, "everything");
        send(&stage, "POST", "/v1/kill-orders", &mallory.signed(ORDER_KIND, &order)).await.refused(403, "SOMA-K004");
        send(&stage, "POST", "/v1/kill-orders", b"{}").await.refused(422, "SOMA-K003");
        send(&stage, "POST", "/v1/kill-orders", &vec![b' '; 70 * 1024]).await.refused(413, "SOMA-H003");
        stage.ask("GET", "/v1/kill-orders").send().await.refused(401, "SOMA-T001");
        stage.get("/v1/kill-orders", &owner.token).await.refused(403, "SOMA-T009");
        let path = format!("/v1/kill-orders/{}/receipts", order.id);
        stage.get(&path, &owner.token).await.refused(403, "SOMA-T009");
        stage.get(&path, &operator.token).await.refused(404, "SOMA-K008");
        send(&stage, "POST", "/v1/feed/kill-receipts", b"{}").await.refused(401, "SOMA-T016");
        send(&stage, "POST", "/v1/kill-orders", &desk.signed(ORDER_KIND, &order)).await.expect(200);
    }

    async fn a_host_hands_on_what_it_took_and_what_it_stopped(database: TestDatabase) {
        let stage = Stage::empty(database).await;
        let (operator, _) = stage.operator().await;
        let desk = Desk::of(&stage);
        let host = TestHost::joined(5, &stage.server, HostRole::Host).await;
        let order = Desk::order(1, "capsule:acme/csv");
        let body = desk.signed(ORDER_KIND, &order);
        let push = |path: &'static str, body: Vec<u8>| {
            let proof = host.proof(&stage.server, "POST", path, &body);
            stage.ask("POST", path).header("soma-host-proof", &proof).raw(&body).send()
        };
        push("/v1/kill-orders", body.clone()).await.expect(200);
        push("/v1/kill-orders", body.clone()).await.expect(200);
        // With a proof that does not hold, the document is not looked at.
        let ask = stage.ask("POST", "/v1/kill-orders").header("soma-host-proof", "x").raw(&body);
        ask.send().await.refused(401, "SOMA-T016");
        let receipt = KillReceipt {
            accepted_at: START, calls: Vec::new(), document: order.hash(), host: host.id,
            order: order.id, stopped: 4, took_us: 900, v: KillReceipt::VERSION,
        };
        push("/v1/feed/kill-receipts", receipt.sign(&host.key).unwrap().to_json()).await.expect(204);
        let listed = stage.get("/v1/kill-orders", &operator.token).await.expect(200);
        assert_eq!((listed["items"].as_array().unwrap().len(), &listed["items"][0]["receipts"]), (1, &json!(1)));
        let path = format!("/v1/kill-orders/{}/receipts", order.id);
        let receipts = stage.get(&path, &operator.token).await.expect(200);
        assert_eq!(receipts["items"][0]["payloadType"], "application/vnd.soma.kill-receipt.v1+json");
        let again = push("/v1/kill-orders", body).await.expect(200);
        assert_eq!((&again["killed"], &again["took_ms"]), (&json!(4), &json!(1)));
    }
}
