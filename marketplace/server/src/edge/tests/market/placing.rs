//! Where a tenant's capsules run: its region binds who is waited for, told, paid and given secrets.

use serde_json::{Value, json};
use soma_policy::HostId;
use soma_policy::feed::LeaseWishes;

use super::stall::Stall;
use crate::edge::tests::stage::Answer;
use crate::fixture::on_both_databases;

async fn place(stall: &Stall, region: Option<&str>) -> Answer {
    let seen = stall.stage.get("/v1/orgs/globex", &stall.globex.token).await;
    let ask = stall.stage.ask("PATCH", "/v1/orgs/globex").token(&stall.globex.token);
    let body = json!({ "name": "globex", "region": region });
    ask.header("if-match", seen.header("etag")).json(&body).send().await
}

async fn moved(stall: &Stall, host: HostId, region: &str) {
    let sql = format!("UPDATE hosts SET region = '{region}' WHERE host = '{host}'");
    stall.stage.database.tamper(&sql).await;
}

on_both_databases! {
    async fn hosts_of_another_region_are_neither_waited_for_nor_given_money(database: TestDatabase) {
        let stall = Stall::open(database).await;
        let digest = stall.published(&Stall::plain("1.0.0")).await;
        place(&stall, Some("eu")).await.expect(200);
        let (near, far) = (stall.host(1).await, stall.host(2).await);
        moved(&stall, far.id, "us").await;
        let made = stall.install(&Stall::file(&digest, &json!({}))).await.expect(202);
        assert_eq!(made["waiting"], json!([near.id]));
        let told = stall.told("globex/production/greeter").await.unwrap();
        assert_eq!(told["region"], "eu");
        let wishes = |boot: u128| -> LeaseWishes {
            serde_json::from_value(json!({
                "boot": soma_policy::BootId::from_u128(boot), "closes": [],
                "wishes": [{ "installation": { "org": "globex", "environment": "production", "id": "greeter" },
                             "at_least": "0.00 EUR" }],
            }))
            .unwrap()
        };
        let server = &stall.stage.server;
        // Whether there is money for it is another matter: it is not the place.
        let given = server.lease(near.id, &wishes(1)).await.unwrap();
        assert!(!format!("{:?}", given.refused).contains("region"), "{:?}", given.refused);
        let refused = server.lease(far.id, &wishes(2)).await.unwrap();
        assert_eq!(refused.leases.len(), 0);
        assert!(refused.refused[0].1.contains("another region"), "{:?}", refused.refused);
    }

    async fn installations_of_an_org_and_of_everybody_are_bounded(database: TestDatabase) {
        let stall = Stall::open(database).await;
        let digest = stall.published(&Stall::plain("1.0.0")).await;
        let file = Stall::file(&digest, &json!({}));
        let fill = |org: &str, from: u64, to: u64, state: &str| {
            let rows: Vec<String> = (from..to)
                .map(|n| format!("('{org}', 'production', 'i{n}', 'acme/greeter', '{state}', 1, '{{}}', '{digest}', 'c', 0)"))
                .collect();
            format!(
                "INSERT INTO installations (org, environment, installation, capsule, state, sequence, record, digest, change_id, created_ms) VALUES {}",
                rows.join(", ")
            )
        };
        let most = crate::store::Limit::Installations.most();
        stall.stage.database.tamper(&fill("globex", 1, most, "active")).await;
        stall.install(&file).await.expect(201);
        let path = "/v1/installations?id=more";
        let refused = stall.stage.post(path, &stall.globex.token, &file).await.refused(409, "SOMA-S009");
        let detail = refused["detail"].as_str().unwrap();
        assert!(detail.contains("installations") && detail.contains(&most.to_string()), "{detail}");
        stall.stage.delete("/v1/installations/greeter", &stall.globex.token).await.expect(200);
        stall.stage.post(path, &stall.globex.token, &file).await.expect(201);
        // The whole platform, below what a snapshot of the feed holds.
        stall.stage.delete("/v1/installations/more", &stall.globex.token).await.expect(200);
        let all = crate::store::INSTALLATIONS_MAX;
        for from in (most..all).step_by(5_000) {
            stall.stage.database.tamper(&fill("acme", from, all.min(from + 5_000), "active")).await;
        }
        stall.stage.database.tamper(&fill("acme", all, all + 1, "active")).await;
        let path = "/v1/installations?id=last";
        let refused = stall.stage.post(path, &stall.globex.token, &file).await.refused(409, "SOMA-S009");
        assert!(refused["detail"].as_str().unwrap().contains("this platform"), "{refused}");
    }

    async fn a_region_stays_while_something_runs_by_it(database: TestDatabase) {
        let stall = Stall::open(database).await;
        let digest = stall.published(&Stall::plain("1.0.0")).await;
        place(&stall, Some("eu")).await.expect(200);
        place(&stall, Some("us")).await.expect(200);
        stall.install(&Stall::file(&digest, &json!({}))).await.expect(201);
        for region in [Some("eu"), None] {
            let refused = place(&stall, region).await.refused(422, "SOMA-H016");
            assert!(refused["detail"].as_str().unwrap().contains("region"), "{refused}");
        }
        place(&stall, Some("us")).await.expect(200);
        stall.stage.delete("/v1/installations/greeter", &stall.globex.token).await.expect(200);
        place(&stall, None).await.expect(200);
    }

    async fn a_dry_run_counts_regions_gates_hosts_and_what_leases_hold(database: TestDatabase) {
        let stall = Stall::open(database).await;
        crate::edge::tests::kills::Desk::of(&stall.stage);
        let one = stall.published(&Stall::plain("1.0.0")).await;
        let host = stall.host(1).await;
        stall.install(&Stall::file(&one, &json!({}))).await.expect(202);
        stall.report(&host).await;
        stall.stage.server.settle_installations().await.unwrap();
        let two = stall.published(&Stall::plain("1.1.0")).await;
        stall.put("?gate=canary", &Stall::file(&two, &json!({}))).await.expect(202);
        stall.stage.database.tamper(&format!(
            "INSERT INTO leases (lease_id, org, environment, installation, host, boot, state, currency, held, record, drawn, given, seen, touched_ms, start_by_ms, lost_after_ms, version) \
             VALUES ('l', 'globex', 'production', 'greeter', '{}', 'b', 'open', 'EUR', 1500000, '{{}}', '[]', '{{}}', TRUE, 0, 0, 0, 1)",
            host.id
        )).await;
        let radius = async |scope: &str| -> Value {
            let asked = json!({ "scope": scope });
            stall.stage.post("/v1/kill-orders?dry_run=true", &stall.operator.token, &asked).await.expect(200)
        };
        let met = json!(["globex/production/greeter"]);
        let active = radius(&format!("digest:{one}")).await;
        assert_eq!((&active["installations"], &active["candidates"]), (&met, &json!([])));
        let canary = radius(&format!("digest:{two}")).await;
        assert_eq!((&canary["installations"], &canary["candidates"]), (&met, &met));
        assert_eq!(canary["capsules"]["acme/greeter"], json!([two]));
        assert_eq!(canary["hosts"][0]["host"], json!(host.id));
        assert_eq!(canary["held"], json!([{ "money": "1.50 EUR", "leases": 1 }]));
        // What may run anywhere runs where hosts are.
        assert_eq!(radius("region:eu").await["installations"], met);
        let nowhere = radius("region:us").await;
        assert_eq!((&nowhere["installations"], &nowhere["hosts"], &nowhere["held"]), (&json!([]), &json!([]), &json!([])));
    }
}
