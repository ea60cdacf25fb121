//! Room `cli`, part of the base world: what every toolchain imports, and nothing behind it.
//!
//! No environment, no arguments, no directory, no terminal; standard input is at its end; standard output and error are
//! lines of the guest's log. `exit` ends the guest like a trap that says its status: a function that
//! exits has returned nothing, whatever the status.

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

#[cfg(test)]
mod tests {
    use environment::Host as _;
    use exit::Host as _;
    use soma_wit::standard::io::streams::{HostInputStream as _, HostOutputStream as _};
    use stderr::Host as _;
    use stdin::Host as _;
    use stdout::Host as _;
    use terminal_stderr::Host as _;
    use terminal_stdin::Host as _;
    use terminal_stdout::Host as _;
    use wasmtime_wasi_io::streams::StreamError;

    use super::*;
    use crate::capability::io::IoView;
    use crate::capability::rig::Rig;

    #[test]
    fn there_is_nothing_around_the_guest() {
        let mut rig = Rig::default();
        let mut view = CliView::of(rig.ctx());
        assert!(view.get_environment().unwrap().is_empty());
        assert!(view.get_arguments().unwrap().is_empty());
        assert_eq!(view.initial_cwd().unwrap(), None);
        assert!(view.get_terminal_stdin().unwrap().is_none());
        assert!(view.get_terminal_stdout().unwrap().is_none());
        assert!(view.get_terminal_stderr().unwrap().is_none());
    }

    #[test]
    fn standard_input_is_at_its_end() {
        let mut rig = Rig::default();
        let stdin = CliView::of(rig.ctx()).get_stdin().unwrap();
        assert!(matches!(IoView::of(rig.ctx()).read(stdin, 10), Err(StreamError::Closed)));
    }

    #[test]
    fn output_and_error_are_lines_of_the_log() {
        let mut rig = Rig::default();
        let stdout = CliView::of(rig.ctx()).get_stdout().unwrap();
        let stderr = CliView::of(rig.ctx()).get_stderr().unwrap();
        IoView::of(rig.ctx()).write(stdout, b"out\n".to_vec()).unwrap();
        IoView::of(rig.ctx()).write(stderr, b"err\n".to_vec()).unwrap();
        let lines: Vec<_> =
            rig.lines().into_iter().map(|line| (line.level, line.message)).collect();
        assert_eq!(lines, [("stdout", "out".to_owned()), ("stderr", "err".to_owned())]);
    }

    #[test]
    fn exit_unwinds_the_guest_with_its_status() {
        let mut rig = Rig::default();
        let mut view = CliView::of(rig.ctx());
        let status = |ended: Result<()>| *ended.unwrap_err().downcast_ref::<Exited>().unwrap();
        assert_eq!(status(view.exit(Ok(()))), Exited(0));
        assert_eq!(status(view.exit(Err(()))), Exited(1));
        assert_eq!(status(view.exit_with_code(42)), Exited(42));
    }

    #[test]
    fn a_killed_call_gets_no_streams() {
        let mut rig = Rig::default();
        rig.kill();
        let mut view = CliView::of(rig.ctx());
        assert!(
            view.get_stdin().is_err() && view.get_stdout().is_err() && view.get_stderr().is_err()
        );
        assert!(view.get_environment().is_err() && view.get_arguments().is_err());
    }
}
