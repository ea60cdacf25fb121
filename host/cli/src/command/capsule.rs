//! `soma capsule …`: the author's loop, which works without host, home or network, and then what becomes of a
//! capsule at a marketplace.

mod build;
mod check;
mod diff;
mod inspect;
mod new;
mod rate;
mod run;
mod sign;
mod submit;
mod test;
mod watch;
mod withdraw;

pub(crate) use sign::bundle_path;
pub(crate) use submit::told as submission;

use crate::context::Context;
use crate::failure::Failure;

pub(crate) const HELP: &str =
    "Example:\n  soma capsule new acme/csv && cd csv && soma capsule test && soma capsule run";

/// Make, build, test, run, sign and publish capsules
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Capsule {
    New(new::New),
    Build(build::Build),
    Check(check::Check),
    Test(test::Test),
    Run(Box<run::Run>),
    Sign(sign::Sign),
    Inspect(inspect::Inspect),
    Submit(submit::Submit),
    Diff(diff::Diff),
    Deprecate(withdraw::Deprecate),
    Yank(withdraw::Yank),
    Unyank(withdraw::Unyank),
    Revoke(withdraw::Revoke),
    Rate(rate::Rate),
    Ratings(rate::Ratings),
    Unfreeze(rate::Unfreeze),
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
            Self::Submit(command) => command.run(context),
            Self::Diff(command) => command.run(context),
            Self::Deprecate(command) => command.run(context),
            Self::Yank(command) => command.run(context),
            Self::Unyank(command) => command.run(context),
            Self::Revoke(command) => command.run(context),
            Self::Rate(command) => command.run(context),
            Self::Ratings(command) => command.run(context),
            Self::Unfreeze(command) => command.run(context),
        }
    }
}
