//! Waiting. The host suspends the call; the wait counts as wall time, not as CPU.

use crate::bindings::wasi::clocks::monotonic_clock;

/// Waits this long.
pub fn wait_ms(milliseconds: u64) {
    monotonic_clock::subscribe_duration(milliseconds.saturating_mul(1_000_000)).block();
}
