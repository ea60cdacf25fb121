//! Where a crash test ends this process. This file is compiled into debug builds alone: a release build has no
//! variable that could end it (docs/decisions/0015-crash-points.md).

use rustix::process::{Signal, getpid, kill_process};

/// Names a point, or a point and how often it is passed: `host.journal.synced:3`.
const VARIABLE: &str = "SOMA_CRASH_AT";

/// Reads, once and before anything runs, where this process is to end.
pub(crate) fn arm() {
    if let Ok(at) = std::env::var(VARIABLE) {
        soma_capsule::crash::arm(&at, end);
    }
}

/// As `kill -9` does it: no handler runs, nothing is flushed, no thread goes on.
fn end() {
    // There is nobody left to tell of an error.
    let _ = kill_process(getpid(), Signal::KILL);
}
