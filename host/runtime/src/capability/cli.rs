//! Room `cli`, part of the base world: what every toolchain imports, and nothing behind it.
//!
//! No environment, no arguments, no directory, no terminal; standard input is at its end; standard output and error are
//! lines of the guest's log. `exit` ends the guest: with success like a return, else like a trap that says so.

use std::sync::Arc;

use soma_wit::standard::cli::{
    environment, exit, stderr, stdin, stdout, terminal_input, terminal_output, terminal_stderr,
    terminal_stdin, terminal_stdout,
};
use wasmtime::Result;
use wasmtime::component::{HasData, Resource, ResourceTable};
use wasmtime_wasi_io::streams::{DynInputStream, DynOutputStream};

use super::logging::GuestLog;
use super::push;
use crate::state::Ctx;

mod lines;

use lines::Lines;

/// The guest called `exit`. Carried as the error that unwinds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the guest exited with status {0}")]
pub(crate) struct Exited(pub(crate) u8);

/// Names [`CliView`] to the linker.
pub(crate) struct Cli;

impl HasData for Cli {
    type Data<'a> = CliView<'a>;
}

/// `wasi:cli` for one call.
pub(crate) struct CliView<'a> {
    log: GuestLog,
    table: &'a mut ResourceTable,
}

impl CliView<'_> {
    pub(crate) fn of(ctx: &mut Ctx) -> CliView<'_> {
        CliView { log: GuestLog::of(ctx), table: &mut ctx.table }
    }

    fn lines(&mut self, name: &'static str) -> Result<Resource<DynOutputStream>> {
        let running = self.log.running().clone();
        let lines: DynOutputStream = Box::new(Lines::new(self.log.clone(), name));
        push(&running, self.table, lines)
    }
}

impl environment::Host for CliView<'_> {
    fn get_environment(&mut self) -> Result<Vec<(String, String)>> {
        self.log.running().live()?;
        Ok(Vec::new())
    }

    fn get_arguments(&mut self) -> Result<Vec<String>> {
        self.log.running().live()?;
        Ok(Vec::new())
    }

    fn initial_cwd(&mut self) -> Result<Option<String>> {
        self.log.running().live()?;
        Ok(None)
    }
}

impl exit::Host for CliView<'_> {
    fn exit(&mut self, status: std::result::Result<(), ()>) -> Result<()> {
        Err(Exited(u8::from(status.is_err())).into())
    }

    fn exit_with_code(&mut self, status: u8) -> Result<()> {
        Err(Exited(status).into())
    }
}

impl stdin::Host for CliView<'_> {
    fn get_stdin(&mut self) -> Result<Resource<DynInputStream>> {
        let running: Arc<_> = self.log.running().clone();
        let empty: DynInputStream = Box::new(wasmtime_wasi::p2::pipe::ClosedInputStream);
        push(&running, self.table, empty)
    }
}

impl stdout::Host for CliView<'_> {
    fn get_stdout(&mut self) -> Result<Resource<DynOutputStream>> {
        self.lines("stdout")
    }
}

impl stderr::Host for CliView<'_> {
    fn get_stderr(&mut self) -> Result<Resource<DynOutputStream>> {
        self.lines("stderr")
    }
}

impl terminal_input::Host for CliView<'_> {}
impl terminal_output::Host for CliView<'_> {}

impl terminal_input::HostTerminalInput for CliView<'_> {
    fn drop(&mut self, _: Resource<terminal_input::TerminalInput>) -> Result<()> {
        // None is ever handed out, so none can come back.
        Err(wasmtime::format_err!("no terminal was given to the guest"))
    }
}

impl terminal_output::HostTerminalOutput for CliView<'_> {
    fn drop(&mut self, _: Resource<terminal_output::TerminalOutput>) -> Result<()> {
        Err(wasmtime::format_err!("no terminal was given to the guest"))
    }
}

impl terminal_stdin::Host for CliView<'_> {
    fn get_terminal_stdin(&mut self) -> Result<Option<Resource<terminal_input::TerminalInput>>> {
        Ok(None)
    }
}

impl terminal_stdout::Host for CliView<'_> {
    fn get_terminal_stdout(&mut self) -> Result<Option<Resource<terminal_output::TerminalOutput>>> {
        Ok(None)
    }
}

impl terminal_stderr::Host for CliView<'_> {
    fn get_terminal_stderr(&mut self) -> Result<Option<Resource<terminal_output::TerminalOutput>>> {
        Ok(None)
    }
}
