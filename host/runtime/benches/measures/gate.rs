//! `gate.*`: calls through the whole gate against the same component in bare wasmtime.
//!
//! Ours: token, policy, budget, admission, verified cache, fresh instance, JSON both ways, call, durable receipt. The
//! floor: store, instance, call, with the same engine settings and as many threads. Two pieces of work: the
//! table of the demo as JSON (judged), and the smallest call there is (shown: nearly all of it is overhead).

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use serde_json::{Value, json};
use soma_tests::TestHome;
use soma_tests::guests;
use tokio::runtime::Runtime;
use wasmtime::component::Val;

use crate::bare::{self, Bare};
use crate::measure::{self, Measured, percentile};
use crate::place::{self, Client, Opening, must};
use crate::report::{Aim, Report};

const TURN: Duration = Duration::from_millis(1500);
const TURNS: usize = 3;
const CALLS: u32 = 512;

/// One piece of work, in both shapes.
struct Work {
    name: &'static str,
    capsule: &'static str,
    function: &'static str,
    arguments: Value,
    params: Vec<Val>,
}

fn table() -> anyhow::Result<Work> {
    let text = std::fs::read_to_string(guests::library_folder("csv").join("data/planets.csv"))?;
    Ok(Work {
        name: "gate",
        capsule: "csv",
        function: "to-json",
        arguments: json!({ "text": text }),
        params: vec![Val::String(text), Val::Option(None)],
    })
}

fn smallest() -> Work {
    Work {
        name: "gate.smallest",
        capsule: "text",
        function: "slugify",
        arguments: json!({ "text": "A" }),
        params: vec![Val::String("A".to_owned()), Val::Option(None)],
    }
}

/// All figures of the gate.
pub(crate) fn run(report: &mut Report, disk: &Path) -> anyhow::Result<()> {
    let runtime = place::runtime()?;
    let home = runtime.block_on(TestHome::new())?;
    let memory =
        tempfile::Builder::new().prefix("soma-bench-").tempdir_in(place::memory_folder())?;
    for work in [table()?, smallest()] {
        runtime.block_on(home.install(work.capsule, work.capsule, &[]))?;
        place::widen(&home, work.capsule)?;
        on(report, &runtime, &home, memory.path(), &work, &[2, 32, 256], "")?;
    }
    let journal = tempfile::Builder::new().prefix("gate-").tempdir_in(disk)?;
    on(report, &runtime, &home, journal.path(), &table()?, &[32, 256], ".disk")
}

fn on(
    report: &mut Report,
    runtime: &Runtime,
    home: &TestHome,
    journal: &Path,
    work: &Work,
    flights: &[usize],
    place: &str,
) -> anyhow::Result<()> {
    let opening =
        Opening { home: home.path(), journal, calls: CALLS, idle: Duration::from_secs(300) };
    let opened = opening.open()?;
    let client = Arc::new(Client {
        host: opened.host.clone(),
        token: runtime.block_on(soma_tests::tokens::mint(home.path(), &["call:*"]))?,
        installation: place::key(work.capsule)?,
        function: work.function.parse()?,
        arguments: work.arguments.clone(),
    });
    let engine = bare::engine(CALLS)?;
    let component = std::fs::read(guests::library(work.capsule)?)?;
    let bare = Bare::new(&engine, &component, work.function)?;
    let judged = work.name == "gate" && place.is_empty();
    for flight in flights {
        let waits = Arc::new(Mutex::new(Vec::new()));
        let (ours, floor) = runtime.block_on(compare(*flight, &client, &bare, work, &waits));
        let waits = std::mem::take(&mut *waits.lock());
        rows(report, &format!("{}{place}", work.name), *flight, judged, &ours, &floor, &waits);
    }
    drop(client);
    opened.host.close();
    Ok(())
}

async fn compare(
    flight: usize,
    client: &Arc<Client>,
    bare: &Arc<Bare>,
    work: &Work,
    waits: &Arc<Mutex<Vec<u64>>>,
) -> (Measured, Measured) {
    let (client, bare, waits) = (client.clone(), bare.clone(), waits.clone());
    let params: Arc<[Val]> = work.params.clone().into();
    let ours = move || {
        let (client, waits) = (client.clone(), waits.clone());
        async move {
            let from = std::time::Instant::now();
            let reply = must(client.call().await);
            // From the end of the guest to the reply: the receipt becoming durable.
            let all = u64::try_from(from.elapsed().as_nanos()).unwrap_or(u64::MAX);
            waits.lock().push(all.saturating_sub(reply.usage.wall_us.saturating_mul(1000)));
        }
    };
    let floor = move || {
        let (bare, params) = (bare.clone(), params.clone());
        async move {
            must(bare.call(&params).await);
        }
    };
    measure::against(flight, TURNS, TURN, ours, floor).await
}

fn rows(
    report: &mut Report,
    name: &str,
    flight: usize,
    judged: bool,
    ours: &Measured,
    floor: &Measured,
    waits: &[u64],
) {
    let aim = |aim| if judged { aim } else { Aim::None };
    let against = format!("bare wasmtime: {:.0} calls/s", floor.rate());
    let ratio = ours.rate() / floor.rate();
    report.row(
        &format!("{name}.throughput.{flight}"),
        ratio,
        "ratio",
        &against,
        aim(Aim::AtLeast(0.67)),
    );
    let against = format!("bare wasmtime: {:.1} µs CPU/call", floor.cpu_each());
    let ratio = ours.cpu_each() / floor.cpu_each();
    report.row(&format!("{name}.cpu.{flight}"), ratio, "ratio", &against, aim(Aim::AtMost(1.5)));
    for (label, percent) in [("p50", 50.0), ("p99", 99.0)] {
        let (mine, its) = (ours.percentile(percent), floor.percentile(percent));
        let against = format!("bare wasmtime: {its:.0} µs");
        report.row(
            &format!("{name}.latency.{label}.{flight}"),
            mine / its,
            "ratio",
            &against,
            Aim::None,
        );
        let wait = percentile(waits, percent) / 1e3;
        let id = format!("{name}.latency.receipt.{label}.{flight}");
        report.row(&id, wait, "µs", "the wait for a durable receipt, apart", Aim::None);
    }
}
