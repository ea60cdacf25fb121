//! How the gateway is: alive, ready with each upstream's state, which version, which figures.

use std::time::Duration;

use http::{Method, Request, StatusCode, header};
use hyper::body::Incoming;
use prometheus_client::encoding::{EncodeLabelSet, text::encode};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;
use serde_json::{Value, json};
use soma_policy::Code;

use super::answer::{Answer, document, problem, text};
use super::route::Side;
use super::{Gateway, Upstream};

/// How long an upstream may take to say how it is.
const PROBE: Duration = Duration::from_secs(2);

impl Gateway {
    /// A route of the gateway itself.
    pub(super) async fn own(&self, request: &Request<Incoming>) -> Answer {
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            return problem(Code::MethodNotAllowed, "the route has no such method");
        }
        match request.uri().path() {
            "/health" => document(StatusCode::OK, &json!({ "status": "alive" })),
            "/version" => {
                let version = json!({ "version": env!("CARGO_PKG_VERSION"), "role": "gateway" });
                document(StatusCode::OK, &version)
            }
            "/metrics" => {
                let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
                text(StatusCode::OK, kind, self.figures.text())
            }
            _ => self.ready().await,
        }
    }

    async fn ready(&self) -> Answer {
        let hosts = self.hosts.iter().map(|host| self.state(host));
        let (server, hosts) =
            futures::join!(self.state(&self.server), futures::future::join_all(hosts));
        let stopping = self.stopping.is_cancelled();
        // One host is enough to take calls.
        let ready = !stopping && server == READY && hosts.contains(&READY);
        let hosts: Vec<Value> = hosts.into_iter().map(|state| json!({ "state": state })).collect();
        let body = json!({
            "ready": ready,
            "stopping": stopping,
            "server": { "state": server },
            "hosts": hosts,
        });
        let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
        document(status, &body)
    }

    /// What an upstream says of itself, in a word.
    async fn state(&self, upstream: &Upstream) -> &'static str {
        let path = http::uri::PathAndQuery::from_static("/ready");
        let request = upstream.at(Some(&path)).and_then(|uri| {
            let request = Request::get(uri).header(header::HOST, upstream.authority());
            request.body(http_body_util::Empty::new())
        });
        let Ok(request) = request else { return UNREACHABLE };
        match tokio::time::timeout(PROBE, self.probe.request(request)).await {
            Ok(Ok(answer)) if answer.status().is_success() => READY,
            Ok(Ok(_)) => "not ready",
            Ok(Err(_)) => UNREACHABLE,
            Err(_) => "does not answer in time",
        }
    }
}

const READY: &str = "ready";
const UNREACHABLE: &str = "unreachable";

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    side: &'static str,
    status: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct SideLabel {
    side: &'static str,
}

/// What the gateway counts.
pub(super) struct Figures {
    registry: Registry,
    requests: Family<Labels, Counter>,
    seconds: Family<SideLabel, Histogram>,
}

impl Figures {
    pub(super) fn new() -> Self {
        let mut registry = Registry::with_prefix("soma_gateway");
        let requests = Family::default();
        let seconds = Family::new_with_constructor(histogram as fn() -> Histogram);
        registry.register("requests", "Requests by side and status", requests.clone());
        let help = "Time to the head of the answer, by side";
        registry.register("head_seconds", help, seconds.clone());
        Self { registry, requests, seconds }
    }

    pub(super) fn request(&self, side: Side, status: StatusCode, took: Duration) {
        let side = match side {
            Side::Own => "gateway",
            Side::Host => "host",
            Side::App => "app",
            Side::Server => "server",
        };
        self.requests.get_or_create(&Labels { side, status: status.as_u16() }).inc();
        self.seconds.get_or_create(&SideLabel { side }).observe(took.as_secs_f64());
    }

    fn text(&self) -> String {
        let mut text = String::new();
        match encode(&mut text, &self.registry) {
            Ok(()) => text,
            Err(_) => "# EOF\n".to_owned(),
        }
    }
}

fn histogram() -> Histogram {
    Histogram::new(exponential_buckets(0.0005, 4.0, 9))
}
