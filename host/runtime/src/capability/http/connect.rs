//! Opening one connection to one of the checked addresses, and sending one request over it.
//!
//! Nothing is pooled: a connection serves one request and is closed with its response, so no state of a connection is
//! ever shared between calls, let alone between installations. No proxy is asked, whatever the environment says.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use http::{Request, Response, Uri};
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::Instant;
use tokio_rustls::TlsConnector;
use wasmtime_wasi_http::WasiBody;

use super::headers::{FIELD_BYTES_MAX, FIELDS_MAX};

/// Addresses of one answer that are tried.
const ATTEMPTS_MAX: usize = 4;

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// Why no response head arrived.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConnectError {
    #[error("no connection within the time")]
    Timeout,
    #[error("connection refused or unreachable")]
    Unreachable(#[source] io::Error),
    #[error("the name is not one that a certificate can be for")]
    Name,
    #[error("the peer's certificate is not trusted")]
    Certificate(#[source] io::Error),
    #[error("the TLS handshake failed")]
    Tls(#[source] io::Error),
    #[error("no response within the time")]
    FirstByte,
    #[error("the peer broke the protocol")]
    Protocol(#[source] hyper::Error),
}

/// How to reach one origin.
pub(crate) struct Route {
    /// Checked addresses, or the one of the operator's map.
    pub(crate) peers: Vec<SocketAddr>,
    /// The name for SNI and the certificate, and whom to trust; none for plain `http`.
    pub(crate) tls: Option<(String, Arc<ClientConfig>)>,
}

/// An open connection that has not sent anything of the guest's yet.
pub(crate) struct Connection {
    io: Box<dyn Stream>,
    h2: bool,
    pub(crate) peer: SocketAddr,
}

impl Route {
    /// Tries the addresses one after the other until one accepts, all within `within`.
    pub(crate) async fn open(&self, within: Duration) -> Result<Connection, ConnectError> {
        let deadline = Instant::now() + within;
        let mut last = ConnectError::Timeout;
        let tries = self.peers.len().min(ATTEMPTS_MAX);
        for (turn, peer) in self.peers.iter().take(ATTEMPTS_MAX).enumerate() {
            let left = deadline.saturating_duration_since(Instant::now());
            let share = left / u32::try_from(tries - turn).unwrap_or(1);
            match tokio::time::timeout(share, TcpStream::connect(peer)).await {
                Ok(Ok(stream)) => return self.secure(stream, *peer, deadline).await,
                Ok(Err(error)) => last = ConnectError::Unreachable(error),
                Err(_) => last = ConnectError::Timeout,
            }
        }
        Err(last)
    }

    async fn secure(
        &self,
        stream: TcpStream,
        peer: SocketAddr,
        deadline: Instant,
    ) -> Result<Connection, ConnectError> {
        stream.set_nodelay(true).map_err(ConnectError::Unreachable)?;
        let Some((host, config)) = &self.tls else {
            return Ok(Connection { io: Box::new(stream), h2: false, peer });
        };
        let name = ServerName::try_from(host.clone()).map_err(|_| ConnectError::Name)?;
        let handshake = TlsConnector::from(Arc::clone(config)).connect(name, stream);
        let stream = tokio::time::timeout_at(deadline, handshake)
            .await
            .map_err(|_| ConnectError::Timeout)?
            .map_err(tls_error)?;
        let h2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
        Ok(Connection { io: Box::new(stream), h2, peer })
    }
}

fn tls_error(error: io::Error) -> ConnectError {
    let certificate = error
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<rustls::Error>())
        .is_some_and(|inner| matches!(inner, rustls::Error::InvalidCertificate(_)));
    if certificate { ConnectError::Certificate(error) } else { ConnectError::Tls(error) }
}

/// A response head, and what must be polled for its body to go on. Dropping the driver closes the connection.
pub(crate) struct Exchange {
    pub(crate) response: Response<Incoming>,
    pub(crate) driver: BoxFuture<'static, Result<(), hyper::Error>>,
}

impl Connection {
    /// Sends the request and waits for the head of the response.
    pub(crate) async fn send(
        self,
        request: Request<WasiBody>,
        first_byte: Duration,
    ) -> Result<Exchange, ConnectError> {
        let deadline = Instant::now() + first_byte;
        let exchange = async {
            if self.h2 { send_h2(self.io, request).await } else { send_h1(self.io, request).await }
        };
        tokio::time::timeout_at(deadline, exchange)
            .await
            .map_err(|_| ConnectError::FirstByte)?
            .map_err(ConnectError::Protocol)
    }
}

async fn send_h1(
    io: Box<dyn Stream>,
    request: Request<WasiBody>,
) -> Result<Exchange, hyper::Error> {
    let (mut sender, connection) = http1::Builder::new()
        .max_headers(FIELDS_MAX)
        .max_buf_size(FIELD_BYTES_MAX + 16 * 1024)
        .handshake(TokioIo::new(io))
        .await?;
    let (mut parts, body) = request.into_parts();
    parts.version = http::Version::HTTP_11;
    parts.uri = origin_form(&parts.uri);
    let response = sender.send_request(Request::from_parts(parts, body));
    drive(response, Box::pin(connection)).await
}

async fn send_h2(
    io: Box<dyn Stream>,
    request: Request<WasiBody>,
) -> Result<Exchange, hyper::Error> {
    let (mut sender, connection) = http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .max_header_list_size(u32::try_from(FIELD_BYTES_MAX).unwrap_or(u32::MAX))
        .initial_stream_window_size(256 * 1024)
        .initial_connection_window_size(256 * 1024)
        .max_frame_size(16 * 1024)
        .handshake(TokioIo::new(io))
        .await?;
    let (mut parts, body) = request.into_parts();
    parts.version = http::Version::HTTP_2;
    // The name travels as `:authority` here.
    parts.headers.remove(http::header::HOST);
    let response = sender.send_request(Request::from_parts(parts, body));
    let exchange = drive(response, Box::pin(connection)).await?;
    // An h2 connection closes when its last sender is gone: it has to stay as long as the body is read.
    let Exchange { response, driver } = exchange;
    let driver = Box::pin(async move {
        let _sender = sender;
        driver.await
    });
    Ok(Exchange { response, driver })
}

/// Polls the connection until the head of the response is there.
async fn drive(
    response: impl Future<Output = Result<Response<Incoming>, hyper::Error>>,
    mut connection: Pin<Box<dyn Future<Output = Result<(), hyper::Error>> + Send>>,
) -> Result<Exchange, hyper::Error> {
    tokio::pin!(response);
    let early = tokio::select! {
        biased;
        answer = &mut response => Some(answer),
        ended = &mut connection => { ended?; None }
    };
    match early {
        Some(answer) => Ok(Exchange { response: answer?, driver: connection }),
        None => {
            Ok(Exchange { response: response.await?, driver: Box::pin(std::future::ready(Ok(()))) })
        }
    }
}

fn origin_form(uri: &Uri) -> Uri {
    uri.path_and_query().map_or_else(|| Uri::from_static("/"), |target| Uri::from(target.clone()))
}

#[cfg(test)]
#[path = "connect_tests.rs"]
mod tests;
