//! Figures of the host for Prometheus. Labels are closed sets: no tenant, no capsule, no user text.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};
use soma_policy::{Denial, Outcome, Usage};

use crate::host::Host;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Ended {
    outcome: &'static str,
    limit: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Refused {
    code: &'static str,
}

/// All figures.
pub(crate) struct Metrics {
    registry: Registry,
    calls: Family<Ended, Counter>,
    denials: Family<Refused, Counter>,
    wall: Histogram,
    cpu: Histogram,
    running: Gauge,
    installations: Gauge,
    orders: Gauge,
    journal: Gauge,
}

/// Upper bounds of the histograms, in seconds.
const SECONDS: [f64; 10] = [0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 30.0];

impl Metrics {
    pub(crate) fn new() -> Self {
        let mut registry = Registry::with_prefix("soma");
        let made = Self {
            calls: Family::default(),
            denials: Family::default(),
            wall: Histogram::new(SECONDS),
            cpu: Histogram::new(SECONDS),
            running: Gauge::default(),
            installations: Gauge::default(),
            orders: Gauge::default(),
            journal: Gauge::default(),
            registry: Registry::default(),
        };
        registry.register("calls", "Calls that ended, by outcome", made.calls.clone());
        registry.register("denials", "What was refused, by code", made.denials.clone());
        let unit = Unit::Seconds;
        registry.register_with_unit("call_wall", "Time of calls", unit.clone(), made.wall.clone());
        registry.register_with_unit("call_cpu", "CPU time of calls", unit, made.cpu.clone());
        registry.register("calls_running", "Guests running now", made.running.clone());
        registry.register("installations", "Installations that run", made.installations.clone());
        registry.register("kill_orders_standing", "Orders that stand", made.orders.clone());
        registry.register("journal_durable", "Last durable journal line", made.journal.clone());
        Self { registry, ..made }
    }

    /// Counts a call that ended.
    pub(crate) fn ended(&self, outcome: Outcome, usage: &Usage, denials: &[Denial]) {
        let limit = match outcome {
            Outcome::Limit(kind) => kind.as_str(),
            _ => "",
        };
        self.calls.get_or_create(&Ended { outcome: outcome.as_str(), limit }).inc();
        for denial in denials {
            self.denials.get_or_create(&Refused { code: denial.code.entry().id }).inc();
        }
        self.wall.observe(seconds(usage.wall_us));
        self.cpu.observe(seconds(usage.cpu_us));
    }

    /// Everything as text.
    pub(crate) fn text(&self, host: &Host) -> String {
        self.running.set(i64::from(host.admission().running()));
        let running = host.snapshot().entries().filter(|entry| entry.running.is_some()).count();
        self.installations.set(i64::try_from(running).unwrap_or(i64::MAX));
        self.orders.set(i64::try_from(host.kills().set().len()).unwrap_or(i64::MAX));
        let durable = *host.journal().durable().borrow();
        self.journal.set(i64::try_from(durable).unwrap_or(i64::MAX));
        let mut text = String::new();
        // Writing into a string cannot fail.
        let _ = encode(&mut text, &self.registry);
        text
    }
}

#[expect(clippy::cast_precision_loss, reason = "a histogram's bucket does not need the last bit")]
fn seconds(micros: u64) -> f64 {
    micros as f64 / 1e6
}
