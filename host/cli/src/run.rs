//! The end of a command: exit codes, usage errors, and the runtime that network commands run on.

use std::future::Future;
use std::process::ExitCode;

use soma_policy::Code;

use crate::cli::{Cli, Command};
use crate::context::Context;
use crate::failure::Failure;
use crate::output::say;

/// Runs a command and gives the exit code; a failure is printed once, here.
pub(crate) fn command(cli: Cli) -> ExitCode {
    if matches!(cli.command, Command::CompileChild(_)) {
        // It needs no context, and its standard streams are the host's.
        return soma_host::compile::child_main();
    }
    let context = Context::new(&cli.global);
    match cli.command.run(&context) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            failure.print(context.out.format);
            ExitCode::from(failure.exit())
        }
    }
}

/// A command line that cannot be understood; `--help` and `--version` come this way too.
pub(crate) fn usage(refused: &clap::Error) -> ExitCode {
    let _ = refused.print();
    if refused.use_stderr() {
        say(&format!("{} · soma explain {}", Code::Usage, Code::Usage));
        return ExitCode::from(2);
    }
    ExitCode::SUCCESS
}

/// Runs the asynchronous part of a command; Ctrl-C ends it.
pub(crate) fn block_on<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|e| {
            Failure::new(Code::HostUnreachable, format!("the network cannot be used: {e}"))
        })?;
    runtime.block_on(async {
        tokio::select! {
            biased;
            _ = tokio::signal::ctrl_c() => Err(Failure::interrupted()),
            result = work => result,
        }
    })
}

/// Standard output that nobody reads any more ends a command quietly, as with other tools.
impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        if error.kind() == std::io::ErrorKind::BrokenPipe {
            return Self::told(0);
        }
        Self::new(Code::FileNotFound, format!("cannot print: {error}"))
    }
}

/// The same on threads of its own, for a host in this process: it blocks some of them.
pub(crate) fn block_on_threads<T>(
    work: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|e| Failure::new(Code::HostFailure, format!("no threads: {e}")))?;
    let ended = runtime.block_on(async {
        tokio::select! {
            biased;
            _ = tokio::signal::ctrl_c() => Err(Failure::interrupted()),
            result = work => result,
        }
    });
    // Connections of recorded servers may still be open; nothing waits for them.
    runtime.shutdown_background();
    ended
}
