//! The gateway: one address in front of a server and its hosts. Calls, their records and the host names of
//! served capsules go to a host, everything else to the server.
//!
//! It holds no state, no database and no key, and it judges no token: whoever is behind it does. It forwards to the
//! addresses that it was started with and to nothing that a request names; fields pass by allow-list, nothing is
//! upgraded. Deliberately absent: TLS (which ends in front of it), retries of what may have had an effect.

mod answer;
mod connection;
mod fields;
mod forward;
mod route;
mod status;
mod upstream;

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use http_body_util::Limited;
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use soma_host::edge::AppDomains;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub(crate) use self::route::Kept;
pub(crate) use self::upstream::{Upstream, UpstreamError};

use self::status::Figures;

/// Connections at one time; more wait in the system's queue.
const CONNECTIONS_MAX: usize = 4096;
/// How long connections may take to end once the gateway stops.
const FAREWELL: Duration = Duration::from_secs(10);
/// How long a connection to an upstream may take to be made.
const CONNECT: Duration = Duration::from_secs(3);
/// How long a connection is kept for the next request: less than what upstreams keep an idle one.
const KEEP: Duration = Duration::from_secs(5);

/// What a request's body becomes on its way: the same, up to a bound.
type Upload = Limited<Incoming>;

/// How a gateway is set up.
#[derive(Debug)]
pub(crate) struct Plan {
    /// The control plane.
    pub(crate) server: Upstream,
    /// Hosts that run capsules; at least one.
    pub(crate) hosts: Vec<Upstream>,
    /// Domains under which capsules are served, beside `localhost`.
    pub(crate) domains: Vec<String>,
    /// Who keeps installations and kill orders.
    pub(crate) kept: Kept,
}

/// An open gateway.
pub(crate) struct Gateway {
    server: Upstream,
    hosts: Vec<Upstream>,
    domains: AppDomains,
    kept: Kept,
    turn: AtomicUsize,
    client: Client<HttpConnector, Upload>,
    probe: Client<HttpConnector, http_body_util::Empty<bytes::Bytes>>,
    stopping: CancellationToken,
    figures: Figures,
}

impl Gateway {
    pub(crate) fn new(plan: Plan) -> Self {
        Self {
            server: plan.server,
            hosts: plan.hosts,
            domains: AppDomains::new(plan.domains),
            kept: plan.kept,
            turn: AtomicUsize::new(0),
            client: client().build(connector()),
            probe: client().build(connector()),
            stopping: CancellationToken::new(),
            figures: Figures::new(),
        }
    }

    /// Serves until `stop` is ready: readiness goes first, then connections end.
    pub(crate) async fn serve(self, listener: TcpListener, stop: impl Future<Output = ()> + Send) {
        let (gateway, tasks) = (Arc::new(self), TaskTracker::new());
        let room = Arc::new(tokio::sync::Semaphore::new(CONNECTIONS_MAX));
        tokio::pin!(stop);
        loop {
            let Ok(place) = room.clone().acquire_owned().await else { break };
            let accepted = tokio::select! {
                () = &mut stop => break,
                accepted = listener.accept() => accepted,
            };
            let Ok((stream, peer)) = accepted else {
                // Out of descriptors: connections that end make room again.
                tokio::time::sleep(Duration::from_millis(20)).await;
                continue;
            };
            // Events of a stream must not wait for more to say.
            let _ = stream.set_nodelay(true);
            let gateway = Arc::clone(&gateway);
            tasks.spawn(async move {
                connection::serve(stream, peer.ip(), gateway).await;
                drop(place);
            });
        }
        gateway.stopping.cancel();
        tasks.close();
        // Whoever does not end in time is cut by the process's own end.
        let _ = tokio::time::timeout(FAREWELL, tasks.wait()).await;
    }
}

fn connector() -> HttpConnector {
    let mut connector = HttpConnector::new();
    connector.set_connect_timeout(Some(CONNECT));
    connector.set_nodelay(true);
    connector
}

fn client() -> hyper_util::client::legacy::Builder {
    let mut builder = Client::builder(TokioExecutor::new());
    // The name that the client sent is forwarded, or the upstream's own: never one that is made up here.
    builder.set_host(false).pool_timer(TokioTimer::new()).pool_idle_timeout(KEEP);
    builder
}

#[cfg(test)]
mod tests;
