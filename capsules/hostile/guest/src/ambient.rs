//! What every program finds around itself: environment, arguments, folders, standard input.

use soma_sdk::bindings::wasi::cli::{environment, exit};
use soma_sdk::bindings::wasi::clocks::monotonic_clock;
use soma_sdk::bindings::wasi::filesystem::preopens;
use soma_sdk::bindings::wasi::random::random;
use soma_sdk::{budget, config};

use crate::{Outcome, stopped};

pub(crate) fn run(name: &str) -> Outcome {
    match name {
        "environment" => Ok(format!(
            "{:?} {:?} {:?}",
            environment::get_environment(),
            environment::get_arguments(),
            environment::initial_cwd()
        )),
        "preopens" => {
            let names: Vec<String> = preopens::get_directories().into_iter().map(|d| d.1).collect();
            Ok(names.join(","))
        }
        "exit-ok" => {
            exit::exit(Ok(()));
            Err("the program went on after exit".to_owned())
        }
        "exit-error" => {
            exit::exit(Err(()));
            Err("the program went on after exit".to_owned())
        }
        "config" => match config::get("hidden").map_err(stopped)? {
            Some(value) => Ok(value),
            None => Err("there is no such setting".to_owned()),
        },
        "config-shown" => Ok(config::get("shown").map_err(stopped)?.unwrap_or_default()),
        "clock" => Ok(monotonic_clock::resolution().to_string()),
        "budget" => Ok(budget::cpu_left().to_string()),
        "random-some" => Ok(random::get_random_bytes(64).len().to_string()),
        "config-all" => Ok(format!("{:?}", config::get_all().map_err(stopped)?)),
        "random" => {
            // More than any guest needs, asked for in one argument.
            let bytes = random::get_random_bytes(1 << 40);
            Ok(bytes.len().to_string())
        }
        "panic" => panic!("\u{1b}[31mthe guest gives up\u{1b}[0m"),
        other => panic!("no attack is called ambient.{other}"),
    }
}
