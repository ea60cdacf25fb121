//! `soma capsule …`: the author's loop. Everything here works without host, home or network.

mod build;
mod check;
mod inspect;
mod new;
mod run;
mod sign;
mod test;
mod watch;

pub(crate) use sign::bundle_path;

use crate::context::Context;
use crate::failure::Failure;

pub(crate) const HELP: &str =
    "Example:\n  soma capsule new acme/csv && cd csv && soma capsule test && soma capsule run";

/// Make, build, test, run and sign capsules
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Capsule {
    New(new::New),
    Build(build::Build),
    Check(check::Check),
    Test(test::Test),
    Run(Box<run::Run>),
    Sign(sign::Sign),
    Inspect(inspect::Inspect),
}

impl Capsule {
    pub(crate) fn run(self, context: &Context) -> Result<(), Failure> {
        match self {
            Self::New(command) => command.run(context),
            Self::Build(command) => command.run(context),
            Self::Check(command) => command.run(context),
            Self::Test(command) => command.run(context),
            Self::Run(command) => command.run(context),
            Self::Sign(command) => command.run(context),
            Self::Inspect(command) => command.run(context),
        }
    }
}
