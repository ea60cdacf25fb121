//! `hostcall.check`: what one host-call decision costs when an installation has 64 grants of each kind.
//!
//! The request is allowed by the last of the 64, so every entry is looked at. Time is the median of many batches;
//! allocations are counted, not estimated. The rows go to `target/bench/parts/` for `make bench` to show.
#![expect(clippy::unwrap_used, reason = "a measurement without its fixture measures nothing")]

use std::hint::black_box;
use std::path::PathBuf;
use std::time::Instant;

use soma_policy::{HostCall, HttpRequest, KvOperation, KvRequest};

#[path = "../tests/hostcall/wide.rs"]
mod wide;

const BATCHES: usize = 201;
const EACH: u32 = 5_000;

fn main() {
    let (policy, call) = wide::call();
    let http = HttpRequest::canonical("https", "h63.example.org", "/repos/acme/web/issues", "GET");
    let http = http.unwrap();
    let kv = KvRequest::new("k63", KvOperation::Set, "p63/key");
    let check_http =
        || wide::decide(&policy, &call, &HostCall::Http(black_box(&http)), call.http(&http).ok());
    let check_kv =
        || wide::decide(&policy, &call, &HostCall::Kv(black_box(&kv)), call.kv(&kv).ok());
    let counted = allocation_counter::measure(|| {
        check_http();
        check_kv();
    });
    let row = |id: &str, value: f64, unit: &str, against: &str, most: f64| serde_json::json!({ "id": id, "value": value, "unit": unit, "against": against, "at_most": most });
    let rows = serde_json::json!([
        row(
            "hostcall.check",
            micros(check_http),
            "µs",
            "an http decision, 64 grants, the last one matches",
            1.0
        ),
        row(
            "hostcall.check.kv",
            micros(check_kv),
            "µs",
            "a key-value decision, 64 grants, the last one matches",
            1.0
        ),
        row(
            "hostcall.allocations",
            counted.count_total as f64,
            "allocations",
            "both decisions",
            0.0
        ),
    ]);
    let parts = target().join("bench/parts");
    std::fs::create_dir_all(&parts).unwrap();
    std::fs::write(parts.join("decision.json"), rows.to_string()).unwrap();
}

/// The median over batches of what one check takes.
fn micros(check: impl Fn()) -> f64 {
    let mut took: Vec<u128> = (0..BATCHES).map(|_| batch(&check)).collect();
    took.sort_unstable();
    took.get(BATCHES / 2).map_or(f64::NAN, |nanos| *nanos as f64 / f64::from(EACH) / 1e3)
}

fn batch(check: &impl Fn()) -> u128 {
    let from = Instant::now();
    for _ in 0..EACH {
        check();
    }
    from.elapsed().as_nanos()
}

fn target() -> PathBuf {
    let program = std::env::current_exe().unwrap();
    program.ancestors().nth(3).unwrap().to_owned()
}
