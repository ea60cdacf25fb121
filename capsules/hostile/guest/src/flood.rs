//! Sending more than anybody asked for.

use soma_sdk::bindings::wasi::http::types::Fields;
use soma_sdk::logging::{self, Level};
use soma_sdk::{emit, kv};

use crate::{Outcome, stopped};

const MIB: usize = 1 << 20;

pub(crate) fn run(name: &str) -> Outcome {
    match name {
        "log" => loop {
            logging::log(Level::Info, "flood", &"x".repeat(1000));
        },
        "log-one" => {
            logging::log(Level::Info, "flood", &"x".repeat(8 * MIB));
            Ok("taken".to_owned())
        }
        "stdout" => loop {
            println!("{}", "x".repeat(1000));
        },
        "stderr" => loop {
            eprintln!("{}", "x".repeat(1000));
        },
        "emit" => loop {
            emit::text("out", &"x".repeat(1000)).map_err(stopped)?;
        },
        "emit-one" => {
            emit::text("out", &"x".repeat(8 * MIB)).map(|()| "taken".to_owned()).map_err(stopped)
        }
        "output" => Ok("x".repeat(8 * MIB)),
        "error" => Err("x".repeat(8 * MIB)),
        "hostcall-bytes" => {
            // Refused or not, each attempt moves its bytes across the border.
            let bucket = kv::open("box").map_err(stopped)?;
            let value = vec![7; MIB];
            loop {
                let _ = bucket.set("box/large", &value);
            }
        }
        "header-value" => {
            let fields = Fields::new();
            let value = vec![b'x'; 4 * MIB];
            fields.append("x-large", &value).map_err(stopped)?;
            Ok("taken".to_owned())
        }
        "header-count" => {
            let fields = Fields::new();
            for n in 0..1_000_000 {
                fields.append(&format!("x-{n}"), b"1").map_err(stopped)?;
            }
            Ok("taken".to_owned())
        }
        other => panic!("no attack is called flood.{other}"),
    }
}
