//! `soma policy check DIR` and `soma policy explain INSTALLATION OPERATION…`: offline, with the rules that a
//! host would use.

use std::path::PathBuf;

use serde_json::json;
use soma_policy::InstallationId;

use crate::context::{Context, Place};
use crate::failure::Failure;
use crate::output::Report;

mod explain;

pub(crate) const HELP: &str =
    "Example:\n  soma policy explain issues http POST https://api.github.com/repos/acme/web/issues";

/// Check and explain the operator's policy
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Policy {
    Check(Check),
    Explain(Explain),
}

/// Check a policy folder as a host would load it
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  soma policy check .soma/policy")]
pub(crate) struct Check {
    /// The folder; the home's if left out
    dir: Option<PathBuf>,
}

/// Say layer by layer whether an installation may do something
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  soma policy explain issues http POST https://api.github.com/repos/acme/web/issues\n  soma policy explain notes kv notes get notes/1\n  soma policy explain relay tool csv to-json"
)]
pub(crate) struct Explain {
    /// The installation
    installation: InstallationId,
    /// What it would do: `http METHOD URL`, `kv NAME get KEY`, `files read PATH`, `tool NAME FUNCTION`,
    /// `secret NAME`, `emit NAME`, `config KEY`, `call FUNCTION`
    #[arg(required = true, num_args = 2.., value_name = "OPERATION")]
    operation: Vec<String>,
    #[command(flatten)]
    place: Place,
}

impl Policy {
    pub(crate) fn run(self, context: &Context) -> Result<(), Failure> {
        match self {
            Self::Check(check) => check.run(context),
            Self::Explain(explain) => explain.run(context),
        }
    }
}

impl Check {
    fn run(self, context: &Context) -> Result<(), Failure> {
        let folder = match self.dir {
            Some(dir) => dir,
            None => context.home()?.layout().policy(),
        };
        match soma_host::home::load_policy_folder(&folder) {
            Ok(policy) => {
                let text = format!("policy ✓ · {} · {}", folder.display(), policy.hash());
                let value =
                    json!({ "ok": true, "folder": folder, "hash": policy.hash().to_string() });
                Ok(context.out.report(&Report::new("soma.policy.v1", value, text))?)
            }
            Err(problems) => Err(crate::failure::of_problems(context, &problems)),
        }
    }
}
