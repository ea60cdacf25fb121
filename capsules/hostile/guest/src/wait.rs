//! Waiting for ever in each host call that can wait.

use std::io::Read;

use soma_sdk::bindings::wasi::clocks::monotonic_clock;
use soma_sdk::bindings::wasi::io::poll;
use soma_sdk::http::{Method, Request};
use soma_sdk::{emit, tool};

use crate::{Outcome, stopped};

pub(crate) fn run(name: &str, argument: &str) -> Outcome {
    match name {
        "clock" => {
            monotonic_clock::subscribe_duration(u64::MAX).block();
            Ok("the end of time".to_owned())
        }
        "poll" => {
            let (a, b) = (
                monotonic_clock::subscribe_duration(u64::MAX),
                monotonic_clock::subscribe_instant(u64::MAX),
            );
            poll::poll(&[&a, &b]);
            Ok("the end of time".to_owned())
        }
        // Standard input is empty: this must return, not wait.
        "stdin" => {
            let mut text = String::new();
            std::io::stdin().read_to_string(&mut text).map_err(stopped)?;
            Ok(text)
        }
        "http" => Request::new(Method::Get, argument).send().map(|r| r.text()).map_err(stopped),
        "tool" => {
            tool::call("itself", "run", r#"{"attack":"wait.clock","argument":""}"#).map_err(stopped)
        }
        // For a client that does not read: the host must not keep what it cannot send.
        "emit" => loop {
            emit::bytes("out", &[0; 4096]).map_err(stopped)?;
        },
        other => panic!("no attack is called wait.{other}"),
    }
}
