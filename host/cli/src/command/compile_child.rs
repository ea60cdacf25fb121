//! `soma compile-child`: the process in which a component is compiled, started by the host alone.
//!
//! It speaks a private form on its standard streams, so `main` runs it before anything else is set up.

/// Compile one component under limits; the host starts this itself
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  soma compile-child < component.wasm > code    (started by the host)"
)]
pub(crate) struct CompileChild {}
