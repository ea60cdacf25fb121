//! `soma upgrade` and `soma rollback`: another revision of an installation, agreed to by what it may do.

use serde_json::{Value, json};
use soma_policy::{Code, InstallationId};

use super::install::server::{at, line, sheet, until_active};
use super::list::word;
use crate::client::Ask;
use crate::context::{Context, Place};
use crate::failure::Failure;
use crate::output::Report;
use crate::run::block_on;

/// Upgrade an installation
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  soma upgrade issues --dry-run\n  soma upgrade issues --version 1.3.0 --accept\n  soma upgrade issues --gate canary --canary-share 100"
)]
pub(crate) struct Upgrade {
    /// The installation
    installation: InstallationId,
    /// To this version; by default the newest that the installation's range allows
    #[arg(long, value_name = "VERSION")]
    version: Option<semver::Version>,
    /// Agree to what it asks for beyond what was agreed to
    #[arg(long)]
    accept: bool,
    /// Only show what would change
    #[arg(long)]
    dry_run: bool,
    /// How the new revision is judged: open (at once), check (its own health check), canary (a share of calls)
    #[arg(long, default_value = "open", value_parser = ["open", "check", "canary"])]
    gate: String,
    /// The thousandths of calls that a canary gets
    #[arg(long, value_name = "N", requires = "gate")]
    canary_share: Option<u16>,
    /// How many calls it takes to judge a canary
    #[arg(long, value_name = "N", requires = "gate")]
    canary_calls: Option<u32>,
    #[command(flatten)]
    place: Place,
}

/// Make the revision before active again
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  soma rollback issues")]
pub(crate) struct Rollback {
    /// The installation
    installation: InstallationId,
    #[command(flatten)]
    place: Place,
}

impl Upgrade {
    pub(crate) fn run(self, context: &Context) -> Result<(), Failure> {
        let body = match &self.version {
            Some(version) => json!({ "version": version.to_string() }),
            None => json!({}),
        };
        let route = format!("/v1/installations/{}/upgrade?gate={}", self.installation, self.gate);
        let done = block_on(async {
            let server = at(context, &self.place).await?;
            let planned =
                server.send(Ask::post(format!("{route}&dry_run=true"), &body)).await?.value;
            context.out.note(sheet(&planned));
            if self.dry_run {
                return Ok(planned);
            }
            self.agreed(&planned)?;
            let plan = word(planned.get("plan"));
            let ask = Ask::post(format!("{route}&plan={plan}{}", self.canary()), &body);
            server.send(ask).await?;
            until_active(&server, &self.installation).await
        })?;
        let text = if self.dry_run { "nothing was changed".to_owned() } else { line(&done) };
        Ok(context.out.report(&Report::new("soma.installation.v1", done, text))?)
    }

    fn canary(&self) -> String {
        let share = self.canary_share.map(|it| format!("&canary_share={it}")).unwrap_or_default();
        let calls = self.canary_calls.map(|it| format!("&canary_calls={it}")).unwrap_or_default();
        format!("{share}{calls}")
    }

    /// What goes beyond what was agreed to needs a yes of its own.
    fn agreed(&self, planned: &Value) -> Result<(), Failure> {
        let asks = planned.get("asks").and_then(Value::as_array).map_or(0, Vec::len);
        if asks == 0 || self.accept {
            return Ok(());
        }
        let what = format!("{asks} changes go beyond what was agreed to");
        Err(Failure::new(Code::ConsentNeeded, what)
            .fix(format!("look at them above, then: soma upgrade {} --accept", self.installation)))
    }
}

impl Rollback {
    pub(crate) fn run(self, context: &Context) -> Result<(), Failure> {
        let done = block_on(async {
            let server = at(context, &self.place).await?;
            let route = format!("/v1/installations/{}/rollback", self.installation);
            server.send(Ask::bare(route)).await?;
            until_active(&server, &self.installation).await
        })?;
        let text = line(&done);
        Ok(context.out.report(&Report::new("soma.installation.v1", done, text))?)
    }
}
