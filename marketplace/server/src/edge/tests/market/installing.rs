//! From a plan to what every host runs, and back.

use serde_json::json;
use soma_market::install::Tally;
use soma_policy::{CallFacts, Digest, Outcome, Timestamp};

use super::stall::Stall;
use crate::fixture::on_both_databases;
use crate::installs::Notes;
use crate::store::PlatformScope;

fn granted() -> serde_json::Value {
    json!({ "http": { "api": { "origin": "https://api.example.org", "methods": ["GET"], "paths": ["/v1/*"] } } })
}

/// Since when the calls of a revision are billed, if a receipt of one came now.
async fn billed(stall: &Stall, revision: u64) -> Option<Timestamp> {
    let server = &stall.stage.server;
    let key = "globex/production/greeter".parse().unwrap();
    let mut unit = server.store.platform(PlatformScope::of("test")).await.unwrap();
    let offer = unit.revision(&key, revision).await.unwrap().unwrap().offer;
    let facts = CallFacts { offer, ..facts(stall, revision) };
    let priced = unit.priced(&facts).await.unwrap().unwrap();
    unit.commit().await.unwrap();
    priced.billed
}

on_both_databases! {
    async fn what_is_installed_is_active_once_every_live_host_has_it(database: TestDatabase) {
        let stall = Stall::open(database).await;
        let digest = stall.published(&Stall::plain("1.0.0")).await;
        let (first, second) = (stall.host(1).await, stall.host(2).await);
        let file = Stall::file(&digest, &json!({}));
        let plan = stall.stage.post("/v1/installations?dry_run=true", &stall.globex.token, &file).await.expect(200);
        let hash = plan["plan"].as_str().unwrap();
        let wrong = format!("/v1/installations?plan={}", Digest::ZERO);
        stall.stage.post(&wrong, &stall.globex.token, &file).await.refused(409, "SOMA-S026");
        let path = format!("/v1/installations?plan={hash}");
        let made = stall.stage.post(&path, &stall.globex.token, &file).await;
        assert_eq!(made.header("location"), "/v1/installations/greeter");
        let made = made.expect(202);
        assert_eq!((made["state"].as_str(), made["waiting"].as_array().unwrap().len()), (Some("pending"), 2));
        let told = stall.told("globex/production/greeter").await.unwrap();
        assert_eq!((&told["active"]["spec"]["digest"], &told["active"]["number"]), (&json!(digest), &json!("1")));
        let server = &stall.stage.server;
        assert_eq!(server.settle_installations().await.unwrap(), 0);
        stall.report(&first).await;
        assert_eq!(server.settle_installations().await.unwrap(), 1);
        let seen = stall.stage.get("/v1/installations/greeter", &stall.globex.token).await.expect(200);
        assert_eq!(seen["waiting"].as_array().unwrap().len(), 1);
        assert_eq!(stall.events("capsule.installed").await, 0);
        stall.report(&second).await;
        assert_eq!(server.settle_installations().await.unwrap(), 1);
        let seen = stall.stage.get("/v1/installations/greeter", &stall.globex.token).await.expect(200);
        assert_eq!(seen["state"], "active");
        assert_eq!(stall.events("capsule.installed").await, 1);
        let listed = stall.stage.get("/v1/capsules", &stall.globex.token).await.expect(200);
        assert_eq!(listed["items"][0]["installs"], 1);
    }

    async fn a_capsule_counts_each_tenant_once_until_its_last_installation_goes(database: TestDatabase) {
        let stall = Stall::open(database).await;
        let digest = stall.published(&Stall::plain("1.0.0")).await;
        let initech = stall.stage.org(&stall.operator, "initech").await;
        let counted = async || {
            let page = stall.stage.get("/v1/capsules/acme/greeter", &stall.globex.token).await.expect(200);
            page["capsule"]["installs"].as_u64().unwrap()
        };
        assert_eq!(counted().await, 0);
        for (who, org, id, then) in [
            (&stall.globex, "globex", "one", 1), (&stall.globex, "globex", "two", 1), (&initech, "initech", "one", 2),
        ] {
            let mut file = Stall::file(&digest, &json!({}));
            file["tenant"] = json!(org);
            stall.stage.post(&format!("/v1/installations?id={id}"), &who.token, &file).await.expect(201);
            assert_eq!(counted().await, then, "{org}/{id} is made");
        }
        for (who, id, then) in [(&stall.globex, "one", 2), (&stall.globex, "two", 1), (&initech, "one", 0)] {
            let path = format!("/v1/installations/{id}");
            stall.stage.ask("DELETE", &path).token(&who.token).send().await.expect(200);
            assert_eq!(counted().await, then, "{id} is removed");
        }
    }

    async fn receipts_of_one_push_are_counted_together_at_the_gate(database: TestDatabase) {
        let stall = Stall::open(database).await;
        let digest = stall.published(&Stall::plain("1.0.0")).await;
        stall.install(&Stall::file(&digest, &json!({}))).await.expect(201);
        let server = &stall.stage.server;
        let key = "globex/production/greeter".parse().unwrap();
        let mut notes = Notes::default();
        for outcome in [Outcome::Ok, Outcome::Ok, Outcome::Trapped] {
            notes.add(&facts(&stall, 1), outcome);
        }
        // Of a revision that nobody installed nothing is known.
        notes.add(&facts(&stall, 9), Outcome::Ok);
        let mut unit = server.store.platform(PlatformScope::of("tests")).await.unwrap();
        notes.keep(&mut unit, server.now()).await.unwrap();
        let ran = unit.ran(&"globex".parse().unwrap(), &"acme/greeter".parse().unwrap()).await.unwrap().unwrap();
        assert_eq!((ran.calls, ran.version.to_string()), (3, "1.0.0".to_owned()));
        assert_eq!(unit.tally(&key, 2, 1).await.unwrap(), Tally::default(), "there is no gate");
    }

    async fn a_host_that_is_gone_is_not_waited_for(database: TestDatabase) {
        let stall = Stall::open(database).await;
        let digest = stall.published(&Stall::plain("1.0.0")).await;
        let (lives, dies) = (stall.host(1).await, stall.host(2).await);
        stall.install(&Stall::file(&digest, &json!({}))).await.expect(202);
        // Its lease for what reaches nothing is fifteen minutes.
        stall.stage.pass_seconds(901);
        stall.report(&lives).await;
        let _ = dies;
        assert_eq!(stall.stage.server.settle_installations().await.unwrap(), 1);
        assert_eq!(stall.events("capsule.installed").await, 1);
    }

    async fn a_wider_upgrade_asks_and_a_rollback_leads_back(database: TestDatabase) {
        let stall = Stall::open(database).await;
        let one = stall.published(&Stall::plain("1.0.0")).await;
        stall.install(&Stall::file(&one, &json!({}))).await.expect(201);
        let rollback = "/v1/installations/greeter/rollback";
        let bare = stall.stage.ask("POST", rollback).token(&stall.globex.token);
        bare.send().await.refused(428, "SOMA-H021");
        let keyed = |key: &'static str| {
            let ask = stall.stage.ask("POST", rollback).token(&stall.globex.token);
            ask.header("idempotency-key", key).send()
        };
        let ask = || keyed("first");
        ask().await.refused(409, "SOMA-S027");
        let two = stall.published(&Stall::reaching("1.1.0")).await;
        let file = Stall::file(&two, &granted());
        stall.put("", &file).await.refused(409, "SOMA-S025");
        let plan = stall.put("?dry_run=true", &file).await.expect(200);
        assert!(plan["asks"][0].as_str().is_some() && plan["granted"][0].as_str().unwrap().contains("may GET"), "{plan}");
        let stale = format!("?plan={}", Digest::ZERO);
        stall.put(&stale, &file).await.refused(409, "SOMA-S026");
        let agreed = format!("?plan={}", plan["plan"].as_str().unwrap());
        let changed = stall.put(&agreed, &file).await.expect(200);
        assert_eq!((&changed["active"]["version"], &changed["previous"]["version"]), (&json!("1.1.0"), &json!("1.0.0")));
        let back = ask().await.expect(200);
        assert_eq!(back["active"]["revision"], 1);
        // Whoever lost the answer asks again, and is not led back to what it fled from.
        let again = ask().await;
        assert_eq!(again.header("idempotent-replayed"), "true");
        assert_eq!(again.expect(200)["active"]["revision"], 1);
        let seen = stall.stage.get("/v1/installations/greeter", &stall.globex.token).await;
        let stale = stall.stage.ask("POST", rollback).token(&stall.globex.token).header("if-match", "\"v1\"");
        stale.send().await.refused(412, "SOMA-H020");
        assert_eq!(seen.expect(200)["active"]["revision"], 1);
        let told = stall.told("globex/production/greeter").await.unwrap();
        assert_eq!(told["active"]["number"], "1");
        let history = stall.stage.get("/v1/installations/greeter/revisions", &stall.globex.token).await.expect(200);
        assert_eq!(history["items"].as_array().unwrap().len(), 2);
        let gone = stall.stage.delete("/v1/installations/greeter", &stall.globex.token).await.expect(200);
        assert_eq!(gone["state"], "removed");
        assert_eq!(stall.told("globex/production/greeter").await.unwrap(), json!(null));
        keyed("second").await.refused(409, "SOMA-S001");
        stall.install(&Stall::file(&one, &json!({}))).await.refused(409, "SOMA-I014");
    }

    async fn an_upgrade_carries_the_grants_over_and_a_failing_canary_backs_out(database: TestDatabase) {
        let stall = Stall::open(database).await;
        let one = stall.published(&Stall::plain("1.0.0")).await;
        stall.install(&Stall::file(&one, &json!({}))).await.expect(201);
        let two = stall.published(&Stall::plain("1.1.0")).await;
        let path = "/v1/installations/greeter/upgrade?gate=canary&canary_calls=3&canary_share=500";
        let gating = stall.stage.post(path, &stall.globex.token, &json!({})).await.expect(202);
        assert_eq!((&gating["state"], &gating["candidate"]["digest"]), (&json!("gating"), &json!(two)));
        let told = stall.told("globex/production/greeter").await.unwrap();
        assert_eq!(told["candidate"]["gate"]["canary"]["share"], 500, "{told}");
        stall.stage.post(path, &stall.globex.token, &json!({})).await.refused(409, "SOMA-S028");
        let server = &stall.stage.server;
        assert_eq!(server.settle_installations().await.unwrap(), 0);
        settle(&stall, 2, Outcome::Ok).await;
        settle(&stall, 2, Outcome::Busy).await;
        assert_eq!(server.settle_installations().await.unwrap(), 0);
        settle(&stall, 2, Outcome::Trapped).await;
        assert_eq!(server.settle_installations().await.unwrap(), 1);
        let seen = stall.stage.get("/v1/installations/greeter", &stall.globex.token).await.expect(200);
        assert_eq!((&seen["state"], &seen["active"]["digest"]), (&json!("active"), &json!(one)));
        assert!(seen["refused"].as_str().unwrap().contains("1 of 2 calls failed"), "{seen}");
        assert!(stall.told("globex/production/greeter").await.unwrap().get("candidate").is_none());
        assert_eq!(stall.events("capsule.backed-out").await, 1);
        // Receipts that come after the gate's end find calls that nobody pays, too.
        assert_eq!((billed(&stall, 1).await, billed(&stall, 2).await), (Some(Timestamp(0)), None));
        // Once more, and well.
        stall.stage.post(path, &stall.globex.token, &json!({})).await.expect(202);
        for _ in 0..3 {
            settle(&stall, 3, Outcome::Ok).await;
        }
        assert_eq!(server.settle_installations().await.unwrap(), 1);
        let seen = stall.stage.get("/v1/installations/greeter", &stall.globex.token).await.expect(200);
        assert_eq!((&seen["active"]["digest"], &seen["active"]["revision"]), (&json!(two), &json!(3)));
        assert_eq!(billed(&stall, 3).await, Some(server.now()), "what began at the gate stays unbilled");
        assert_eq!(billed(&stall, 2).await, None);
    }

    async fn what_asks_for_nothing_more_comes_by_itself_where_the_tenant_wants_it(database: TestDatabase) {
        let stall = Stall::open(database).await;
        let one = stall.published(&Stall::plain("1.0.0")).await;
        let mut file = Stall::file(&one, &json!({}));
        file["on_update"] = json!("narrower-or-equal");
        stall.install(&file).await.expect(201);
        let server = &stall.stage.server;
        server.roll_out().await.unwrap();
        let two = stall.published(&Stall::plain("1.1.0")).await;
        assert_eq!(server.roll_out().await.unwrap(), 1);
        let seen = stall.stage.get("/v1/installations/greeter", &stall.globex.token).await.expect(200);
        assert_eq!(seen["active"]["digest"], json!(two));
        // What asks for more waits for its tenant, after a restart too.
        stall.published(&Stall::reaching("1.2.0")).await;
        server.note_willing().await.unwrap();
        assert_eq!(server.roll_out().await.unwrap(), 0);
    }

    async fn who_ran_it_rates_it_and_nobody_else(database: TestDatabase) {
        let stall = Stall::open(database).await;
        let one = stall.published(&Stall::plain("1.0.0")).await;
        stall.install(&Stall::file(&one, &json!({}))).await.expect(201);
        let path = "/v1/capsules/acme/greeter/ratings";
        let put = |token: &str, stars: u8| {
            let body = json!({ "stars": stars, "comment": "greets" });
            stall.stage.ask("PUT", path).token(token).json(&body).send()
        };
        put(&stall.globex.token, 5).await.refused(403, "SOMA-S030");
        settle(&stall, 1, Outcome::Ok).await;
        put(&stall.globex.token, 6).await.refused(422, "SOMA-S032");
        put(&stall.acme.token, 5).await.refused(403, "SOMA-S031");
        put(&stall.globex.token, 3).await.expect(200);
        put(&stall.globex.token, 4).await.expect(200);
        let page = stall.stage.get("/v1/capsules/acme/greeter", &stall.acme.token).await.expect(200);
        assert_eq!((&page["capsule"]["rating"], &page["capsule"]["ratings"]), (&json!(4000), &json!(1)));
        let listed = stall.stage.get(path, &stall.acme.token).await.expect(200);
        assert_eq!((listed["items"].as_array().unwrap().len(), &listed["items"][0]["stars"]), (1, &json!(4)));
    }
}

/// A settled call of a revision of `globex/production/greeter`.
async fn settle(stall: &Stall, revision: u64, outcome: Outcome) {
    let server = &stall.stage.server;
    let mut unit = server.store.platform(PlatformScope::of("tests")).await.unwrap();
    let mut notes = Notes::default();
    notes.add(&facts(stall, revision), outcome);
    notes.keep(&mut unit, server.now()).await.unwrap();
    unit.commit().await.unwrap();
}

fn facts(stall: &Stall, revision: u64) -> CallFacts {
    serde_json::from_value(json!({
        "call": "00000000000000000000000001", "digest": Digest::ZERO, "environment": "production",
        "feed": { "epoch": "0", "n": "0" }, "function": "greet", "grants": Digest::ZERO, "installation": "greeter",
        "lease": "00000000000000000000000001", "offer": Digest::ZERO, "org": "globex", "policy": Digest::ZERO,
        "revision": revision.to_string(), "root": "00000000000000000000000001", "started_at": stall.stage.server.now(),
    }))
    .unwrap()
}
