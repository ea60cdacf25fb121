//! What a call used, for people: `ok 41 ms · cpu 12/200 ms · mem 3.1/64 MiB · http 1 × 18 KiB`.

use soma_host::CallReply;
use soma_policy::{Limits, Money, Usage};

/// From this share of a limit on, the author is warned.
const WARN_PERCENT: u64 = 70;

/// One measured thing and its limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Gauge {
    pub(crate) name: &'static str,
    pub(crate) used: u64,
    pub(crate) limit: u64,
    unit: Unit,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unit {
    Microseconds,
    Bytes,
}

/// All gauges of a call.
pub(crate) fn gauges(usage: &Usage, limits: &Limits) -> Vec<Gauge> {
    let gauge = |name, used, limit, unit| Gauge { name, used, limit, unit };
    vec![
        gauge("cpu", usage.cpu_us, limits.cpu.0.saturating_mul(1000), Unit::Microseconds),
        gauge("wall", usage.wall_us, limits.wall.0.saturating_mul(1000), Unit::Microseconds),
        gauge("mem", usage.memory_peak, limits.memory.0, Unit::Bytes),
        gauge("hostcall", usage.hostcall, limits.hostcall.0, Unit::Bytes),
        gauge("input", usage.input, limits.input.0, Unit::Bytes),
        gauge("output", usage.output, limits.output.0, Unit::Bytes),
        gauge("log", usage.log, limits.log.0, Unit::Bytes),
    ]
}

impl Gauge {
    /// How full it is, in percent.
    pub(crate) fn percent(&self) -> u64 {
        self.used.saturating_mul(100).checked_div(self.limit).unwrap_or_default()
    }

    /// Whether the author should know.
    pub(crate) fn is_high(&self) -> bool {
        self.percent() >= WARN_PERCENT
    }

    /// `cpu 12/200 ms`.
    pub(crate) fn text(&self) -> String {
        let Self { name, used, limit, unit } = *self;
        match unit {
            Unit::Microseconds => {
                format!("{name} {}/{} ms", tenths(used, 1000), tenths(limit, 1000))
            }
            Unit::Bytes if limit >= 1 << 20 => {
                format!("{name} {}/{} MiB", tenths(used, 1 << 20), tenths(limit, 1 << 20))
            }
            Unit::Bytes => {
                format!("{name} {}/{} KiB", tenths(used, 1 << 10), tenths(limit, 1 << 10))
            }
        }
    }
}

/// A quotient with one decimal where it says something.
fn tenths(value: u64, unit: u64) -> String {
    let tenths = value.saturating_mul(10).checked_div(unit).unwrap_or_default();
    match (tenths / 10, tenths % 10) {
        (0, 0) if value > 0 => "<0.1".to_owned(),
        (whole, 0) => whole.to_string(),
        (whole, _) if whole >= 10 => whole.to_string(),
        (whole, rest) => format!("{whole}.{rest}"),
    }
}

/// The line of `capsule run`.
pub(crate) fn line(reply: &CallReply, limits: &Limits, price: Option<Money>) -> String {
    let usage = &reply.usage;
    let mut parts = vec![format!("{} {} ms", reply.outcome, tenths(usage.wall_us, 1000))];
    let shown = ["cpu", "mem"];
    let all = gauges(usage, limits);
    parts.extend(all.iter().filter(|g| shown.contains(&g.name) || g.is_high()).map(Gauge::text));
    if usage.http_requests > 0 {
        let bytes = usage.http_sent.saturating_add(usage.http_received);
        parts.push(format!(
            "http {} × {} KiB",
            usage.http_requests,
            tenths(bytes / usage.http_requests.max(1), 1 << 10)
        ));
    }
    if let Some(price) = price {
        parts.push(price.to_string());
    }
    parts.join(" · ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gauge(used: u64, limit: u64, unit: Unit) -> Gauge {
        Gauge { name: "x", used, limit, unit }
    }

    #[test]
    fn amounts_are_shown_in_the_unit_of_their_limit() {
        assert_eq!(gauge(12_000, 200_000, Unit::Microseconds).text(), "x 12/200 ms");
        assert_eq!(gauge(3_250_586, 64 << 20, Unit::Bytes).text(), "x 3.1/64 MiB");
        assert_eq!(gauge(10, 64 << 10, Unit::Bytes).text(), "x <0.1/64 KiB");
        assert_eq!(gauge(0, 64 << 10, Unit::Bytes).text(), "x 0/64 KiB");
    }

    #[test]
    fn seventy_percent_is_high_and_no_limit_never_is() {
        assert!(!gauge(69, 100, Unit::Bytes).is_high());
        assert!(gauge(70, 100, Unit::Bytes).is_high());
        assert!(!gauge(70, 0, Unit::Bytes).is_high());
    }
}
