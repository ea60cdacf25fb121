//! What the server costs, for `make bench`: ignored tests, because they need what tests stand on. Unoptimised they
//! take small numbers, which shows that they work and measures nothing.
//!
//! Rows go to the folder that `SOMA_BENCH_PARTS` names, else to the screen. No test depends on a time.

mod catalogue;
mod ledger;
mod memory;
mod search;

use std::path::PathBuf;

use serde_json::Value;

/// How many of something: in earnest, and to try it out.
const fn many(earnest: usize, trial: usize) -> usize {
    if cfg!(debug_assertions) { trial } else { earnest }
}

/// The folder that a variable of this process names.
fn named_folder(variable: &str) -> Option<PathBuf> {
    std::env::var_os(variable).map(PathBuf::from)
}

/// Leaves rows of figures for the report.
#[expect(clippy::print_stderr, reason = "a measurement that is run by hand shows what it found")]
fn leave(part: &str, rows: &[Value]) {
    for row in rows {
        eprintln!("{row}");
    }
    if let Some(folder) = named_folder("SOMA_BENCH_PARTS") {
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join(format!("{part}.json")), serde_json::to_vec(rows).unwrap())
            .unwrap();
    }
}

/// The value below which 95 of 100 lie.
fn p95(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    let at = (values.len().saturating_sub(1) as f64 * 0.95).round() as usize;
    values[at]
}
