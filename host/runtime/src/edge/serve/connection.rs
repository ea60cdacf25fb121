//! One client connection: bounds on heads and times, and the fork between served capsules and the host's own interface.
//!
//! hyper's HTTP/1 is used directly; nothing stands between a request of a capsule and its call. Which connection belongs
//! to whom, TLS, and the listener are the edge's.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::Service;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::sync::CancellationToken;
use tower::Service as _;

use super::Apps;
use super::answer::Answer;
use super::name::Site;

/// The longest a head may take, and a connection may idle.
const HEAD: Duration = Duration::from_secs(15);
/// Bytes of a head.
const HEAD_BYTES_MAX: usize = 32 * 1024;
/// Bytes that hyper buffers for a connection, each way.
const BUFFER_BYTES_MAX: usize = 64 * 1024;
/// How long a connection may go on after the host began to stop.
const FAREWELL: Duration = Duration::from_secs(10);

/// Serves one connection until it ends or the host stops.
pub(crate) async fn serve<S>(stream: S, apps: Arc<Apps>, api: axum::Router, stop: CancellationToken)
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let service = Fork { apps, api };
    let connection = bounded(HEAD).serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    let ended = tokio::select! {
        ended = &mut connection => ended,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            match tokio::time::timeout(FAREWELL, connection).await {
                Ok(ended) => ended,
                Err(_) => return,
            }
        }
    };
    if let Err(error) = ended {
        // Clients come and go, and cut responses end here too: nothing to act on.
        tracing::trace!(%error, "connection ended");
    }
}

/// HTTP/1 with every bound set.
fn bounded(head: Duration) -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(head)
        .max_header_size(HEAD_BYTES_MAX)
        .max_buf_size(BUFFER_BYTES_MAX);
    builder
}

/// Sends each request to the side that its host name says.
struct Fork {
    apps: Arc<Apps>,
    api: axum::Router,
}

type Reply = Pin<Box<dyn Future<Output = Result<Response<Answer>, Infallible>> + Send>>;

impl Service<Request<Incoming>> for Fork {
    type Response = Response<Answer>;
    type Error = Infallible;
    type Future = Reply;

    fn call(&self, request: Request<Incoming>) -> Reply {
        match self.apps.site(&request) {
            Ok(Site::Api) => {
                let mut api = self.api.clone();
                Box::pin(async move {
                    let response = api.call(request.map(axum::body::Body::new)).await?;
                    Ok(response.map(Answer::Api))
                })
            }
            Ok(Site::App(key)) => {
                let apps = Arc::clone(&self.apps);
                Box::pin(async move { Ok(apps.answer(key, request).await) })
            }
            Err(error) => Box::pin(std::future::ready(Ok(super::misnamed(error)))),
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http_body_util::Full;
    use hyper::service::service_fn;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    /// What a client gets that sends `bytes` and then nothing.
    async fn said(bytes: &[u8], head: Duration) -> String {
        let (mut client, server) = tokio::io::duplex(1024 * 1024);
        let service = service_fn(|_: Request<Incoming>| async {
            Ok::<_, Infallible>(Response::new(Full::new(Bytes::from_static(b"served"))))
        });
        let serving = tokio::spawn(bounded(head).serve_connection(TokioIo::new(server), service));
        // The server may have hung up before all of it was sent.
        let _ = client.write_all(bytes).await;
        let mut text = Vec::new();
        let _ = client.read_to_end(&mut text).await;
        let _ = serving.await;
        String::from_utf8_lossy(&text).into_owned()
    }

    #[tokio::test]
    async fn heads_beyond_the_bounds_are_answered_and_not_served() {
        let soon = Duration::from_millis(200);
        let many: String = (0..200).map(|n| format!("x-{n}: 1\r\n")).collect();
        let long = format!("x-a: {}\r\n", "a".repeat(HEAD_BYTES_MAX));
        for fields in [many, long] {
            let head = format!("GET / HTTP/1.1\r\nhost: a\r\n{fields}\r\n");
            let answer = said(head.as_bytes(), soon).await;
            assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
            assert!(!answer.contains("served"));
        }
    }

    #[tokio::test]
    async fn a_head_that_is_never_finished_is_given_up() {
        let answer =
            said(b"GET / HTTP/1.1\r\nhost: a\r\nx-slow: ", Duration::from_millis(50)).await;
        assert!(!answer.contains("served"), "{answer}");
    }

    #[tokio::test]
    async fn requests_that_two_readers_read_differently_are_refused() {
        for head in [
            "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab",
            "GET / HTTP/1.1\r\nhost: a\r\n folded: 1\r\n\r\n",
            "GET / HTTP/1.1\r\nhost : a\r\n\r\n",
            "GET  / HTTP/1.1\r\nhost: a\r\n\r\n",
            "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: identity, x\r\n\r\n",
        ] {
            let answer = said(head.as_bytes(), Duration::from_millis(200)).await;
            assert!(answer.starts_with("HTTP/1.1 400 "), "{head}: {answer}");
        }
    }
}
