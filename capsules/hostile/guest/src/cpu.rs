//! Burning processor time in ways that a clock on the wall might miss.

use std::hint::black_box;

use soma_sdk::clock;

use crate::Outcome;

pub(crate) fn run(name: &str) -> Outcome {
    match name {
        "loop" => loop {
            spin(1 << 20);
        },
        // Works a little, then sleeps across the next tick, for ever.
        "bursts" => loop {
            spin(1 << 18);
            clock::wait_ms(1);
        },
        // Many cheap host calls: the work is done on the host's side of the border.
        "calls" => loop {
            black_box(soma_sdk::bindings::wasi::clocks::monotonic_clock::now());
        },
        // Ends by itself, above what was reserved.
        "spend" => {
            spin(1 << 32);
            Ok("spent".to_owned())
        }
        other => panic!("no attack is called cpu.{other}"),
    }
}

fn spin(rounds: u64) {
    let mut state = 0x9e37_79b9_u64;
    for n in 0..rounds {
        state = black_box(state.rotate_left(7) ^ n);
    }
}
