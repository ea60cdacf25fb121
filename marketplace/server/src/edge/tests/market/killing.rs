//! What an order means for what is sold and installed, from its dry run to what follows.

use serde_json::json;

use super::stall::Stall;
use crate::edge::tests::kills::Desk;
use crate::fixture::on_both_databases;

on_both_databases! {
    async fn an_order_stops_what_its_dry_run_said_and_freezes_the_name(database: TestDatabase) {
        let stall = Stall::open(database).await;
        let digest = stall.published(&Stall::plain("1.0.0")).await;
        stall.install(&Stall::file(&digest, &json!({}))).await;
        let desk = Desk::of(&stall.stage);
        let token = &stall.operator.token;
        let path = "/v1/kill-orders?dry_run=true";
        for (scope, hits) in [
            (format!("digest:{digest}"), true),
            ("capsule:acme/greeter@^1".to_owned(), true),
            ("capsule:acme/greeter@^2".to_owned(), false),
            ("publisher:acme".to_owned(), true),
            (format!("signer:{}", stall.key.public().fingerprint()), true),
            ("tenant:globex".to_owned(), true),
            ("tenant:acme".to_owned(), false),
            ("installation:globex/production/greeter".to_owned(), true),
            ("capability:http".to_owned(), false),
            ("everything".to_owned(), true),
        ] {
            let radius = stall.stage.post(path, token, &json!({ "scope": scope })).await.expect(200);
            let expected = if hits { json!(["globex/production/greeter"]) } else { json!([]) };
            assert_eq!(radius["installations"], expected, "{scope}");
            assert_eq!(radius["tenants"].as_array().unwrap().len(), usize::from(hits), "{scope}");
        }
        let order = Desk::order(1, &format!("digest:{digest}"));
        let given = stall.stage.ask("POST", "/v1/kill-orders").raw(&desk.order_of(&order)).send().await;
        assert_eq!(given.expect(200)["state"], "complete");
        // The name is frozen, and nobody installs it again while the order stands.
        stall.submit(&Stall::plain("1.1.0")).await.refused(409, "SOMA-S017");
        let again = stall.install(&Stall::file(&digest, &json!({}))).await;
        assert!(again.status >= 400, "{}", again.body);
    }
}
