//! The running host: lock, open, listen, tell where, serve, end.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use soma_host::clock::SystemClock;
use soma_host::descriptors::Descriptors;
use soma_host::home::{Home, write_private};
use soma_host::{Host, HostOptions};
use soma_policy::Code;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use super::{Up, development, first, problems};
use crate::context::Context;
use crate::failure::Failure;
use crate::local::program;
use crate::output::Report;

/// A component that nobody called for this long is unloaded.
const IDLE: Duration = Duration::from_secs(300);
/// Calls of one tenant that may wait for a slot.
const QUEUE_MAX: usize = 256;

/// Serves until SIGINT or SIGTERM.
pub(super) fn run(up: &Up, context: &Context, home: Home) -> Result<(), Failure> {
    telemetry(context);
    if let Err(error) = Descriptors::raise() {
        tracing::warn!(%error, "the limit of open files stays as it is");
    }
    let _lock = home.lock_host()?;
    let host = Host::open(options(up, home.clone())?)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .thread_name("soma-edge")
        .enable_all()
        .build()
        .map_err(|e| Failure::new(Code::HostFailure, format!("no threads: {e}")))?;
    let ended = runtime.block_on(serve(up, context, &home, &host));
    // Connections that stay open do not keep the process.
    runtime.shutdown_timeout(Duration::from_secs(2));
    // What is not there any more cannot be called.
    let _ = std::fs::remove_file(home.layout().address());
    drop(host);
    ended
}

fn options(up: &Up, home: Home) -> Result<HostOptions, Failure> {
    Ok(HostOptions {
        server: home.server()?,
        home,
        clock: Arc::new(SystemClock::new()),
        compiler: (program()?, "compile-child".to_owned()),
        calls_max: up.calls,
        queue_max: QUEUE_MAX,
        idle: IDLE,
        journal: up.journal.clone(),
        head: up.journal_head.clone(),
        own: vec![up.listen.ip()],
        guest_threads: threads(),
        development: development(up.dev)?,
        loopback: up.allow_loopback.clone(),
    })
}

/// Threads that run guests: as many as the machine computes with at one time.
fn threads() -> usize {
    std::thread::available_parallelism().map_or(2, std::num::NonZero::get)
}

async fn serve(up: &Up, context: &Context, home: &Home, host: &Arc<Host>) -> Result<(), Failure> {
    let listener = TcpListener::bind(up.listen).await.map_err(|e| {
        Failure::new(Code::AddressInUse, format!("cannot listen at {}: {e}", up.listen))
            .fix("choose another address with --listen, or port 0 for a free one")
    })?;
    let failed = |e: std::io::Error| Failure::new(Code::HostFailure, e.to_string());
    let address = listener.local_addr().map_err(failed)?;
    let url = format!("http://{address}");
    let note = json!({ "url": url, "pid": std::process::id() });
    write_private(&home.layout().address(), note.to_string().as_bytes())?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
    ready(context, home, host, &url)?;
    let stop = async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    };
    crate::edge::serve(Arc::clone(host), listener, stop).await?;
    context.out.note("ended");
    Ok(())
}

fn ready(context: &Context, home: &Home, host: &Host, url: &str) -> Result<(), Failure> {
    let snapshot = host.snapshot();
    let wrong = problems(&snapshot);
    for problem in &wrong {
        context.out.warn(problem);
    }
    let running = snapshot.entries().filter(|entry| entry.running.is_some()).count();
    let next = first::next(home, &snapshot);
    let text = format!("ready {url} · {running} installations · next: {next}");
    let value = json!({ "url": url, "installations": running, "problems": wrong, "next": next });
    Ok(context.out.event(&Report::new("soma.up.v1", value, text))?)
}

/// What the host says of itself goes to standard error, as JSON unless a person reads it.
fn telemetry(context: &Context) {
    use std::io::IsTerminal;
    use tracing_subscriber::EnvFilter;
    let level = if context.out.verbose { "info" } else { "warn" };
    let filter = EnvFilter::try_from_env("SOMA_LOG").unwrap_or_else(|_| EnvFilter::new(level));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // A second start in one process (tests) keeps the first one's.
    let _ = if std::io::stderr().is_terminal() {
        builder.try_init()
    } else {
        builder.json().try_init()
    };
}
