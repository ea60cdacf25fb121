//! The shortest way from nothing to an answer: a key, a signature, an installation, a call.

use serde_json::json;
use soma_tests::{TestHome, TestHost, guests};

#[tokio::test(flavor = "multi_thread")]
async fn a_signed_capsule_answers_its_first_call() {
    let home = TestHome::new().await.unwrap();
    home.install("text", "text", &[]).await.unwrap();
    let host = TestHost::start(&home).await.unwrap();

    let reply = host.call("text", "slugify", &json!({ "text": "Crème Brûlée!" })).await.unwrap();
    assert_eq!((reply.status, reply.body), (200, json!("creme-brulee")));
    assert!(!reply.call.is_empty());

    let shown = host.get(&format!("/v1/calls/{}", reply.call)).await.unwrap();
    assert_eq!(shown["outcome"]["kind"], "ok", "{shown}");
    let (said, code) = host.stop().await.unwrap();
    assert_eq!(code, Some(0), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_calls_by_file_and_prints_the_text_itself() {
    let home = TestHome::new().await.unwrap();
    home.install("csv", "csv", &[]).await.unwrap();
    let host = TestHost::start(&home).await.unwrap();

    let data = guests::library_folder("csv").join("data/planets.csv");
    let text = format!("text=@{}", data.display());
    let call = home.soma().unwrap().args([
        "--host",
        host.url(),
        "call",
        "csv",
        "to-json",
        "-a",
        &text,
        "--raw",
    ]);
    let said = call.succeed().await.unwrap();
    let rows: Vec<serde_json::Value> = serde_json::from_str(&said.stdout).unwrap();
    assert_eq!(rows.len(), 9);
    assert_eq!((&rows[2]["name"], &rows[2]["moons"]), (&json!("Earth"), &json!(1)));
    assert_eq!(rows[4]["pressure_bar"], json!(null));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_installed_is_not_found_and_says_so() {
    let home = TestHome::new().await.unwrap();
    let host = TestHost::start(&home).await.unwrap();
    let reply = host.call("nothing", "run", &json!({})).await.unwrap();
    assert_eq!((reply.status, reply.code()), (404, "SOMA-I015"));
    let call = home.soma().unwrap().args(["--host", host.url(), "call", "nothing", "run"]);
    assert_eq!(call.finish().await.unwrap().code, 5);
}
