//! Holding more of something than the host can afford: memory, handles, timers, files.

use soma_sdk::bindings::wasi::clocks::monotonic_clock;
use soma_sdk::bindings::wasi::filesystem::preopens;
use soma_sdk::bindings::wasi::http::types::{Fields, OutgoingRequest};
use soma_sdk::bindings::wasi::io::poll;
use soma_sdk::kv;

use crate::{Outcome, stopped};

const HOUR_NS: u64 = 3_600_000_000_000;

pub(crate) fn run(name: &str) -> Outcome {
    match name {
        "memory" => memory(),
        "stack" => Ok(deep(0).to_string()),
        "pollables" => keep(|| Ok(monotonic_clock::subscribe_instant(0))),
        "timers" => keep(|| Ok(monotonic_clock::subscribe_duration(HOUR_NS))),
        "fields" => keep(|| Ok(Fields::new())),
        "requests" => keep(|| Ok(OutgoingRequest::new(Fields::new()))),
        "buckets" => keep(|| kv::open("box").map_err(stopped)),
        "folders" => keep(|| Ok(preopens::get_directories())),
        // One call that waits for very many things at once.
        "poll-list" => {
            let one = monotonic_clock::subscribe_duration(HOUR_NS);
            let list = vec![&one; 1_000_000];
            Ok(poll::poll(&list).len().to_string())
        }
        other => panic!("no attack is called exhaust.{other}"),
    }
}

fn memory() -> Outcome {
    const PIECE: usize = 1 << 20;
    let mut pieces: Vec<Vec<u8>> = Vec::new();
    loop {
        let mut piece = Vec::new();
        if piece.try_reserve_exact(PIECE).is_err() {
            return Err(format!("refused after {} MiB", pieces.len()));
        }
        piece.resize(PIECE, 1);
        pieces.push(piece);
    }
}

/// Opens until it is stopped, and gives nothing back.
fn keep<T>(mut open: impl FnMut() -> Result<T, String>) -> Outcome {
    for held in 0..10_000_000_u32 {
        match open() {
            Ok(handle) => std::mem::forget(handle),
            Err(why) => return Err(format!("refused after {held}: {why}")),
        }
    }
    Ok("as many as wanted".to_owned())
}

/// Not a tail call: each level keeps something on the stack.
#[expect(unconditional_recursion, reason = "the recursion without an end is the attack")]
fn deep(level: u64) -> u64 {
    let mut held = std::hint::black_box([level; 32]);
    held[0] = deep(level + 1);
    std::hint::black_box(held).iter().sum()
}
