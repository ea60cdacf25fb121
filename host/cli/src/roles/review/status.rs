//! How a review host is, for whoever watches over it: `/health`, `/ready`, `/version`, `/metrics`, and nothing else.
//!
//! It takes no work here and says nothing of submissions: those come and go by its server alone.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use serde_json::json;
use soma_host::clock::Clock;
use soma_host::review::Progress;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

/// Connections at one time.
const CONNECTIONS_MAX: usize = 64;
/// The longest a head may take.
const HEAD: Duration = Duration::from_secs(10);
const HEAD_BYTES_MAX: usize = 16 * 1024;
/// After an error of the listener.
const PAUSE: Duration = Duration::from_millis(20);

/// What is told.
#[derive(Clone)]
pub(super) struct Status {
    pub(super) progress: Arc<Progress>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) stop: CancellationToken,
}

/// Answers until it is to stop.
pub(super) async fn serve(listener: TcpListener, status: Status) {
    let room = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let Ok(place) = Arc::clone(&room).acquire_owned().await else { return };
        let accepted = tokio::select! {
            () = status.stop.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        let Ok((stream, _)) = accepted else {
            tokio::time::sleep(PAUSE).await;
            continue;
        };
        let status = status.clone();
        tokio::spawn(async move {
            connection(stream, status).await;
            drop(place);
        });
    }
}

async fn connection(stream: TcpStream, status: Status) {
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(HEAD).max_buf_size(HEAD_BYTES_MAX);
    builder.keep_alive(false);
    let service = service_fn(|request: Request<Incoming>| {
        let answer = status.answer(request.method(), request.uri().path());
        async move { Ok::<_, Infallible>(answer) }
    });
    // A client that breaks off is not our error.
    let _ = builder.serve_connection(TokioIo::new(stream), service).await;
}

impl Status {
    fn answer(&self, method: &Method, path: &str) -> Response<Full<Bytes>> {
        if !matches!(path, "/health" | "/ready" | "/version" | "/metrics") {
            return document(StatusCode::NOT_FOUND, &json!({ "error": "no such route" }));
        }
        if !matches!(*method, Method::GET | Method::HEAD) {
            return document(StatusCode::METHOD_NOT_ALLOWED, &json!({ "error": "it is a GET" }));
        }
        match path {
            "/health" => document(StatusCode::OK, &json!({ "status": "alive" })),
            "/version" => {
                let version = json!({ "version": env!("CARGO_PKG_VERSION"), "role": "review" });
                document(StatusCode::OK, &version)
            }
            "/metrics" => {
                let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
                text(StatusCode::OK, kind, self.figures())
            }
            _ => self.ready(),
        }
    }

    fn ready(&self) -> Response<Full<Bytes>> {
        let (stopping, heard) =
            (self.stop.is_cancelled(), self.progress.is_ready(self.clock.monotonic()));
        let ready = heard && !stopping;
        let server = if heard { "ready" } else { "not heard of" };
        let body = json!({ "ready": ready, "stopping": stopping, "server": { "state": server } });
        let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
        document(status, &body)
    }

    fn figures(&self) -> String {
        let (watched, failed) = self.progress.counts();
        format!(
            "# HELP soma_review_watched Submissions that were watched\n# TYPE soma_review_watched counter\n\
             soma_review_watched_total {watched}\n\
             # HELP soma_review_failed Tries that came to nothing\n# TYPE soma_review_failed counter\n\
             soma_review_failed_total {failed}\n# EOF\n"
        )
    }
}

fn document(status: StatusCode, value: &serde_json::Value) -> Response<Full<Bytes>> {
    text(status, "application/json", value.to_string())
}

fn text(status: StatusCode, kind: &'static str, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    let fields = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_TYPE, kind),
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ] {
        fields.insert(name, HeaderValue::from_static(value));
    }
    response
}

#[cfg(test)]
mod tests {
    use soma_host::clock::SystemClock;

    use super::*;

    #[tokio::test]
    async fn it_says_how_it_is_and_is_ready_once_its_server_was_heard_of() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let (progress, stop) = (Arc::new(Progress::default()), CancellationToken::new());
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let status = Status {
            progress: Arc::clone(&progress),
            clock: Arc::clone(&clock),
            stop: stop.clone(),
        };
        let served = tokio::spawn(serve(listener, status));
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let ask = async |path: &str| {
            let answer = client.get(format!("{base}{path}")).send().await.unwrap();
            (answer.status().as_u16(), answer.text().await.unwrap())
        };
        assert_eq!(ask("/health").await.0, 200);
        assert!(ask("/version").await.1.contains("\"role\":\"review\""));
        assert_eq!(ask("/ready").await.0, 503);
        progress.heard(clock.monotonic());
        progress.watched();
        assert_eq!(ask("/ready").await.0, 200);
        let figures = ask("/metrics").await.1;
        assert!(figures.contains("soma_review_watched_total 1\n"), "{figures}");
        assert_eq!(ask("/v1/orgs").await.0, 404);
        let post = client.post(format!("{base}/health")).send().await.unwrap();
        assert_eq!(post.status().as_u16(), 405);
        stop.cancel();
        served.await.unwrap();
    }
}
