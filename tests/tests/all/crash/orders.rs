//! Signed kill orders, made by the real command away from any server.

use std::path::Path;

use serde_json::Value;
use soma_tests::Soma;

/// Signs an order with the operator's key of a home.
pub(crate) async fn sign(home: &Path, scope: &str) -> Value {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("stop.json");
    let kill = Soma::new(home).unwrap().args(["kill", scope, "--reason", "drill", "--yes"]);
    kill.args(["--offline"]).args([&file]).succeed().await.unwrap();
    serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap()
}
