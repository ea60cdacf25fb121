//! The listener: bounded connections, bounded heads, and an orderly end.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use http::Request;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt as _;

use super::guard::Peer;
use super::routes;
use crate::server::Server;

/// Connections at one time; more wait in the system's queue.
const CONNECTIONS_MAX: usize = 4096;
/// How long connections may take to end once the server stops.
const FAREWELL: Duration = Duration::from_secs(10);
/// How long the head of a request may take.
const HEAD: Duration = Duration::from_secs(15);
/// Bytes of a request's head, and fields in it.
const HEAD_BYTES_MAX: usize = 64 * 1024;
const FIELDS_MAX: usize = 100;

impl Server {
    /// Serves until `stop` is ready: readiness goes first, then connections end, then chores.
    ///
    /// # Errors
    /// Never at present: a listener that fails is tried again.
    pub async fn serve(
        self,
        listener: TcpListener,
        stop: impl Future<Output = ()> + Send,
    ) -> std::io::Result<()> {
        let router = routes::router(self.clone());
        let (ending, tasks) = (CancellationToken::new(), TaskTracker::new());
        let chores = tokio::spawn(self.clone().chores());
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
            let _ = stream.set_nodelay(true);
            let (router, ending) = (router.clone(), ending.clone());
            tasks.spawn(async move {
                connection(stream, peer, router, ending).await;
                drop(place);
            });
        }
        self.stopping.cancel();
        ending.cancel();
        tasks.close();
        // Whoever does not end in time is cut by the process's own end.
        let _ = tokio::time::timeout(FAREWELL, tasks.wait()).await;
        let _ = chores.await;
        self.store.close().await;
        Ok(())
    }
}

async fn connection(
    stream: TcpStream,
    peer: SocketAddr,
    router: Router,
    ending: CancellationToken,
) {
    let service = service_fn(move |request: Request<Incoming>| {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(Peer(peer.ip()));
        router.clone().oneshot(request)
    });
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .max_buf_size(HEAD_BYTES_MAX)
        .max_headers(FIELDS_MAX);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_header_list_size(32 * 1024)
        .max_concurrent_streams(128);
    let serving = builder.serve_connection(TokioIo::new(stream), service);
    tokio::pin!(serving);
    tokio::select! {
        _ = serving.as_mut() => return,
        () = ending.cancelled() => serving.as_mut().graceful_shutdown(),
    }
    // A client that breaks off is not our error.
    let _ = serving.await;
}
