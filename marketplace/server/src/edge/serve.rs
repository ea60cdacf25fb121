//! The listener: bounded connections, bounded heads, and an orderly end.
//!
//! A connection costs whoever opens it nothing, so it ends by itself when nothing is under way on it, and one sender has
//! only some of the places. The operator's proxies stand for many senders and are counted together alone.

mod pulse;

use std::net::{IpAddr, SocketAddr};
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

use super::guard::{Peer, network};
use super::routes;
use crate::server::{Place, Places, Server};
use pulse::{Answering, Pulse};

/// How long connections may take to end once the server stops.
const FAREWELL: Duration = Duration::from_secs(10);
/// How long the head of a request may take.
const HEAD: Duration = Duration::from_secs(15);
/// How often a peer over HTTP/2 is asked whether it is there, and how long it may take to say so.
const ASK_EVERY: Duration = Duration::from_secs(20);
const ANSWERS_IN: Duration = Duration::from_secs(10);
/// Bytes of a request's head, and fields in it.
const HEAD_BYTES_MAX: usize = 64 * 1024;
const FIELDS_MAX: usize = 100;

/// What connections may take.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    /// At one time; more wait in the system's queue.
    pub(super) connections: usize,
    /// At one time from one sender; more are closed.
    pub(super) each: usize,
    /// How long a connection may be open with nothing under way on it, from its first moment on.
    pub(super) quiet: Duration,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { connections: 4096, each: 256, quiet: Duration::from_secs(30) }
    }
}

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
        self.serve_within(listener, Bounds::default(), stop).await
    }

    /// The same within these bounds.
    pub(super) async fn serve_within(
        self,
        listener: TcpListener,
        bounds: Bounds,
        stop: impl Future<Output = ()> + Send,
    ) -> std::io::Result<()> {
        let router = routes::router(self.clone());
        let (ending, tasks) = (CancellationToken::new(), TaskTracker::new());
        let chores = tokio::spawn(self.clone().chores());
        let places = Places::new(bounds.connections, bounds.each);
        tokio::pin!(stop);
        loop {
            let accepted = tokio::select! {
                () = &mut stop => break,
                accepted = self.accept(&listener, &places) => accepted,
            };
            let Some((stream, peer, place)) = accepted else { continue };
            let (router, ending) = (router.clone(), ending.clone());
            tasks.spawn(async move {
                connection(stream, peer, router, (ending, bounds.quiet)).await;
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

    /// The next connection that has a place; one from a sender who has enough is closed.
    async fn accept(
        &self,
        listener: &TcpListener,
        places: &Places,
    ) -> Option<(TcpStream, IpAddr, Place)> {
        let one = places.next().await?;
        let Ok((stream, peer)) = listener.accept().await else {
            // Out of descriptors: connections that end make room again.
            tokio::time::sleep(Duration::from_millis(20)).await;
            return None;
        };
        let place = places.hand(one, self.counted(peer))?;
        let _ = stream.set_nodelay(true);
        Some((stream, peer.ip(), place))
    }

    /// Whom a connection is counted for; nobody, if it is one of the operator's proxies.
    fn counted(&self, peer: SocketAddr) -> Option<String> {
        let address = peer.ip().to_canonical();
        let trusted = self.proxies.iter().any(|network| network.holds(address));
        (!trusted).then(|| network(address))
    }
}

async fn connection(
    stream: TcpStream,
    peer: IpAddr,
    router: Router,
    (ending, quiet): (CancellationToken, Duration),
) {
    let pulse = Pulse::new();
    let service = service_fn(|request: Request<Incoming>| {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(Peer(peer));
        let (answered, beat) = (router.clone().oneshot(request), pulse.beat());
        async move {
            let answer = answered.await?;
            let answer = answer.map(|body| Body::new(Answering { body, _beat: beat }));
            Ok::<_, std::convert::Infallible>(answer)
        }
    });
    let builder = builder();
    let serving = builder.serve_connection(TokioIo::new(stream), service);
    tokio::pin!(serving);
    tokio::select! {
        _ = serving.as_mut() => return,
        () = pulse.stops(quiet) => {}
        () = ending.cancelled() => {}
    }
    serving.as_mut().graceful_shutdown();
    // What is under way ends first. A client that breaks off is not our error, and one that stays silent is cut.
    tokio::select! {
        _ = serving => {}
        () = pulse.stops(quiet) => {}
    }
}

fn builder() -> Builder<TokioExecutor> {
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
        .keep_alive_interval(ASK_EVERY)
        .keep_alive_timeout(ANSWERS_IN)
        .max_header_list_size(32 * 1024)
        .max_concurrent_streams(128);
    builder
}
