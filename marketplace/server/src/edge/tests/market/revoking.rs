//! What a revocation means where the release is installed: every host is told, nobody gets it back, and operators see
//! that an order is wanted.

use serde_json::{Value, json};
use soma_policy::feed::Topic;

use super::stall::Stall;
use crate::audit::Sequencer;
use crate::edge::tests::kills::Desk;
use crate::edge::tests::stage::Answer;
use crate::fixture::on_both_databases;
use crate::store::PlatformScope;

const WANTED: &str = "/v1/kill-orders/wanted";

async fn withdraw(stall: &Stall, version: &str, how: &str) -> Answer {
    let path = format!("/v1/capsules/acme/greeter/versions/{version}/withdrawal");
    let body = json!({ "move": how, "reason": "it leaks" });
    stall.stage.post(&path, &stall.acme.token, &body).await
}

/// What every host holds about releases.
async fn releases(stall: &Stall) -> Vec<(String, Value)> {
    let server = &stall.stage.server;
    Sequencer::default().run(server).await.unwrap();
    let mut unit = server.store.platform(PlatformScope::of("tests")).await.unwrap();
    let rows = unit.states_of(Topic::Release.as_str(), "", 10).await.unwrap();
    rows.into_iter().map(|row| (row.subject, serde_json::from_str(&row.payload).unwrap())).collect()
}

on_both_databases! {
    async fn a_revoked_release_is_told_to_every_host_and_never_comes_back(database: TestDatabase) {
        let mut stall = Stall::open(database).await;
        stall.freshen().await;
        let one = stall.published(&Stall::plain("1.0.0")).await;
        stall.install(&Stall::file(&one, &json!({}))).await.expect(201);
        let two = stall.published(&Stall::plain("1.1.0")).await;
        stall.put("", &Stall::file(&two, &json!({}))).await.expect(200);
        withdraw(&stall, "1.0.0", "yank").await.expect(200);
        assert_eq!(releases(&stall).await, [], "a yank stops nothing that runs");
        let done = withdraw(&stall, "1.0.0", "revoke").await.expect(200);
        assert_eq!(done["kill"], json!(one));
        let told = json!({ "capsule": "acme/greeter", "reason": "it leaks", "version": "1.0.0" });
        assert_eq!(releases(&stall).await, [(one.clone(), told)]);
        // Neither back to it, nor to it again, nor anew.
        let rollback = stall.stage.ask("POST", "/v1/installations/greeter/rollback").token(&stall.globex.token);
        rollback.header("idempotency-key", "k").send().await.refused(409, "SOMA-S024");
        stall.put("", &Stall::file(&one, &json!({}))).await.refused(409, "SOMA-S024");
        let anew = "/v1/installations?id=anew";
        stall.stage.post(anew, &stall.globex.token, &Stall::file(&one, &json!({}))).await.refused(409, "SOMA-S024");
        let seen = stall.stage.get("/v1/installations/greeter", &stall.globex.token).await.expect(200);
        assert_eq!(seen["active"]["digest"], json!(two), "what is not revoked goes on");
    }

    async fn a_revision_at_its_gate_is_given_up_when_its_release_is_revoked(database: TestDatabase) {
        let mut stall = Stall::open(database).await;
        stall.freshen().await;
        let host = stall.host(1).await;
        let one = stall.published(&Stall::plain("1.0.0")).await;
        stall.install(&Stall::file(&one, &json!({}))).await.expect(202);
        stall.report(&host).await;
        stall.stage.server.settle_installations().await.unwrap();
        let two = stall.published(&Stall::plain("1.1.0")).await;
        let gating = stall.put("?gate=canary", &Stall::file(&two, &json!({}))).await.expect(202);
        assert_eq!(gating["state"], "gating");
        withdraw(&stall, "1.1.0", "revoke").await.expect(200);
        let seen = stall.stage.get("/v1/installations/greeter", &stall.globex.token).await.expect(200);
        assert_eq!((&seen["state"], &seen["active"]["digest"]), (&json!("active"), &json!(one)));
        assert!(seen["candidate"].is_null(), "{seen}");
        let told = stall.told("globex/production/greeter").await.unwrap();
        assert!(told["candidate"].is_null(), "{told}");
    }

    async fn a_repeated_withdrawal_has_one_effect_and_one_answer(database: TestDatabase) {
        let mut stall = Stall::open(database).await;
        stall.freshen().await;
        stall.published(&Stall::plain("1.0.0")).await;
        let path = "/v1/capsules/acme/greeter/versions/1.0.0/withdrawal";
        let yank = json!({ "move": "yank", "reason": "wrong totals" });
        let send = || {
            let ask = stall.stage.ask("POST", path).token(&stall.acme.token);
            ask.header("idempotency-key", "k").json(&yank).send()
        };
        let first = send().await.expect(200);
        let again = send().await;
        assert_eq!(again.header("idempotent-replayed"), "true");
        assert_eq!(again.expect(200), first);
        assert_eq!(stall.events("capsule.withdrawn").await, 1);
    }

    async fn an_order_is_wanted_until_one_is_complete(database: TestDatabase) {
        let mut stall = Stall::open(database).await;
        stall.freshen().await;
        let digest = stall.published(&Stall::plain("1.0.0")).await;
        stall.published(&Stall::plain("1.1.0")).await;
        let token = &stall.operator.token;
        let listed = stall.stage.get(WANTED, token).await.expect(200);
        assert_eq!(listed["items"], json!([]));
        withdraw(&stall, "1.0.0", "revoke").await.expect(200);
        stall.stage.get(WANTED, &stall.globex.token).await.refused(403, "SOMA-T009");
        stall.stage.ask("GET", WANTED).send().await.refused(401, "SOMA-T001");
        let listed = stall.stage.get(WANTED, token).await.expect(200);
        let [item] = listed["items"].as_array().unwrap().as_slice() else { panic!("{listed}") };
        assert_eq!((&item["capsule"], &item["version"]), (&json!("acme/greeter"), &json!("1.0.0")));
        assert_eq!((&item["scope"], &item["reason"]), (&json!(format!("digest:{digest}")), &json!("it leaks")));
        assert_eq!(item["command"], json!(format!("soma kill digest:{digest} --reason CODE")));
        let noted = stall.stage.get("/v1/audit?limit=100", token).await.expect(200).to_string();
        assert!(noted.contains("kill-wanted"), "{noted}");
        let order = Desk::order(1, &format!("digest:{digest}"));
        let desk = Desk::of(&stall.stage);
        stall.stage.ask("POST", "/v1/kill-orders").raw(&desk.order_of(&order)).send().await.expect(200);
        let listed = stall.stage.get(WANTED, token).await.expect(200);
        assert_eq!(listed["items"], json!([]));
    }
}
