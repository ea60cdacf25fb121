//! The committed document is the one that the routes make.

use std::path::Path;

use serde_json::Value;

#[test]
fn the_committed_interface_is_the_one_that_is_served() {
    let path =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/server.openapi.json");
    let now = serde_json::to_string_pretty(&crate::edge::openapi()).unwrap() + "\n";
    if std::env::var("SOMA_WRITE_REFERENCE").is_ok_and(|value| value == "1") {
        std::fs::write(&path, &now).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(committed == now, "make it again with SOMA_WRITE_REFERENCE=1");
}

#[test]
fn every_operation_says_what_it_is_and_how_it_fails() {
    let document = serde_json::to_value(crate::edge::openapi()).unwrap();
    assert_eq!(document["openapi"], "3.1.0");
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let what = format!("{method} {path}");
            assert!(operation["summary"].as_str().is_some_and(|it| it.len() > 5), "{what}");
            assert!(operation["operationId"].is_string(), "{what}");
            let answers = operation["responses"].as_object().unwrap();
            if path.starts_with("/v1/") {
                assert!(answers.contains_key("4XX") && answers.contains_key("503"), "{what}");
            }
        }
    }
    let ids: Vec<&Value> = document["paths"]
        .as_object()
        .unwrap()
        .values()
        .flat_map(|methods| methods.as_object().unwrap().values())
        .map(|operation| &operation["operationId"])
        .collect();
    let mut unique: Vec<String> = ids.iter().map(ToString::to_string).collect();
    unique.sort_unstable();
    unique.dedup();
    assert_eq!(unique.len(), ids.len(), "an operation id is there twice");
}
