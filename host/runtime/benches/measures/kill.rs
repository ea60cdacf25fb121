//! `kill.inflight`: a thousand calls in flight on the real `soma up`, a third each looping, blocked in a host call
//! and streaming; one order for all of them. What is timed is what a client sees: from the order's first byte
//! leaving until the last byte of each call's response, receipts included.

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};
use soma_tests::package::Package;
use soma_tests::{TestHome, TestHost, guests};
use tokio::sync::mpsc;

use crate::measure::percentile;
use crate::place;
use crate::report::{Aim, Report};

/// Calls of each kind.
const EACH: usize = 333;
const LIMITS: &str = "[limits]\ncpu = \"10 s\"\nwall = \"60 s\"\n";
const PATIENCE: Duration = Duration::from_secs(55);

/// The figures of one kill.
pub(crate) fn run(report: &mut Report) -> anyhow::Result<()> {
    let runtime = place::runtime()?;
    let took = runtime.block_on(killed())?;
    ensure!(took.len() == EACH * 3 + 1, "{} calls were seen to end", took.len());
    let against = format!("order sent → last byte of each of {} calls", took.len());
    for (id, percent, aim) in [
        ("kill.inflight.p50", 50.0, Aim::None),
        ("kill.inflight.p99", 99.0, Aim::AtMost(100.0)),
        ("kill.inflight.max", 100.0, Aim::None),
    ] {
        report.row(id, percentile(&took, percent) / 1e6, "ms", &against, aim);
    }
    Ok(())
}

async fn killed() -> anyhow::Result<Vec<u64>> {
    let home = TestHome::new().await?;
    home.install("stream", "stream", &[]).await?;
    install_loop(&home).await?;
    place::widen(&home, "stream")?;
    place::widen(&home, "loop")?;
    let order = home.beside("order.json");
    let host = TestHost::start_with(&home, &["--calls", "1024"]).await?;
    let kill = ["kill", "tenant:local", "--reason", "drill", "--yes", "--offline"];
    home.soma()?.args(kill).args([&order]).succeed().await?;
    let order = std::fs::read(order)?;
    let (tell, mut ended) = mpsc::unbounded_channel();
    for nth in 0..=EACH * 3 {
        let (id, function, arguments) = match nth % 3 {
            0 => ("stream", "count", json!({ "every-ms": "500" })),
            1 => ("stream", "count", json!({ "every-ms": "600000" })),
            _ => ("loop", "run", json!({})),
        };
        start(&host, id, function, &arguments, tell.clone()).await?;
    }
    drop(tell);
    all_running(&host).await?;
    let sent = Instant::now();
    let answer = host.request("POST".parse()?, "/v1/kill-orders").body(order).send();
    let answer = tokio::spawn(answer);
    let mut took = Vec::new();
    while let Some(at) = ended.recv().await {
        took.push(u64::try_from(Instant::duration_since(&at, sent).as_nanos())?);
    }
    let answer = answer.await??;
    ensure!(answer.status().is_success(), "the order was answered with {}", answer.status());
    host.stop().await?;
    Ok(took)
}

async fn install_loop(home: &TestHome) -> anyhow::Result<()> {
    let manifest = format!(
        "schema = 1\nname = \"soma/loop\"\nversion = \"1.0.0\"\nkind = \"task\"\nsummary = \"A loop\"\nlicence = \"Apache-2.0\"\n\n{LIMITS}"
    );
    let component = guests::hostile_text("loop-function")?;
    let package = Package::new(&component, &manifest, &place::library_key(home)?)?;
    let path = package.write(&home.beside("loop"), "loop")?;
    home.soma()?.args(["install"]).args([path]).args(["--as", "loop"]).succeed().await?;
    Ok(())
}

/// Starts a streamed call; when its response has ended, tells when that was.
async fn start(
    host: &TestHost,
    id: &str,
    function: &str,
    arguments: &Value,
    tell: mpsc::UnboundedSender<Instant>,
) -> anyhow::Result<()> {
    let mut response = host.stream(id, function, arguments).await?;
    ensure!(response.status().is_success(), "{id} {function}: {}", response.status());
    tokio::spawn(async move {
        // A cut body ends in an error: that is its end, too.
        while let Ok(Some(_)) = response.chunk().await {}
        let _ = tell.send(Instant::now());
    });
    Ok(())
}

/// Waits until every guest runs: none is still being started.
async fn all_running(host: &TestHost) -> anyhow::Result<()> {
    let begun = Instant::now();
    loop {
        ensure!(begun.elapsed() < PATIENCE, "the calls were not all running in {PATIENCE:?}");
        let (mut running, mut cursor) = (0, String::new());
        loop {
            let page = host.get(&format!("/v1/calls?state=running&limit=500{cursor}")).await?;
            let items = page.get("items").and_then(Value::as_array).context("no items")?;
            running += items.iter().filter(|call| has_run(call)).count();
            match page.get("next").and_then(Value::as_str) {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        if running == EACH * 3 + 1 {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// A loop has used CPU time; the others hold the memory of their instance.
fn has_run(call: &Value) -> bool {
    let text = |name: &str| call.get(name).and_then(Value::as_str).unwrap_or_default();
    if text("installation") == "loop" {
        return !text("cpu").starts_with("0/");
    }
    call.get("memory").and_then(Value::as_u64).is_some_and(|bytes| bytes > 0)
}
