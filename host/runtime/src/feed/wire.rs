//! HTTP/1.1 to one origin: bounded answers, a time limit, no redirect, no proxy, whatever the environment says.
//!
//! Connections are kept and used again. A request goes out again only when it is certain that nothing of it
//! was sent, and is then made anew, as its proof is used once.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONNECTION, HOST};
use http::{HeaderValue, Request, Response};
use http_body::Body as _;
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use url::Url;

use super::FeedError;
use crate::capability::http::{TrustError, anchored, public};

/// Longest time to a connection.
const CONNECT: Duration = Duration::from_secs(5);
/// Connections that are kept.
const IDLE_MAX: usize = 4;
/// Largest problem that is read.
const PROBLEM_BYTES_MAX: usize = 64 << 10;
/// Longest detail of a problem that is kept.
const DETAIL_CHARS_MAX: usize = 400;
const HEADERS_MAX: usize = 64;
const HEADER_BYTES_MAX: usize = 64 << 10;

type Sender = SendRequest<Full<Bytes>>;

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// The way to one origin.
pub(super) struct Wire {
    host: String,
    port: u16,
    authority: HeaderValue,
    tls: Option<Arc<ClientConfig>>,
    idle: Mutex<Vec<Sender>>,
}

/// How long and how much one answer may be.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    pub(super) within: Duration,
    pub(super) bytes: usize,
}

impl Wire {
    pub(super) fn new(url: &Url, anchor: Option<&[u8]>) -> Result<Self, FeedError> {
        let unfit = || FeedError::Unreachable(format!("`{url}` names no host"));
        let host = url.host_str().ok_or_else(unfit)?.to_owned();
        let port = url.port_or_known_default().ok_or_else(unfit)?;
        let authority = url.port().map_or_else(|| host.clone(), |port| format!("{host}:{port}"));
        let tls = (url.scheme() == "https").then(|| tls(anchor)).transpose();
        Ok(Self {
            authority: HeaderValue::from_str(&authority).map_err(|_| unfit())?,
            tls: tls.map_err(FeedError::system("TLS"))?,
            host: host.trim_matches(['[', ']']).to_owned(),
            port,
            idle: Mutex::default(),
        })
    }

    /// Sends what `make` makes, and reads the whole answer.
    pub(super) async fn send(
        &self,
        make: impl Fn() -> Result<Request<Full<Bytes>>, FeedError>,
        bounds: Bounds,
    ) -> Result<Bytes, FeedError> {
        let exchange = self.exchange(make, bounds.bytes);
        let timed_out = |_| FeedError::TimedOut(bounds.within);
        tokio::time::timeout(bounds.within, exchange).await.map_err(timed_out)?
    }

    async fn exchange(
        &self,
        make: impl Fn() -> Result<Request<Full<Bytes>>, FeedError>,
        bytes_max: usize,
    ) -> Result<Bytes, FeedError> {
        while let Some(mut sender) = self.kept() {
            match sender.try_send_request(self.addressed(make()?)).await {
                Ok(response) => return self.answer(sender, response, bytes_max).await,
                Err(mut error) => {
                    // What was not sent may be sent again: the server had closed the connection.
                    if error.take_message().is_none() {
                        return Err(broken(&error.into_error()));
                    }
                }
            }
        }
        let mut sender = self.connect().await?;
        let response = sender.send_request(self.addressed(make()?)).await;
        let response = response.map_err(|error| broken(&error))?;
        self.answer(sender, response, bytes_max).await
    }

    fn kept(&self) -> Option<Sender> {
        let mut idle = self.idle.lock();
        std::iter::from_fn(|| idle.pop()).find(Sender::is_ready)
    }

    fn addressed(&self, mut request: Request<Full<Bytes>>) -> Request<Full<Bytes>> {
        request.headers_mut().insert(HOST, self.authority.clone());
        request
    }

    async fn answer(
        &self,
        sender: Sender,
        response: Response<Incoming>,
        bytes_max: usize,
    ) -> Result<Bytes, FeedError> {
        let status = response.status();
        let closes = response.headers().get(CONNECTION).is_some_and(|it| it.as_bytes() == b"close");
        let max = if status.is_success() { bytes_max } else { PROBLEM_BYTES_MAX };
        // One that says beforehand that it is too large is not read at all.
        if response.body().size_hint().lower() > max as u64 {
            return Err(FeedError::TooLarge(max));
        }
        let body = Limited::new(response.into_body(), max).collect().await;
        let body = body.map_err(|error| match error.downcast_ref::<LengthLimitError>() {
            Some(_) => FeedError::TooLarge(max),
            None => FeedError::Unreachable(error.to_string()),
        });
        let body = body?.to_bytes();
        if !closes {
            self.keep(sender);
        }
        if status.is_success() { Ok(body) } else { Err(refused(status.as_u16(), &body)) }
    }

    fn keep(&self, sender: Sender) {
        let mut idle = self.idle.lock();
        if idle.len() < IDLE_MAX {
            idle.push(sender);
        }
    }

    async fn connect(&self) -> Result<Sender, FeedError> {
        let opened = tokio::time::timeout(CONNECT, self.open());
        let stream = opened.await.map_err(|_| FeedError::TimedOut(CONNECT))?;
        let stream = stream.map_err(|error| FeedError::Unreachable(error.to_string()))?;
        let (sender, connection) = http1::Builder::new()
            .max_headers(HEADERS_MAX)
            .max_buf_size(HEADER_BYTES_MAX)
            .handshake(TokioIo::new(stream))
            .await
            .map_err(|error| broken(&error))?;
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection to the server ended");
            }
        });
        Ok(sender)
    }

    async fn open(&self) -> io::Result<Box<dyn Stream>> {
        let stream = TcpStream::connect((self.host.as_str(), self.port)).await?;
        stream.set_nodelay(true)?;
        let Some(config) = &self.tls else { return Ok(Box::new(stream)) };
        let name = ServerName::try_from(self.host.clone())
            .map_err(|_| io::Error::other("no certificate can be for this name"))?;
        let secured = TlsConnector::from(Arc::clone(config)).connect(name, stream).await?;
        Ok(Box::new(secured))
    }
}

fn tls(anchor: Option<&[u8]>) -> Result<Arc<ClientConfig>, TrustError> {
    let mut config = match anchor {
        Some(pem) => anchored(pem)?.as_ref().clone(),
        None => public()?.as_ref().clone(),
    };
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

fn broken(error: &hyper::Error) -> FeedError {
    FeedError::Unreachable(error.to_string())
}

/// A problem as RFC 9457 has it, or whatever else came; a redirect is one too.
fn refused(status: u16, body: &[u8]) -> FeedError {
    let problem: Value = serde_json::from_slice(body).unwrap_or_default();
    let text = |name: &str| {
        let value = problem.get(name).and_then(Value::as_str).unwrap_or_default();
        let plain = value.chars().filter(|c| !c.is_control());
        plain.take(DETAIL_CHARS_MAX).collect::<String>()
    };
    FeedError::Refused { status, code: text("code"), detail: text("detail") }
}
