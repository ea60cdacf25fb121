//! Kill orders without a host: signed files, and what asks before it acts.

use serde_json::Value;

use super::bench::Bench;

#[test]
fn an_offline_order_is_signed_and_can_be_signed_again() {
    let bench = Bench::new().with_home();
    let kill = ["kill", "capsule:acme/csv", "--reason", "vulnerability", "--offline", "stop.json"];
    bench.run(&kill).ok();
    let envelope: Value = serde_json::from_str(&bench.read("stop.json")).unwrap();
    assert_eq!(envelope["signatures"].as_array().unwrap().len(), 1, "{envelope}");
    bench.run(&["key", "new", "eve", "--role", "operator"]).ok();
    bench.run(&["kill", "sign", "stop.json", "--key", "eve"]).ok();
    let envelope: Value = serde_json::from_str(&bench.read("stop.json")).unwrap();
    assert_eq!(envelope["signatures"].as_array().unwrap().len(), 2, "{envelope}");
}

#[test]
fn nothing_is_stopped_that_nobody_confirmed() {
    let bench = Bench::new().with_home();
    bench.run(&["kill", "everything", "--reason", "drill"]).failed(2, "--yes");
    let bad = bench.run(&["kill", "apply", "none.json", "--yes"]);
    bad.failed(5, "SOMA-U002");
    bench.write("junk.json", "{}");
    bench.run(&["kill", "apply", "junk.json", "--yes"]).failed(4, "SOMA-V011");
}
