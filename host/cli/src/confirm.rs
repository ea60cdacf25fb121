//! Asking before something is destroyed. `--yes` answers; without a person and without `--yes` the
//! answer is no.

use std::io::{BufRead, IsTerminal, Write};

use soma_policy::Code;

use crate::failure::Failure;

/// `--yes`, for commands that destroy.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(crate) struct Consent {
    /// Do not ask
    #[arg(long, short = 'y')]
    pub(crate) yes: bool,
}

impl Consent {
    /// Goes on only if somebody agreed.
    pub(crate) fn require(self, question: &str) -> Result<(), Failure> {
        if self.yes {
            return Ok(());
        }
        if !std::io::stdin().is_terminal() {
            return Err(Failure::new(Code::Usage, format!("{question} Nobody is there to ask"))
                .fix("add --yes"));
        }
        let mut err = anstream::stderr().lock();
        let _ = write!(err, "{question} [y/N] ");
        let _ = err.flush();
        let mut answer = String::new();
        let read = std::io::stdin().lock().read_line(&mut answer);
        if read.is_ok() && matches!(answer.trim(), "y" | "Y" | "yes") {
            return Ok(());
        }
        Err(Failure::new(Code::Usage, "nothing was changed: not confirmed").exit_with(2))
    }
}
