//! `soma user password`: the old one, the new one; every session and token ends.

use serde_json::json;

use super::By;
use crate::asking::secret;
use crate::client::Ask;
use crate::context::Context;
use crate::failure::Failure;
use crate::output::Report;
use crate::run::block_on;

/// Change one's own password: every session and token of oneself ends
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  soma user password\n\nSOMA_PASSWORD and SOMA_NEW_PASSWORD answer what would be asked."
)]
pub(crate) struct Password {
    #[command(flatten)]
    by: By,
}

impl Password {
    pub(super) fn run(self, context: &Context) -> Result<(), Failure> {
        let old = secret("SOMA_PASSWORD", "the present password")?;
        let new = secret("SOMA_NEW_PASSWORD", "the new password")?;
        let ask = Ask::put("/v1/auth/password", &json!({ "old": old, "new": new }));
        block_on(context.server(&self.by.tenant)?.send(ask))?;
        let text = "changed · every session ended: soma login";
        Ok(context.out.report(&Report::new("soma.user.v1", json!({ "changed": true }), text))?)
    }
}
