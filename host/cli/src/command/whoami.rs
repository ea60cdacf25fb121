//! `soma whoami`: who a command is at the server, and what it may do.

use serde_json::Value;

use super::list::word;
use crate::context::{Context, Place};
use crate::failure::Failure;
use crate::output::Report;
use crate::run::block_on;

/// Show who you are at the server
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  soma whoami\n  soma whoami --tenant platform")]
pub(crate) struct Whoami {
    #[command(flatten)]
    place: Place,
}

impl Whoami {
    pub(crate) fn run(self, context: &Context) -> Result<(), Failure> {
        let server = context.server(&self.place.tenant)?;
        let me = block_on(server.get("/v1/auth/whoami"))?;
        let text = |name: &str| word(me.get(name));
        let caps: Vec<String> = me
            .get("caps")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .map(|cap| word(Some(cap)))
            .collect();
        let (subject, org, environment, acr) =
            (text("subject"), text("org"), text("environment"), text("acr"));
        let lines = format!(
            "{subject} · org {org} · environment {environment} · {acr}\nmay: {}",
            caps.join(" ")
        );
        Ok(context.out.report(&Report::new("soma.whoami.v1", me, lines))?)
    }
}
