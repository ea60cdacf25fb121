//! A real HTTPS server on a free port of loopback. It remembers what reached it, so that a test can
//! say that something never did. It stops when it is dropped.

use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::header::HeaderMap;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

use crate::Authority;

/// What a handler answers with: any body, one that breaks off too.
pub type Answer = Response<UnsyncBoxBody<Bytes, std::io::Error>>;
type Handler = Arc<dyn Fn(Seen) -> Pin<Box<dyn Future<Output = Answer> + Send>> + Send + Sync>;

/// A request as it reached the server.
#[derive(Debug, Clone)]
pub struct Seen {
    /// The method.
    pub method: String,
    /// Path and query.
    pub target: String,
    /// The headers.
    pub headers: HeaderMap,
    /// The body; empty if it broke off or was larger than 8 MiB.
    pub body: Bytes,
}

impl Seen {
    /// A header as text, empty if it is not there.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// The path without its query.
    #[must_use]
    pub fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }

    /// A query parameter, undecoded.
    #[must_use]
    pub fn query(&self, name: &str) -> Option<&str> {
        let (_, query) = self.target.split_once('?')?;
        query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
    }
}

/// A running server.
pub struct TestServer {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
    accepting: JoinHandle<()>,
}

impl TestServer {
    /// Starts a server that answers to `names` with `handler`.
    ///
    /// # Errors
    /// If no port is free or a name is no host name.
    pub async fn start<F, A>(
        authority: &Authority,
        names: &[&str],
        handler: F,
    ) -> anyhow::Result<Self>
    where
        F: Fn(Seen) -> A + Send + Sync + 'static,
        A: Future<Output = Answer> + Send + 'static,
    {
        let acceptor = TlsAcceptor::from(authority.server(names)?);
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let seen = Arc::new(Mutex::new(Vec::new()));
        let handler: Handler = Arc::new(move |request| Box::pin(handler(request)));
        let accepting = tokio::spawn(accept(listener, acceptor, handler, Arc::clone(&seen)));
        Ok(Self { address, seen, accepting })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Every request so far, oldest first.
    #[must_use]
    pub fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(
    listener: TcpListener,
    acceptor: TlsAcceptor,
    handler: Handler,
    seen: Arc<Mutex<Vec<Seen>>>,
) {
    // Dropped with the task: no connection outlives its server.
    let mut connections = tokio::task::JoinSet::new();
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        let (acceptor, handler, seen) = (acceptor.clone(), Arc::clone(&handler), Arc::clone(&seen));
        connections.spawn(async move {
            // A client that refuses our certificate ends here.
            let Ok(stream) = acceptor.accept(stream).await else { return };
            let service =
                service_fn(move |request| answer(request, Arc::clone(&handler), Arc::clone(&seen)));
            let served = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .await;
            // Clients of these tests break off on purpose.
            drop(served);
        });
    }
}

async fn answer(
    request: Request<Incoming>,
    handler: Handler,
    seen: Arc<Mutex<Vec<Seen>>>,
) -> Result<Answer, Infallible> {
    const BODY_MAX: usize = 8 << 20;
    let (head, body) = request.into_parts();
    let target = head.uri.path_and_query().map_or("/", |target| target.as_str()).to_owned();
    // The head is noted before the body has come: a body may never end.
    let mut request =
        Seen { method: head.method.to_string(), target, headers: head.headers, body: Bytes::new() };
    let place = {
        let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.push(request.clone());
        seen.len() - 1
    };
    if let Ok(whole) = Limited::new(body, BODY_MAX).collect().await {
        request.body = whole.to_bytes();
        if let Some(noted) = seen.lock().unwrap_or_else(PoisonError::into_inner).get_mut(place) {
            noted.body = request.body.clone();
        }
    }
    Ok(handler(request).await)
}

/// An answer whose body is at hand.
#[must_use]
pub fn whole(status: u16, headers: &[(&str, &str)], body: impl Into<Bytes>) -> Answer {
    with_body(
        status,
        headers,
        Full::new(body.into()).map_err(|never| match never {}).boxed_unsync(),
    )
}

/// An answer with any body.
#[must_use]
pub fn with_body(
    status: u16,
    headers: &[(&str, &str)],
    body: UnsyncBoxBody<Bytes, std::io::Error>,
) -> Answer {
    let mut builder = Response::builder().status(status);
    for (name, value) in headers {
        builder = builder.header(*name, *value);
    }
    builder.body(body).unwrap_or_else(|_| Response::new(UnsyncBoxBody::default()))
}
