//! Calls that are ended from outside while they do something.

use serde_json::{Value, json};
use soma_tests::{TestHost, sse};

use super::super::judge::Got;
use super::super::place::Place;
use super::super::table::Row;

/// Starts a call, waits until it runs, kills its installation, and says how it ended.
pub(crate) async fn killed(row: &Row, host: &TestHost, place: &Place) -> Got {
    let attack = |name: &str| ("patient", json!({ "attack": name, "argument": "" }));
    let (id, arguments) = match row.name.as_str() {
        "kill-while-starting" => ("patient-start", json!({})),
        "kill-while-child-starts" => attack("tools.start-child"),
        "kill-while-writing" => attack("files.write-for-ever"),
        "kill-while-waiting" => attack("wait.clock"),
        "kill-while-streaming" => return killed_stream(host, place).await,
        other => panic!("no story is called {other}"),
    };
    let child = row.name == "kill-while-child-starts";
    let (reply, order) = tokio::join!(host.call(id, "run", &arguments), async {
        running(host, if child { "patient-start" } else { id }).await;
        kill(host, place, id).await
    });
    let reply = reply.unwrap();
    let got = Got::of_call(host, &reply).await;
    lift(host, place, &order).await;
    got
}

async fn killed_stream(host: &TestHost, place: &Place) -> Got {
    let response = host.stream("stream", "count", &json!({ "every-ms": "10" })).await.unwrap();
    let call = response
        .headers()
        .get("soma-call-id")
        .and_then(|id| id.to_str().ok())
        .unwrap_or_default()
        .to_owned();
    let (body, order) = tokio::join!(response.text(), kill(host, place, "stream"));
    let mut got = ended(host, &call).await;
    // Either the stream says that it failed or it breaks off; it never ends as if it were whole.
    let events = sse::parse(&body.unwrap_or_default());
    if events.iter().any(|event| event.name == "finished") {
        got.wrong.push("the killed stream says that it finished".to_owned());
    }
    lift(host, place, &order).await;
    got
}

/// The grant becomes narrower than what the running call uses.
pub(crate) async fn withdrawn(host: &TestHost, place: &Place) -> Got {
    let response = host.stream("withdrawn", "count", &json!({ "every-ms": "10" })).await.unwrap();
    let call = response
        .headers()
        .get("soma-call-id")
        .and_then(|id| id.to_str().ok())
        .unwrap_or_default()
        .to_owned();
    place.range.home.edit("withdrawn", "per_call = \"1 MiB\"", "per_call = \"1 B\"").unwrap();
    let body = response.text().await;
    let mut got = ended(host, &call).await;
    let events = sse::parse(&body.unwrap_or_default());
    match events.last() {
        Some(last) if last.name == "failed" => {
            got.code = last.json()["code"].as_str().unwrap_or_default().to_owned()
        }
        Some(last) if last.name == "finished" => got.wrong.push("the stream finished".to_owned()),
        _ => {}
    }
    got
}

async fn ended(host: &TestHost, call: &str) -> Got {
    let kept = host.get(&format!("/v1/calls/{call}")).await.unwrap();
    let kind = kept["outcome"]["kind"].as_str().unwrap_or("unknown").to_owned();
    Got { kind, shown: kept.to_string(), ..Got::default() }
}

/// Asks until a call of this installation is under way; each question is a round trip to the host.
async fn running(host: &TestHost, id: &str) {
    loop {
        let calls = host.get("/v1/calls").await.unwrap();
        let items = ["calls", "items", "data"].iter().find_map(|name| calls[name].as_array());
        let runs = |call: &Value| {
            call["installation"].as_str().is_some_and(|i| i == id || i.ends_with(&format!("/{id}")))
        };
        if items.into_iter().flatten().any(runs) {
            return;
        }
    }
}

/// Gives the order and answers with its id.
async fn kill(host: &TestHost, place: &Place, id: &str) -> String {
    let scope = format!("installation:local/production/{id}");
    let kill = place.range.home.soma().unwrap().args([
        "--host",
        host.url(),
        "--output",
        "json",
        "kill",
        &scope,
    ]);
    let kill = kill.within(place.range.home.path());
    let said = kill.args(["--reason", "drill", "--yes"]).succeed().await.unwrap();
    let report = said.json().unwrap();
    report["order"]["id"]
        .as_str()
        .or_else(|| report["order"].as_str())
        .or_else(|| report["id"].as_str())
        .unwrap_or_default()
        .to_owned()
}

async fn lift(host: &TestHost, place: &Place, order: &str) {
    let lift = place.range.home.soma().unwrap().args(["--host", host.url(), "unkill", order]);
    lift.args(["--reason", "the drill is over"]).args(["--yes"]).finish().await.unwrap();
}
