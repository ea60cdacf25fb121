//! `load.cold`, `load.cached`, `compile`: getting a component ready, against wasmtime doing the same by itself.
//!
//! Ours: the package verified, compiled in the capped child process (cold) or read with its MAC checked (cached), linked,
//! and called for the first time. The floor: compiled or deserialised in this process, linked, called.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::json;
use soma_host::compile::Compiler;
use soma_tests::{TestHome, binary};
use tokio::runtime::Runtime;
use wasmtime::Engine;
use wasmtime::component::{Component, Val};

use crate::bare::{self, Bare};
use crate::measure::median;
use crate::place::{self, Client, Opening};
use crate::report::{Aim, Report};

const TIMES: usize = 7;
const CAPSULE: &str = "csv";
const FUNCTION: &str = "to-json";
const TEXT: &str = "a,b\n1,2\n";

/// The three figures.
pub(crate) fn run(report: &mut Report) -> anyhow::Result<()> {
    let runtime = place::runtime()?;
    let home = runtime.block_on(TestHome::new())?;
    runtime.block_on(home.install(CAPSULE, CAPSULE, &[]))?;
    let token = runtime.block_on(soma_tests::tokens::mint(home.path(), &["call:*"]))?;
    let engine = bare::engine(64)?;
    let component = std::fs::read(home.beside("csv.wasm"))?;
    let code = engine.precompile_component(&component).map_err(bare::plain)?;
    let (mut compile, mut cold, mut cached) = (Pair::default(), Pair::default(), Pair::default());
    for _ in 0..TIMES {
        compile.add(ours_compiled(&runtime, &component)?, floor_compiled(&engine, &component)?);
        let ours = ours_called(&runtime, &home, &token, true)?;
        cold.add(
            ours,
            floor_called(&runtime, &engine, || {
                Component::new(&engine, &component).map_err(bare::plain)
            })?,
        );
        let ours = ours_called(&runtime, &home, &token, false)?;
        cached.add(ours, floor_called(&runtime, &engine, || deserialised(&engine, &code))?);
    }
    compile.row(report, "compile", "in process");
    cold.row(report, "load.cold", "compile, link, first call");
    cached.row(report, "load.cached", "deserialise, link, first call");
    Ok(())
}

/// Times of both, in milliseconds.
#[derive(Default)]
struct Pair(Vec<f64>, Vec<f64>);

impl Pair {
    fn add(&mut self, ours: Duration, floor: Duration) {
        self.0.push(ours.as_secs_f64() * 1e3);
        self.1.push(floor.as_secs_f64() * 1e3);
    }

    fn row(self, report: &mut Report, id: &str, what: &str) {
        let (ours, floor) = (median(self.0), median(self.1));
        let against = format!("bare wasmtime: {floor:.2} ms ({what}); ours {ours:.2} ms");
        report.row(id, ours / floor, "ratio", &against, Aim::None);
    }
}

fn ours_compiled(runtime: &Runtime, component: &[u8]) -> anyhow::Result<Duration> {
    let compiler = Compiler::new(binary::path()?, "compile-child", Duration::from_secs(60));
    let from = Instant::now();
    runtime.block_on(compiler.compile(component))?;
    Ok(from.elapsed())
}

fn floor_compiled(engine: &Engine, component: &[u8]) -> anyhow::Result<Duration> {
    let from = Instant::now();
    engine.precompile_component(component).map_err(bare::plain)?;
    Ok(from.elapsed())
}

fn ours_called(
    runtime: &Runtime,
    home: &TestHome,
    token: &str,
    cold: bool,
) -> anyhow::Result<Duration> {
    let cache = soma_host::home::Home::open(home.path())?.layout().cache();
    if cold && cache.is_dir() {
        std::fs::remove_dir_all(cache)?;
    }
    let journal =
        tempfile::Builder::new().prefix("soma-bench-").tempdir_in(place::memory_folder())?;
    let idle = Duration::from_secs(300);
    let opened = Opening { home: home.path(), journal: journal.path(), calls: 64, idle }.open()?;
    let client = Client {
        host: opened.host.clone(),
        token: token.to_owned(),
        installation: place::key(CAPSULE)?,
        function: FUNCTION.parse()?,
        arguments: json!({ "text": TEXT }),
    };
    let from = Instant::now();
    runtime.block_on(Arc::new(client).call())?;
    let took = from.elapsed();
    opened.host.close();
    Ok(took)
}

fn floor_called(
    runtime: &Runtime,
    engine: &Engine,
    component: impl Fn() -> anyhow::Result<Component>,
) -> anyhow::Result<Duration> {
    let from = Instant::now();
    let bare = Bare::of(engine, &component()?, FUNCTION)?;
    runtime.block_on(bare.call(&[Val::String(TEXT.to_owned()), Val::Option(None)]))?;
    Ok(from.elapsed())
}

#[expect(
    unsafe_code,
    reason = "the floor is wasmtime's own loading, of bytes it compiled a moment ago"
)]
fn deserialised(engine: &Engine, code: &[u8]) -> anyhow::Result<Component> {
    // SAFETY: `code` comes from `precompile_component` of this very engine and was never written anywhere.
    unsafe { Component::deserialize(engine, code) }.map_err(bare::plain)
}
