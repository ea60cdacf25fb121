//! `http.*`: a `wasi:http` capsule under `soma up` with everything on, against `wasmtime serve` with the same
//! component. Both are driven by `wrk` over loopback, in turns; both make an instance for each request.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, ensure};
use soma_tests::{TestHome, TestHost};

use crate::measure::median;
use crate::place;
use crate::report::{Aim, Report};

const TURNS: usize = 5;
const SECONDS: u32 = 2;
/// What `wrk` prints at the end, for machines.
const SCRIPT: &str = "done = function(s, l, r)\n  local e = s.errors\n  io.write(string.format('result %d %d %d %d\\n', s.requests, s.duration, l:percentile(99), e.connect + e.read + e.write + e.status + e.timeout))\nend\n";

/// One burst of requests.
struct Burst {
    rate: f64,
    p99: f64,
}

/// The figures of serving.
pub(crate) fn run(report: &mut Report) -> anyhow::Result<()> {
    let runtime = place::runtime()?;
    let home = runtime.block_on(TestHome::new())?;
    runtime.block_on(home.install("hello-http", "web", &[]))?;
    place::widen(&home, "web")?;
    let memory =
        tempfile::Builder::new().prefix("soma-bench-").tempdir_in(place::memory_folder())?;
    let journal = memory.path().join("journal").display().to_string();
    let head = memory.path().join("head").display().to_string();
    let host = runtime.block_on(TestHost::start_with(
        &home,
        &["--calls", "512", "--journal", &journal, "--journal-head", &head],
    ))?;
    let peer = Peer::start(&home.beside("hello-http.wasm"))?;
    let script = memory.path().join("report.lua");
    std::fs::write(&script, SCRIPT)?;
    let name = format!("Host: web--production--local.localhost:{}", host.port());
    let token = format!("Authorization: Bearer {}", host.token());
    let ours = Driven { url: host.url().to_owned(), headers: vec![name, token] };
    let theirs = Driven { url: peer.url.clone(), headers: Vec::new() };
    for connections in [1, 32, 256] {
        compare(report, connections, &ours, &theirs, &script)?;
    }
    drop(peer);
    runtime.block_on(host.stop())?;
    Ok(())
}

fn compare(
    report: &mut Report,
    connections: u32,
    ours: &Driven,
    theirs: &Driven,
    script: &Path,
) -> anyhow::Result<()> {
    let (mut rates, mut tails, mut peer) = (Vec::new(), Vec::new(), Vec::new());
    for turn in 0..=TURNS {
        let (mine, its) = (ours.burst(connections, script)?, theirs.burst(connections, script)?);
        // The first turn warms both up.
        if turn > 0 {
            rates.push(mine.rate / its.rate);
            tails.push(mine.p99 / its.p99);
            peer.push((its.rate, its.p99));
        }
    }
    let rate = median(peer.iter().map(|(rate, _)| *rate).collect());
    let tail = median(peer.iter().map(|(_, tail)| *tail).collect());
    let against = format!("wasmtime serve: {rate:.0} requests/s");
    report.row(
        &format!("http.throughput.{connections}"),
        median(rates),
        "ratio",
        &against,
        Aim::AtLeast(1.0),
    );
    let against = format!("wasmtime serve: {tail:.0} µs");
    report.row(
        &format!("http.p99.{connections}"),
        median(tails),
        "ratio",
        &against,
        Aim::AtMost(1.0),
    );
    Ok(())
}

/// A server and what a request to it carries.
struct Driven {
    url: String,
    headers: Vec<String>,
}

impl Driven {
    fn burst(&self, connections: u32, script: &Path) -> anyhow::Result<Burst> {
        let mut wrk = Command::new("wrk");
        wrk.arg(format!("-t{}", connections.min(2))).arg(format!("-c{connections}"));
        wrk.arg(format!("-d{SECONDS}s")).arg("-s").arg(script);
        for header in &self.headers {
            wrk.args(["-H", header]);
        }
        let output =
            wrk.arg(&self.url).output().context("wrk cannot be run: `make bench` installs it")?;
        let said = String::from_utf8_lossy(&output.stdout);
        let line = said
            .lines()
            .find_map(|line| line.strip_prefix("result "))
            .context("wrk said nothing")?;
        let figures: Vec<f64> = line.split(' ').map(str::parse).collect::<Result<_, _>>()?;
        let [requests, micros, p99, errors] = *figures.as_slice() else {
            anyhow::bail!("wrk said {line}")
        };
        ensure!(errors == 0.0 && requests > 0.0, "{} answered with errors: {said}", self.url);
        Ok(Burst { rate: requests * 1e6 / micros, p99 })
    }
}

/// The real `wasmtime serve`.
struct Peer {
    child: Child,
    url: String,
}

impl Peer {
    fn start(component: &Path) -> anyhow::Result<Self> {
        let port = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let address = format!("127.0.0.1:{port}");
        let child = Command::new(program())
            .args(["serve", "-Scli", "--addr", &address])
            .arg(component)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("wasmtime cannot be run: `make bench` installs it")?;
        let mut peer = Self { child, url: format!("http://{address}/") };
        peer.until_it_answers(&address)?;
        Ok(peer)
    }

    fn until_it_answers(&mut self, address: &str) -> anyhow::Result<()> {
        while std::net::TcpStream::connect(address).is_err() {
            ensure!(self.child.try_wait()?.is_none(), "wasmtime serve ended before it listened");
            std::thread::yield_now();
        }
        Ok(())
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Named by whoever installed it, else found on the path.
fn program() -> PathBuf {
    std::env::var_os("SOMA_BENCH_WASMTIME").map_or_else(|| PathBuf::from("wasmtime"), PathBuf::from)
}
