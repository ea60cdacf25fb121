//! Figures for Prometheus. Labels are closed sets: route templates and statuses, no org, no user text.

use std::time::Duration;

use parking_lot::Mutex;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Answered {
    method: String,
    route: String,
    status: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Login {
    outcome: &'static str,
}

/// All figures.
pub(crate) struct Metrics {
    registry: Mutex<Registry>,
    requests: Family<Answered, Counter>,
    logins: Family<Login, Counter>,
    seconds: Histogram,
}

const SECONDS: [f64; 10] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1.0, 5.0];
/// Methods that have a label of their own; a made-up one is `other`.
const METHODS: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];

impl Metrics {
    pub(crate) fn new() -> Self {
        let mut registry = Registry::with_prefix("soma_server");
        let requests = Family::<Answered, Counter>::default();
        let logins = Family::<Login, Counter>::default();
        let seconds = Histogram::new(SECONDS);
        registry.register("requests", "Requests that were answered", requests.clone());
        registry.register("logins", "Attempts to log in, by outcome", logins.clone());
        let help = "Time until the answer";
        registry.register_with_unit("request", help, Unit::Seconds, seconds.clone());
        Self { registry: Mutex::new(registry), requests, logins, seconds }
    }

    pub(crate) fn request(&self, method: &str, route: &str, status: u16, took: Duration) {
        let method = METHODS.into_iter().find(|known| *known == method).unwrap_or("other");
        let (method, route) = (method.to_owned(), route.to_owned());
        self.requests.get_or_create(&Answered { method, route, status }).inc();
        self.seconds.observe(took.as_secs_f64());
    }

    pub(crate) fn login(&self, outcome: &'static str) {
        self.logins.get_or_create(&Login { outcome }).inc();
    }

    /// In the OpenMetrics text format.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        if encode(&mut text, &self.registry.lock()).is_err() {
            text.clear();
        }
        text
    }
}
