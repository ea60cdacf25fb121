//! `soma version`: this program, the WebAssembly engine it runs, the schemas it reads.

use serde_json::json;

use crate::context::Context;
use crate::failure::Failure;
use crate::output::Report;

/// Say which versions this is
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  soma version --output json")]
pub(crate) struct Version {}

impl Version {
    pub(crate) fn run(self, context: &Context) -> Result<(), Failure> {
        let version = env!("CARGO_PKG_VERSION");
        let engine = format!("wasmtime {}", soma_host::engine::WASMTIME);
        let text = format!(
            "soma {version} · engine {engine} · manifest schema 1 · home schema {} · {} {}",
            soma_host::home::SCHEMA,
            std::env::consts::OS,
            std::env::consts::ARCH,
        );
        let value = json!({
            "version": version,
            "engine": engine,
            "manifest_schema": 1,
            "home_schema": soma_host::home::SCHEMA,
            "os": std::env::consts::OS,
            "arch": std::env::consts::ARCH,
        });
        Ok(context.out.report(&Report::new("soma.version.v1", value, text))?)
    }
}
