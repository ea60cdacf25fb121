//! `server.memory`: what a server holds for each installation, by the resident bytes of a process that does what a
//! server does after its start: its chores once, and a host that joins and is told everything. On SQLite, so that the
//! database's own memory counts too.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use serde_json::{Value, json};
use soma_policy::Millis;

use super::super::stall::Stall;
use super::{leave, many, named_folder};
use crate::audit::Sequencer;
use crate::clock::FixedClock;
use crate::config::ServerConfig;
use crate::fixture::{START, TestDatabase};
use crate::server::Server;

const MANY: usize = many(10_000, 30);
const FEW: usize = many(10, 3);
/// The home of the server that the other process is to open.
const HOME: &str = "SOMA_BENCH_HOME";
/// The name of the test that is the other process.
const SERVER: &str = "edge::tests::market::measures::memory::one_server";
/// What stands before its answer.
const MARK: &str = "resident ";

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement: make bench"]
async fn an_installation_is_rows_and_hardly_any_memory() {
    let (few, many) = (resident(FEW).await, resident(MANY).await);
    let each = |name: &str| {
        let of = |it: &Value| it[name].as_f64().unwrap();
        (of(&many) - of(&few)) / (MANY - FEW) as f64 / 1024.0
    };
    let told = many["told"].as_str().unwrap();
    let row = |id: &str, value: f64, against: String| json!({ "id": id, "value": value, "unit": "KiB each", "against": against });
    let start = format!("{MANY} installations, after the chores of a start");
    let whole = format!("the same after a host was told everything: {told}");
    leave(
        "server",
        &[
            row("server.memory", each("start"), start),
            row("server.memory.told", each("whole"), whole),
        ],
    );
}

/// What a process of its own says of a server with so many installations.
async fn resident(installations: usize) -> Value {
    let stall = Stall::open(TestDatabase::sqlite()).await;
    let digest = stall.published(&Stall::plain("1.0.0")).await;
    let file = Stall::file(&digest, &json!({}));
    for nth in 0..installations {
        let path = format!("/v1/installations?id=i{nth}");
        stall.stage.post(&path, &stall.globex.token, &file).await.expect(201);
    }
    Sequencer::default().run(&stall.stage.server).await.unwrap();
    stall.stage.server.store.close().await;
    let home = stall.stage.database.folder.path().to_owned();
    tokio::task::spawn_blocking(move || other_process(&home)).await.unwrap()
}

fn other_process(home: &Path) -> Value {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--ignored", "--exact", SERVER, "--nocapture"]).env(HOME, home);
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let line = said.lines().find_map(|line| line.split_once(MARK));
    let (_, json) = line.unwrap_or_else(|| panic!("{output:?}"));
    serde_json::from_str(json).unwrap()
}

/// The other process; without a home there is nothing to do.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "a part of a measurement: make bench"]
#[expect(clippy::print_stdout, reason = "the figure is this process's answer")]
async fn one_server() {
    let Some(home) = named_folder(HOME) else { return };
    // An hour after the other process, whose ids it must not give again.
    let clock = Arc::new(FixedClock::new(START.plus(Millis(3_600_000))));
    let (server, _) = Server::open(&ServerConfig::embedded(&home), clock).await.unwrap();
    server.ensure_terms().await.unwrap();
    server.note_willing().await.unwrap();
    server.follow_standing().await.unwrap();
    Sequencer::default().run(&server).await.unwrap();
    server.settle_installations().await.unwrap();
    server.roll_out().await.unwrap();
    let start = own_resident();
    let told = match server.feed_from(None, Millis(0)).await {
        Ok(document) => format!("{:.1} MiB", document.len() as f64 / f64::from(1 << 20)),
        Err(error) => format!("refused, {error}"),
    };
    println!("{MARK}{}", json!({ "start": start, "told": told, "whole": own_resident() }));
}

fn own_resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.split_whitespace().next().unwrap().parse::<u64>().unwrap() * 1024
}
