//! One client connection: HTTP/1.1 with every bound set, and no upgrade.

use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};

use super::Gateway;

/// The longest a head may take, and a connection may idle.
const HEAD: Duration = Duration::from_secs(15);
/// Bytes of a head, and fields in it.
const HEAD_BYTES_MAX: usize = 32 * 1024;
const FIELDS_MAX: usize = 100;
/// Bytes that are buffered for a connection, each way.
const BUFFER_BYTES_MAX: usize = 64 * 1024;

/// Serves one connection until it ends or the gateway stops.
pub(super) async fn serve<S>(stream: S, client: IpAddr, gateway: Arc<Gateway>)
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let stopping = gateway.stopping.clone();
    let service = service_fn(move |request: hyper::Request<Incoming>| {
        let gateway = Arc::clone(&gateway);
        async move { Ok::<_, Infallible>(gateway.answer(request, client).await) }
    });
    let connection = builder().serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    tokio::select! {
        _ = &mut connection => return,
        () = stopping.cancelled() => connection.as_mut().graceful_shutdown(),
    }
    // A client that breaks off is not our error.
    let _ = connection.await;
}

fn builder() -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .max_header_size(HEAD_BYTES_MAX)
        .max_headers(FIELDS_MAX)
        .max_buf_size(BUFFER_BYTES_MAX);
    builder
}
