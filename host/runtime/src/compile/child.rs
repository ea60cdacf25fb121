//! What runs inside the compiler process: limits first, then bytes.
//!
//! It holds no keys, opens no files and no sockets, and its environment is empty.

use std::io::{Read as _, Write as _};
use std::process::ExitCode;

use rustix::process::{Resource, Rlimit, setrlimit};

use crate::engine::{self, PoolSize};

/// Exit status of a component that the compiler itself refused.
pub(super) const REFUSED: i32 = 3;
const COMPONENT_MAX: u64 = 33 << 20;
const CPU_SECONDS_MAX: u64 = 120;
/// Writable private memory. Address space is not capped: the engine reserves much that it never
/// touches.
const DATA_BYTES_MAX: u64 = 3 << 30;

/// Compiles standard input to standard output under limits of its own.
#[must_use]
pub fn child_main() -> ExitCode {
    match lower_limits().map_err(|error| error.to_string()).and_then(|()| compile()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(words) => {
            let _ = writeln!(std::io::stderr(), "{words}");
            ExitCode::from(u8::try_from(REFUSED).unwrap_or(1))
        }
    }
}

fn lower_limits() -> rustix::io::Result<()> {
    let to = |limit| Rlimit { current: Some(limit), maximum: Some(limit) };
    setrlimit(Resource::Core, to(0))?;
    setrlimit(Resource::Fsize, to(0))?;
    setrlimit(Resource::Cpu, to(CPU_SECONDS_MAX))?;
    setrlimit(Resource::Data, to(DATA_BYTES_MAX))?;
    setrlimit(Resource::Nofile, to(64))
}

fn compile() -> Result<(), String> {
    let mut component = Vec::new();
    let read = std::io::stdin().lock().take(COMPONENT_MAX).read_to_end(&mut component);
    read.map_err(|error| format!("cannot read the component: {error}"))?;
    let engine = engine::build(PoolSize::compiler()).map_err(|error| format!("{error:#}"))?;
    let code = engine.precompile_component(&component).map_err(|error| format!("{error:#}"))?;
    std::io::stdout().lock().write_all(&code).map_err(|error| error.to_string())
}
