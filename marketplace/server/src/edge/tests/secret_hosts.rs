//! Secrets as hosts meet them: sealed to one host, for what its installations may use, and no more.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls::crypto::aws_lc_rs::hpke::DH_KEM_X25519_HKDF_SHA256_AES_256;
use rustls::crypto::hpke::{EncapsulatedSecret, Hpke as _, HpkePrivateKey};
use serde_json::{Value, json};
use soma_capsule::dsse::{self, Envelope};
use soma_policy::Digest;
use soma_policy::feed::{HostRole, SealedSecret, Secrets, kind};

use super::secrets::put;
use super::stage::{Answer, Stage};
use crate::fixture::on_both_databases;
use crate::hosts::fixture::TestHost;

const PATH: &str = "/v1/feed/secrets";

/// A host that can open what is sealed to it.
pub(super) struct Opener {
    pub(super) host: TestHost,
    key: HpkePrivateKey,
}

impl Opener {
    pub(super) async fn joined(stage: &Stage, n: u128, role: HostRole) -> Self {
        let (public, key) = DH_KEM_X25519_HKDF_SHA256_AES_256.generate_key_pair().unwrap();
        let host = TestHost::joined(n, &stage.server, role).await;
        let sql = format!(
            "UPDATE hosts SET sealing_key = '{}' WHERE host = '{}'",
            STANDARD.encode(&public.0),
            host.id
        );
        stage.database.tamper(&sql).await;
        Self { host, key }
    }

    pub(super) async fn ask(&self, stage: &Stage, asks: &Value) -> Answer {
        let body = serde_json::to_vec(asks).unwrap();
        let proof = self.host.proof(&stage.server, "POST", PATH, &body);
        let ask = stage.ask("POST", PATH).header("soma-host-proof", &proof);
        ask.header("content-type", "application/json").raw(&body).send().await
    }

    /// What it is sent, if the server signed it.
    pub(super) async fn sent(&self, stage: &Stage, asks: &Value) -> Vec<SealedSecret> {
        let answer = self.ask(stage, asks).await.expect(200);
        let envelope = Envelope::from_json(answer.to_string().as_bytes()).unwrap();
        let keys = [stage.server.feed_key.public().clone()];
        let secrets: Secrets =
            dsse::verify(&envelope, kind::SECRETS, &keys).unwrap().read().unwrap();
        assert_eq!(secrets.host, self.host.id);
        secrets.secrets
    }

    /// Opens a value for exactly this place.
    pub(super) fn open(&self, it: &SealedSecret) -> Option<Vec<u8>> {
        let info = format!(
            "soma-secret/{}/{}/{}/{}/{}",
            self.host.id, it.org, it.environment, it.name, it.version
        );
        let whole = STANDARD.decode(&it.sealed).unwrap();
        let (encapsulated, body) = whole.split_at(32);
        let encapsulated = EncapsulatedSecret(encapsulated.to_vec());
        DH_KEM_X25519_HKDF_SHA256_AES_256
            .open(&encapsulated, info.as_bytes(), &[], body, &self.key)
            .ok()
    }
}

pub(super) fn ask(org: &str, environment: &str, name: &str) -> Value {
    json!({ "org": org, "environment": environment, "name": name })
}

fn revision(org: &str, number: u64, from: &str) -> Value {
    json!({
        "accepted": { "offer": Digest::ZERO }, "number": number.to_string(),
        "spec": {
            "schema": 1, "tenant": org, "environment": "production", "capsule": "acme/github-issues", "version": "^1",
            "digest": Digest::of(b"component"), "grants": { "secret": { "token": { "from": from } } },
        },
    })
}

/// Puts an installation into the feed: what runs takes `from`, what may run next takes `next`.
pub(super) async fn install(stage: &Stage, org: &str, from: &str, next: Option<&str>) {
    let mut payload = json!({
        "active": revision(org, 1, from),
        "key": { "org": org, "environment": "production", "id": "issues" },
    });
    if let Some(next) = next {
        payload["candidate"] =
            json!({ "gate": { "canary": { "share": 10 } }, "revision": revision(org, 2, next) });
    }
    let subject = format!("{org}/production/issues");
    stage.database.tamper(&format!("DELETE FROM feed_state WHERE subject = '{subject}'")).await;
    let sql = format!(
        "INSERT INTO feed_state (topic, subject, payload, n) VALUES ('installation', '{subject}', '{payload}', 1)"
    );
    stage.database.tamper(&sql).await;
}

on_both_databases! {
    async fn a_host_is_sent_what_its_installations_may_use_and_nothing_else(database: TestDatabase) {
        let stage = Stage::empty(database).await;
        let (operator, _) = stage.operator().await;
        let owner = stage.org(&operator, "acme").await;
        stage.org(&operator, "globex").await;
        let host = Opener::joined(&stage, 1, HostRole::Host).await;
        put(&stage, &owner, None, &json!({ "value": "hunter2" })).await.expect(201);
        let asks = json!([ask("acme", "production", "github-readonly")]);
        assert!(host.sent(&stage, &asks).await.is_empty(), "nothing is installed");
        install(&stage, "acme", "another", None).await;
        assert!(host.sent(&stage, &asks).await.is_empty(), "no grant takes it");
        install(&stage, "globex", "github-readonly", None).await;
        assert!(host.sent(&stage, &asks).await.is_empty(), "another org's grant takes nothing of this one");
        install(&stage, "acme", "another", Some("github-readonly")).await;
        assert_eq!(host.sent(&stage, &asks).await.len(), 1, "a candidate may use it");
        install(&stage, "acme", "github-readonly", None).await;
        let all = json!([
            ask("acme", "production", "github-readonly"), ask("acme", "production", "github-readonly"),
            ask("acme", "staging", "github-readonly"), ask("acme", "production", "another"),
            ask("globex", "production", "github-readonly"), ask("nobody", "production", "github-readonly"),
        ]);
        let sent = host.sent(&stage, &all).await;
        assert_eq!((sent.len(), sent[0].version, host.open(&sent[0])), (1, 1, Some(b"hunter2".to_vec())));
        let view = stage.get("/v1/secrets/github-readonly", &owner.token).await.expect(200);
        assert_eq!((&view["used_by"], &view["hosts_current"]), (&json!(["issues (secret.token)"]), &json!(1)));
        let audit = stage.get("/v1/audit?kind=secret-sent", &owner.token).await.expect(200);
        assert_eq!(audit["items"].as_array().unwrap().len(), 1, "each version once: {audit}");
        stage.delete("/v1/secrets/github-readonly", &owner.token).await.expect(204);
        assert!(host.sent(&stage, &asks).await.is_empty(), "it was removed");
        host.ask(&stage, &json!(vec![ask("acme", "production", "x"); 17])).await.refused(422, "SOMA-H016");
        host.ask(&stage, &json!([{ "org": "acme" }])).await.refused(422, "SOMA-H016");
    }

    async fn what_is_sealed_to_one_host_opens_for_no_other_and_for_nothing_else(database: TestDatabase) {
        let stage = Stage::empty(database).await;
        let (operator, _) = stage.operator().await;
        let owner = stage.org(&operator, "acme").await;
        put(&stage, &owner, None, &json!({ "value": "hunter2" })).await.expect(201);
        install(&stage, "acme", "github-readonly", None).await;
        let (host, other) = (Opener::joined(&stage, 1, HostRole::Host).await, Opener::joined(&stage, 2, HostRole::Host).await);
        let sent = host.sent(&stage, &json!([ask("acme", "production", "github-readonly")])).await;
        assert!(host.open(&sent[0]).is_some() && other.open(&sent[0]).is_none());
        let moved = [
            SealedSecret { version: 2, ..sent[0].clone() },
            SealedSecret { name: "other".parse().unwrap(), ..sent[0].clone() },
            SealedSecret { org: "globex".parse().unwrap(), ..sent[0].clone() },
            SealedSecret { environment: "staging".parse().unwrap(), ..sent[0].clone() },
        ];
        for moved in moved {
            assert!(host.open(&moved).is_none(), "{moved:?}");
        }
    }

    async fn a_retired_a_quarantined_a_review_host_and_a_tenant_get_nothing(database: TestDatabase) {
        let stage = Stage::empty(database).await;
        let (operator, _) = stage.operator().await;
        let owner = stage.org(&operator, "acme").await;
        put(&stage, &owner, None, &json!({ "value": "hunter2" })).await.expect(201);
        install(&stage, "acme", "github-readonly", None).await;
        let asks = json!([ask("acme", "production", "github-readonly")]);
        for (n, role) in [(1, HostRole::Review), (2, HostRole::Gateway)] {
            Opener::joined(&stage, n, role).await.ask(&stage, &asks).await.refused(403, "SOMA-T009");
        }
        for (n, column, status, code) in [(3, "retired_ms", 403, "SOMA-T019"), (4, "quarantined_ms", 403, "SOMA-T009")] {
            let host = Opener::joined(&stage, n, HostRole::Host).await;
            assert_eq!(host.sent(&stage, &asks).await.len(), 1);
            let sql = format!("UPDATE hosts SET {column} = 1, quarantine = 'x' WHERE host = '{}'", host.host.id);
            stage.database.tamper(&sql).await;
            host.ask(&stage, &asks).await.refused(status, code);
        }
        stage.post(PATH, &owner.token, &asks).await.refused(401, "SOMA-T016");
        stage.post(PATH, &operator.token, &asks).await.refused(401, "SOMA-T016");
    }

    async fn a_replaced_value_stays_until_its_hosts_have_moved_and_is_then_erased(database: TestDatabase) {
        let stage = Stage::empty(database).await;
        let (operator, _) = stage.operator().await;
        let owner = stage.org(&operator, "acme").await;
        put(&stage, &owner, None, &json!({ "value": "first" })).await.expect(201);
        install(&stage, "acme", "github-readonly", None).await;
        let asks = json!([ask("acme", "production", "github-readonly")]);
        let (host, late) = (Opener::joined(&stage, 1, HostRole::Host).await, Opener::joined(&stage, 2, HostRole::Host).await);
        for host in [&host, &late] {
            assert_eq!(host.open(&host.sent(&stage, &asks).await[0]), Some(b"first".to_vec()));
        }
        put(&stage, &owner, Some("\"v1\""), &json!({ "value": "second" })).await.expect(200);
        let sent = host.sent(&stage, &asks).await;
        assert_eq!((sent[0].version, host.open(&sent[0])), (2, Some(b"second".to_vec())));
        let view = stage.get("/v1/secrets/github-readonly", &owner.token).await.expect(200);
        assert_eq!((&view["hosts_current"], &view["hosts_behind"]), (&json!(1), &json!(1)));
        assert_eq!(stage.server.erase_old_secrets().await.unwrap(), 0);
        late.sent(&stage, &asks).await;
        assert_eq!(stage.server.erase_old_secrets().await.unwrap(), 1);
        // One that never comes back holds nothing up for longer than a day, a retired one not at all.
        put(&stage, &owner, Some("\"v2\""), &json!({ "value": "third" })).await.expect(200);
        host.sent(&stage, &asks).await;
        assert_eq!(stage.server.erase_old_secrets().await.unwrap(), 0);
        stage.database.tamper(&format!("UPDATE hosts SET retired_ms = 1 WHERE host = '{}'", late.host.id)).await;
        assert_eq!(stage.server.erase_old_secrets().await.unwrap(), 1);
        put(&stage, &owner, Some("\"v3\""), &json!({ "value": "fourth" })).await.expect(200);
        stage.pass_seconds(24 * 3600 + 1);
        assert_eq!(stage.server.erase_old_secrets().await.unwrap(), 1);
    }
}
