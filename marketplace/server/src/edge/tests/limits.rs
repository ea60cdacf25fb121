//! How much one org may have: the last one is made, the next is refused in words, and others are not touched.

use serde_json::json;

use super::stage::Stage;
use crate::fixture::on_both_databases;
use crate::store::Limit;

/// Rows of an org, made without their routes.
fn filler(limit: Limit, n: u64) -> String {
    match limit {
        Limit::Environments => format!(
            "INSERT INTO environments (org, environment, kind, region, version, created_ms) VALUES ('acme', 'e{n}', 'staging', NULL, 1, 0)"
        ),
        Limit::ServiceAccounts => format!(
            "INSERT INTO service_accounts (org, account, name, caps, state, version, created_ms) VALUES ('acme', 'a{n}', 'a', '[]', 'active', 1, 0)"
        ),
        Limit::Keys => format!(
            "INSERT INTO api_keys (org, key_id, account, environment, caps, secret_hash, created_ms, expires_ms, revoked_ms) VALUES ('acme', 'k{n}', 'ci', 'production', '[]', 'h{n}', 0, 1, NULL)"
        ),
        Limit::Invitations => format!(
            "INSERT INTO invitations (org, invitation_id, role, code_hash, invited_by, created_ms, expires_ms, used_ms) VALUES ('acme', 'i{n}', 'viewer', 'c{n}', 'x', 0, 1, NULL)"
        ),
        Limit::Namespaces => format!(
            "INSERT INTO namespaces (namespace, org, checked, sequence, record, created_ms) VALUES ('n{n}', 'acme', FALSE, 1, '{{}}', 0)"
        ),
        Limit::Installations | Limit::InstallationIds | Limit::Submissions => String::new(),
    }
}

on_both_databases! {
    async fn an_org_makes_the_last_one_and_not_one_more(database: TestDatabase) {
        let stage = Stage::empty(database).await;
        let (operator, _) = stage.operator().await;
        let acme = stage.org(&operator, "acme").await;
        let other = stage.org(&operator, "globex").await;
        let secret = stage.enrol(&acme).await;
        let token = stage.step_up(&acme.token, &secret).await;
        let ci = json!({ "account": "ci", "name": "ci", "caps": ["org:read"] });
        stage.post("/v1/orgs/acme/service-accounts", &token, &ci).await.expect(201);
        for (limit, path, body) in [
            (Limit::Environments, "/v1/orgs/acme/environments", json!({ "environment": "NAME", "kind": "staging" })),
            (Limit::Keys, "/v1/orgs/acme/service-accounts/ci/keys", json!({ "environment": "production" })),
            (Limit::Invitations, "/v1/orgs/acme/invitations", json!({ "role": "viewer" })),
            (Limit::ServiceAccounts, "/v1/orgs/acme/service-accounts", json!({ "account": "NAME", "name": "n", "caps": ["org:read"] })),
            (Limit::Namespaces, "/v1/namespaces", json!({ "namespace": "NAME" })),
        ] {
            let mut unit = stage.server.store.platform(crate::store::PlatformScope::of("tests")).await.unwrap();
            let org = "acme".parse().unwrap();
            let has = unit.count_of(&org, limit).await.unwrap();
            drop(unit);
            let fill: Vec<String> = (has + 1..limit.most()).map(|n| filler(limit, n)).collect();
            stage.database.tamper(&fill.join(";")).await;
            let named = |name: &str| serde_json::from_str(&body.to_string().replace("NAME", name)).unwrap();
            stage.post(path, &token, &named("last")).await.expect(201);
            let refused = stage.post(path, &token, &named("more")).await.refused(409, "SOMA-S009");
            let (field, what, remedy) = limit.words();
            let detail = refused["detail"].as_str().unwrap();
            for words in [field, what, remedy, &limit.most().to_string()] {
                assert!(detail.contains(words), "{limit:?}: {detail}");
            }
        }
        let more = json!({ "environment": "more", "kind": "staging" });
        stage.post("/v1/orgs/globex/environments", &other.token, &more).await.expect(201);
    }
}

#[test]
fn one_org_cannot_fill_what_every_host_holds() {
    use crate::store::INSTALLATIONS_MAX;
    let most = Limit::Installations.most();
    assert!(most * 10 <= INSTALLATIONS_MAX, "{most}");
    const { assert!(INSTALLATIONS_MAX < 60_000, "a snapshot holds no more") };
    assert!(Limit::ALL.iter().all(|limit| limit.most() > 0));
}
