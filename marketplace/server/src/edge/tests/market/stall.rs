//! A marketplace with a publisher, a tenant and an operator, and small signed capsules to trade.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use soma_capsule::KeyPair;
use soma_policy::feed::{FeedHead, HostReport, HostRole};
use soma_policy::{BootId, Digest, JournalId};

use crate::audit::Sequencer;
use crate::edge::tests::stage::{Answer, Someone, Stage};
use crate::examine::fixture::{bundle, capsule, component, manifest, provenance, sbom};
use crate::fixture::TestDatabase;
use crate::hosts::fixture::TestHost;
use crate::identity::TotpSecret;
use crate::store::{PlatformScope, Stream};

pub(super) const HTTP: &str = r#"
[capabilities.http.api]
why = "Greets"
origin = "https://api.example.org"
methods = ["GET"]
paths = ["/v1/*"]
"#;

pub(super) struct Stall {
    pub(super) stage: Stage,
    pub(super) operator: Someone,
    operator_secret: TotpSecret,
    /// Owner of the publisher `acme`, with two fresh factors.
    pub(super) acme: Someone,
    acme_secret: TotpSecret,
    /// Owner of the tenant `globex`.
    pub(super) globex: Someone,
    pub(super) key: Arc<KeyPair>,
}

impl Stall {
    pub(super) async fn open(database: TestDatabase) -> Self {
        let stage = Stage::empty(database).await;
        let (operator, operator_secret) = stage.operator().await;
        let acme = stage.org(&operator, "acme").await;
        let globex = stage.org(&operator, "globex").await;
        let acme_secret = stage.enrol(&acme).await;
        let token = stage.step_up(&acme.token, &acme_secret).await;
        let acme = Someone { token, ..acme };
        let key = Arc::new(KeyPair::generate().unwrap());
        let stall = Self { stage, operator, operator_secret, acme, acme_secret, globex, key };
        let body = json!({ "namespace": "acme" });
        stall.stage.post("/v1/namespaces", &stall.acme.token, &body).await.expect(201);
        let body = json!({ "public_key": stall.key.public().to_pem() });
        stall.stage.post("/v1/namespaces/acme/keys", &stall.acme.token, &body).await.expect(201);
        stall
    }

    /// Two fresh factors again, for whoever needs them.
    pub(super) async fn freshen(&mut self) {
        self.operator.token = self.stage.step_up(&self.operator.token, &self.operator_secret).await;
        self.acme.token = self.stage.step_up(&self.acme.token, &self.acme_secret).await;
    }

    /// A capsule without anything to ask for.
    pub(super) fn plain(version: &str) -> Vec<u8> {
        capsule(&component(&[], version), &manifest("acme/greeter", version, ""))
    }

    /// A capsule that reaches the web.
    pub(super) fn reaching(version: &str) -> Vec<u8> {
        let imports = ["wasi:http/outgoing-handler@0.2.3", "wasi:http/types@0.2.3"];
        capsule(&component(&imports, version), &manifest("acme/greeter", version, HTTP))
    }

    pub(super) fn body(&self, component: &[u8]) -> Value {
        json!({
            "component": STANDARD.encode(component),
            "bundle": STANDARD.encode(bundle(component, &self.key)),
            "sbom": STANDARD.encode(sbom(component, &[])),
            "provenance": STANDARD.encode(provenance(component)),
        })
    }

    pub(super) async fn submit(&self, component: &[u8]) -> Answer {
        self.stage.post("/v1/submissions", &self.acme.token, &self.body(component)).await
    }

    pub(super) async fn review(&self, id: &str, decision: &Value) -> Answer {
        let path = format!("/v1/submissions/{id}/review");
        self.stage.post(&path, &self.operator.token, decision).await
    }

    /// Submitted, approved and published; gives the digest.
    pub(super) async fn published(&self, component: &[u8]) -> String {
        let made = self.submit(component).await.expect(201);
        assert_eq!(made["state"], "in_review", "{made}");
        let id = made["submission"].as_str().unwrap();
        let done = self.review(id, &json!({ "decision": "approve" })).await.expect(200);
        assert_eq!(done["state"], "published", "{done}");
        done["digest"].as_str().unwrap().to_owned()
    }

    /// The file of an installation of `globex`.
    pub(super) fn file(digest: &str, grants: &Value) -> Value {
        json!({
            "schema": 1, "tenant": "globex", "environment": "production", "capsule": "acme/greeter",
            "version": "*", "digest": digest, "on_update": "ask", "grants": grants,
            "budget": { "limit": "5.00 EUR", "per": "day", "concurrent_calls": 4 },
        })
    }

    pub(super) async fn install(&self, file: &Value) -> Answer {
        self.stage.post("/v1/installations", &self.globex.token, file).await
    }

    /// Changes of an installation of `globex`, with the version that was read.
    pub(super) async fn put(&self, query: &str, file: &Value) -> Answer {
        let seen = self.stage.get("/v1/installations/greeter", &self.globex.token).await;
        let path = format!("/v1/installations/greeter{query}");
        let ask = self.stage.ask("PUT", &path).token(&self.globex.token);
        ask.header("if-match", seen.header("etag")).json(file).send().await
    }

    /// A host that lives and has applied everything until now.
    pub(super) async fn host(&self, n: u128) -> TestHost {
        let host = TestHost::joined(n, &self.stage.server, HostRole::Host).await;
        self.report(&host).await;
        host
    }

    /// Numbers what was committed, and says that the host has applied it.
    pub(super) async fn report(&self, host: &TestHost) {
        let server = &self.stage.server;
        Sequencer::default().run(server).await.unwrap();
        let mut unit = server.store.platform(PlatformScope::of("tests")).await.unwrap();
        let head = unit.head(Stream::Feed).await.unwrap().unwrap();
        let head = FeedHead { epoch: head.epoch, hash: head.hash.parse().unwrap(), n: head.seq };
        let report = HostReport {
            boot: BootId::from_u128(1),
            checks: Vec::new(),
            head,
            journal: JournalId::from_u128(2),
            journal_head: Digest::ZERO,
            journal_seq: 0,
            nonce: "0123456789abcdef".to_owned(),
            not_running: Vec::new(),
            running: 0,
        };
        unit.report_host(&host.id, &report, server.now()).await.unwrap();
        unit.commit().await.unwrap();
    }

    /// What hosts are told of a subject last; none if nothing.
    pub(super) async fn told(&self, subject: &str) -> Option<Value> {
        Sequencer::default().run(&self.stage.server).await.unwrap();
        let scope = PlatformScope::of("tests");
        let mut unit = self.stage.server.store.platform(scope).await.unwrap();
        let rows = unit.numbered(Stream::Feed, 0, 1000).await.unwrap();
        let last = rows.iter().rev().find(|row| row.subject == subject)?;
        Some(serde_json::from_str(&last.payload).unwrap())
    }

    /// How often an event was written.
    pub(super) async fn events(&self, topic: &str) -> usize {
        Sequencer::default().run(&self.stage.server).await.unwrap();
        let scope = PlatformScope::of("tests");
        let mut unit = self.stage.server.store.platform(scope).await.unwrap();
        let rows = unit.numbered(Stream::Outbox, 0, 1000).await.unwrap();
        rows.iter().filter(|row| row.topic == topic).count()
    }
}
