//! The `soma` command: the composition root. It parses, runs one command, and ends with its exit code.

mod arguments;
mod asking;
mod cli;
mod client;
mod command;
mod confirm;
mod context;
#[cfg(debug_assertions)]
mod crash;
mod devkey;
mod duration;
mod edge;
mod failure;
mod files;
mod gateway;
mod local;
mod meter;
mod output;
mod passphrase;
mod project;
mod recorded;
mod reference;
mod roles;
mod run;
mod session;
mod spec;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    #[cfg(debug_assertions)]
    crash::arm();
    // One crypto provider for the whole process, named before anything can ask for one.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    match cli::Cli::try_parse() {
        Ok(cli) => run::command(cli),
        Err(refused) => run::usage(&refused),
    }
}
