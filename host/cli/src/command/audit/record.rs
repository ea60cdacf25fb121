//! The server's record: its newest entries, and the proof that none was changed.

use serde_json::Value;
use soma_policy::OrgId;

use crate::context::Context;
use crate::failure::Failure;
use crate::output::{Column, Report, listed, neutral};
use crate::run::block_on;

const COLUMNS: &[Column] = &[
    ("at", "/at"),
    ("org", "/org"),
    ("actor", "/actor"),
    ("what", "/kind"),
    ("subject", "/subject"),
    ("detail", "/detail"),
];

/// Print the newest entries of the server's record
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  soma audit log --tenant acme --kind logged-in\n  soma audit log --everywhere   (as an operator)"
)]
pub(crate) struct Log {
    /// The organisation
    #[arg(long, value_name = "ORG", env = "SOMA_TENANT", default_value = "local")]
    tenant: OrgId,
    /// Only entries of this kind
    #[arg(long)]
    kind: Option<String>,
    /// Entries of every organisation; operators may
    #[arg(long)]
    everywhere: bool,
    /// At most so many
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=100))]
    limit: u32,
}

impl Log {
    pub(super) fn run(self, context: &Context) -> Result<(), Failure> {
        let server =
            if self.everywhere { context.platform()? } else { context.server(&self.tenant)? };
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.append_pair("limit", &self.limit.to_string());
        if let Some(kind) = &self.kind {
            query.append_pair("kind", kind);
        }
        if self.everywhere {
            query.append_pair("everywhere", "true");
        }
        let page = block_on(server.get(&format!("/v1/audit?{}", query.finish())))?;
        let items = super::super::list::items_of(&page);
        Ok(context.out.report(&listed("soma.audit.log.v1", items, COLUMNS, "no entries"))?)
    }
}

/// Asks the server to walk its chain; what is wrong ends the command with 4.
pub(super) fn verify(context: &Context) -> Result<(), Failure> {
    let found = block_on(context.platform()?.get("/v1/audit/verification"))?;
    let sound = found.get("sound").and_then(Value::as_bool) == Some(true);
    let number = |name: &str| super::super::list::word(found.get(name));
    let mut text = format!(
        "{} {} entries, {} signed heads · head {}",
        if sound { "verified" } else { "NOT as it was written:" },
        number("entries"),
        number("checkpoints"),
        number("head"),
    );
    for finding in found.get("findings").and_then(Value::as_array).into_iter().flatten() {
        text.push_str(&format!("\n! {}", neutral(&finding.to_string())));
    }
    context.out.report(&Report::new("soma.audit.verify.server.v1", found, text))?;
    if sound { Ok(()) } else { Err(Failure::told(4)) }
}
