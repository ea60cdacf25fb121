//! Attacks of the Rust guest, each on an installation of its own.

use serde_json::json;
use soma_tests::host::reply;
use soma_tests::{Reply, TestHost, sse};

use super::judge::Got;
use super::place::{Place, own_address};
use super::table::Row;

/// The events that a host sends; nothing that a guest does may add to them.
const EVENTS: [&str; 5] = ["started", "emit", "log", "finished", "failed"];

pub(crate) async fn run(row: &Row, place: &Place, host: &TestHost) -> Got {
    let argument = row.argument.replace("OWN", &own_address());
    let arguments = json!({ "attack": row.attack, "argument": argument });
    if row.stream {
        return streamed(row, host, &arguments).await;
    }
    let mut got = match host.call(&row.name, "run", &arguments).await {
        Ok(reply) => {
            let mut got = Got::of_call(host, &reply).await;
            got.terminal = shown(place, host, &reply).await;
            got
        }
        Err(error) => Got::nothing(&error.to_string()),
    };
    outside(row, place, &mut got);
    got
}

/// What a person sees of the call.
async fn shown(place: &Place, host: &TestHost, reply: &Reply) -> String {
    let show = place.range.home.soma().unwrap().args(["--host", host.url(), "show", &reply.call]);
    show.finish().await.map(|finished| finished.said()).unwrap_or_default()
}

/// Reads the stream as a browser would and insists that only the host spoke in it.
async fn streamed(row: &Row, host: &TestHost, arguments: &serde_json::Value) -> Got {
    let response = host.stream(&row.name, "run", arguments).await.unwrap();
    let Reply { call, body, status } = reply(response).await.unwrap();
    let stream = body.as_str().unwrap_or_default().to_owned();
    let kept = Reply { status, call, body };
    let mut got = Got::of_call(host, &kept).await;
    let events = sse::parse(&stream);
    let names: Vec<&str> = events.iter().map(|event| event.name.as_str()).collect();
    let foreign = names.iter().find(|name| !EVENTS.contains(name));
    let ends = names.iter().filter(|name| ["finished", "failed"].contains(name)).count();
    let last_is_end = names.last().is_some_and(|name| ["finished", "failed"].contains(name));
    if foreign.is_some() || ends != 1 || !last_is_end {
        got.wrong.push(format!("the stream was forged: {names:?}"));
    }
    if events.last().is_some_and(|event| event.data.contains("forged\":true")) {
        got.wrong.push("the end of the stream is the guest's".to_owned());
    }
    got
}

/// What the attack did to the world outside of the host.
fn outside(row: &Row, place: &Place, got: &mut Got) {
    let seen = place.range.evil.seen();
    if seen.iter().any(|request| {
        request.header("host").contains("evil")
            && request.header("authorization").contains(super::place::SECRET)
    }) {
        got.wrong.push("the secret reached another origin".to_owned());
    }
    if seen.iter().any(|request| request.target.contains("loot")) {
        got.wrong.push("what a tenant stored left the host".to_owned());
    }
    if row.attack == "net.dns" && seen.iter().any(|request| request.header("host").starts_with('x'))
    {
        got.wrong.push("a name that was not granted was reached".to_owned());
    }
    if let Some(plant) = place.plants.get(&row.name) {
        got.wrong.extend(plant.spoilt());
    }
}
