//! `feed.catchup`: how fast a host takes over what its server says, for `make bench`: an ignored test, because it
//! needs what tests stand on. Unoptimised it takes a small number, which shows that it works and measures nothing.
//!
//! The host is real: it reads, judges the signature and the chain, writes to its disk, compiles each installation and
//! swaps. Beside it, in the same process, a loopback server makes and signs the batches.

use std::path::PathBuf;
use std::time::Instant;

use serde_json::{Value, json};
use soma_policy::feed::Topic;

use super::desk::{Desk, applied, key};

const CHANGES: u32 = if cfg!(debug_assertions) { 600 } else { 10_000 };
/// Hosts that begin anew, one after the other; the first one is thrown away.
const HOSTS: usize = if cfg!(debug_assertions) { 1 } else { 5 };

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement: make bench"]
async fn a_host_catches_up_with_ten_thousand_changes() {
    let mut rates = Vec::new();
    for nth in 0..=HOSTS {
        let rate = caught_up().await;
        if nth > 0 {
            rates.push(rate);
        }
    }
    rates.sort_by(f64::total_cmp);
    let against = format!("{CHANGES} changes, each of another installation, until all run");
    leave(
        &json!([{ "id": "feed.catchup", "value": rates[HOSTS / 2], "unit": "changes/s", "against": against }]),
    );
}

/// Changes per second of a host that was told nothing of them before.
async fn caught_up() -> f64 {
    let desk = Desk::new().await;
    let capsule = desk.capsule(42, "1.0.0");
    desk.publish(&capsule);
    let host = desk.open_with(&[&capsule]);
    applied(&host, desk.install("first", desk.revision(&capsule, 1, &json!({})))).await;
    let one = |n: u32| {
        let key = key(&format!("i{n}"));
        let active = desk.revision(&capsule, 1, &json!({}));
        (Topic::Installation, key.to_string(), json!({ "active": active, "key": key }))
    };
    let changes: Vec<_> = (0..CHANGES).map(one).collect();
    let head = desk.server.say_all(changes);
    let begun = Instant::now();
    applied(&host, head).await;
    let took = begun.elapsed();
    assert_eq!(host.snapshot().len(), CHANGES as usize + 1);
    assert!(host.snapshot().running(&key("i0")).is_some());
    assert_eq!(desk.server.content.lock().asked_whole, 1, "they came as changes");
    host.close();
    f64::from(CHANGES) / took.as_secs_f64()
}

/// Leaves the row for the report where `make bench` looks for it.
#[expect(clippy::print_stderr, reason = "a measurement that is run by hand shows what it found")]
fn leave(rows: &Value) {
    eprintln!("{rows}");
    if let Some(folder) = std::env::var_os("SOMA_BENCH_PARTS").map(PathBuf::from) {
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("feed.json"), rows.to_string()).unwrap();
    }
}
