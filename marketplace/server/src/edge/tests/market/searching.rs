//! The catalogue: words, filters, pages, and that it does not slow down as it grows.

use serde_json::json;

use super::stall::Stall;
use crate::examine::fixture::{capsule, component, manifest};
use crate::fixture::on_both_databases;

on_both_databases! {
    async fn a_capsule_is_found_by_words_beginnings_and_properties(database: TestDatabase) {
        let stall = Stall::open(database).await;
        stall.published(&Stall::reaching("1.0.0")).await;
        let paid = "[price]\nper_call = \"0.0005 EUR\"\n";
        let csv = capsule(&component(&[], "csv"), &manifest("acme/csv-to-json", "2.0.0", paid));
        stall.published(&csv).await;
        for (query, names) in [
            ("", vec!["acme/csv-to-json", "acme/greeter"]),
            ("q=gree", vec!["acme/greeter"]),
            ("q=politely", vec!["acme/csv-to-json", "acme/greeter"]),
            ("q=csv%20JSON", vec!["acme/csv-to-json"]),
            ("q=nothing", vec![]),
            ("capability=http", vec!["acme/greeter"]),
            ("kind=task&free=false", vec!["acme/csv-to-json"]),
            ("publisher=acme&price_max=0", vec!["acme/greeter"]),
            ("publisher=zeta", vec![]),
            ("limit=1", vec!["acme/csv-to-json"]),
        ] {
            for path in ["/v1/capsules", "/v1/marketplace/capsules"] {
                let found = stall.stage.get(&format!("{path}?{query}"), &stall.globex.token).await.expect(200);
                let found: Vec<&str> = found["items"].as_array().unwrap().iter().map(|it| it["capsule"].as_str().unwrap()).collect();
                assert_eq!(found, names, "{query}");
            }
        }
        let first = stall.stage.get("/v1/capsules?limit=1", &stall.globex.token).await.expect(200);
        let path = format!("/v1/capsules?limit=1&cursor={}", first["next"].as_str().unwrap());
        let second = stall.stage.get(&path, &stall.globex.token).await.expect(200);
        assert_eq!((&second["items"][0]["capsule"], &second["next"]), (&json!("acme/greeter"), &json!(null)));
        for bad in ["q=a%20b%20c%20d%20e%20f%20g%20h%20i", "publisher=NO", "limit=0", "free=maybe", "kidn=task"] {
            stall.stage.get(&format!("/v1/capsules?{bad}"), &stall.globex.token).await.refused(422, "SOMA-H016");
        }
        stall.stage.get("/v1/capsules?q=%00", &stall.globex.token).await.refused(422, "SOMA-H016");
    }
}
