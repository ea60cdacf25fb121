//! The roles of the program, each of which may run alone or beside the others: the control plane, a host of
//! capsules, the gateway in front of both.
//!
//! This is the composition root: the only place that sees server and host. They are given addresses of each other
//! and nothing else, in one process as on many machines.

pub(crate) mod arrivals;
pub(crate) mod first;
pub(crate) mod founding;
pub(crate) mod gateway;
pub(crate) mod host;
mod joining;
pub(crate) mod review;
pub(crate) mod server;
pub(crate) mod together;

use std::net::SocketAddr;
use std::time::Duration;

use soma_policy::Code;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::context::Context;
use crate::failure::Failure;

/// How long threads may take to end when everything has been said.
pub(crate) const LAST: Duration = Duration::from_secs(2);

/// Threads of a role's own.
pub(crate) fn threads(name: &str, count: Option<usize>) -> Result<Runtime, Failure> {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.thread_name(name).enable_all();
    if let Some(count) = count {
        builder.worker_threads(count);
    }
    builder.build().map_err(|e| Failure::new(Code::HostFailure, format!("no threads: {e}")))
}

/// Cancelled by SIGINT or SIGTERM. Has to be called on a runtime.
pub(crate) fn asked_to_end() -> Result<CancellationToken, Failure> {
    let failed = |e: std::io::Error| Failure::new(Code::HostFailure, e.to_string());
    let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
    let token = CancellationToken::new();
    let asked = token.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        asked.cancel();
    });
    Ok(token)
}

/// Listens, or says how to listen elsewhere.
pub(crate) async fn listen(at: SocketAddr) -> Result<(TcpListener, SocketAddr), Failure> {
    let refused = |e: std::io::Error| {
        Failure::new(Code::AddressInUse, format!("cannot listen at {at}: {e}"))
            .fix("choose another address with --listen, or port 0 for a free one")
    };
    let listener = TcpListener::bind(at).await.map_err(refused)?;
    let address = listener.local_addr().map_err(refused)?;
    Ok((listener, address))
}

/// What a role says of itself goes to standard error, as JSON unless a person reads it.
pub(crate) fn telemetry(context: &Context) {
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
