//! `soma upgrade` and `soma rollback`: another revision of an installation, agreed to by what it may do.

use serde_json::{Value, json};
use soma_policy::{Code, Grants, InstallationId, InstallationSpec};

use super::install::server::{at, field, line, release, sheet, unfit, until_active};
use super::list::word;
use crate::client::{Answer, Ask, ServerClient};
use crate::context::{Context, Place};
use crate::failure::Failure;
use crate::output::Report;
use crate::run::block_on;
use crate::spec::bind_secret;

/// Upgrade an installation
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  soma upgrade issues --dry-run\n  soma upgrade issues --version 1.3.0 --accept\n  soma upgrade issues --widen --accept       (grant what the new version asks for beyond the old one)\n  soma upgrade issues --gate canary --canary-share 100\n\nGrants are carried over: without --widen a new version gets no more than was granted."
)]
pub(crate) struct Upgrade {
    /// The installation
    installation: InstallationId,
    /// To this version; by default the newest that the installation's range allows
    #[arg(long, value_name = "VERSION")]
    version: Option<semver::Version>,
    /// Grant all that the new version declares, not only what was granted before
    #[arg(long)]
    widen: bool,
    /// Which stored secret a newly declared one is: `token=github-readonly` (may be repeated)
    #[arg(long = "secret", value_name = "NAME=STORED", requires = "widen")]
    secrets: Vec<String>,
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

/// A change of an installation, asked for as often as it takes to agree.
struct Change {
    route: String,
    body: Value,
    /// What was read before a file replaces it.
    read: Option<Answer>,
}

impl Change {
    fn ask(&self, query: &str) -> Ask {
        let route = format!("{}?{query}", self.route);
        match &self.read {
            Some(read) => Ask::put(route, &self.body).if_match(read),
            None => Ask::post(route, &self.body),
        }
    }
}

impl Upgrade {
    pub(crate) fn run(self, context: &Context) -> Result<(), Failure> {
        let done = block_on(async {
            let server = at(context, &self.place).await?;
            let change = self.change(&server).await?;
            let gate = format!("gate={}", self.gate);
            let dry = change.ask(&format!("{gate}&dry_run=true"));
            let planned = server.send(dry).await.map_err(|it| self.or_widen(it))?.value;
            context.out.note(sheet(&planned));
            if self.dry_run {
                return Ok(planned);
            }
            self.agreed(&planned)?;
            let plan = word(planned.get("plan"));
            server.send(change.ask(&format!("{gate}&plan={plan}{}", self.canary()))).await?;
            until_active(&server, &self.installation).await
        })?;
        let text = if self.dry_run { "nothing was changed".to_owned() } else { line(&done) };
        Ok(context.out.report(&Report::new("soma.installation.v1", done, text))?)
    }

    /// By the server from the present grants, or by a new file that grants more.
    async fn change(&self, server: &ServerClient<'_>) -> Result<Change, Failure> {
        let route = format!("/v1/installations/{}", self.installation);
        if self.widen {
            let read = server.send(Ask::get(&route)).await?;
            let spec = self.widened(server, &read.value).await?;
            return Ok(Change {
                route,
                body: serde_json::to_value(spec).map_err(unfit)?,
                read: Some(read),
            });
        }
        let version = self.version.as_ref().map(ToString::to_string);
        let body = version.map_or_else(|| json!({}), |version| json!({ "version": version }));
        Ok(Change { route: format!("{route}/upgrade"), body, read: None })
    }

    /// The present file, with the new version and all that it declares. What was bound to a secret stays so.
    async fn widened(
        &self,
        server: &ServerClient<'_>,
        now: &Value,
    ) -> Result<InstallationSpec, Failure> {
        let mut spec: InstallationSpec = field(now, "/active/spec")?;
        let range = match &self.version {
            Some(version) => range(&format!("={version}"))?,
            None => range(&spec.version.to_string())?,
        };
        let (facts, offer) = release(server, &spec.capsule, &range).await?;
        let before = std::mem::replace(&mut spec.grants, Grants::as_declared(&facts.declarations));
        for (name, grant) in &mut spec.grants.secret {
            if let Some(bound) = before.secret.get(name) {
                *grant = bound.clone();
            }
        }
        for binding in &self.secrets {
            bind_secret(&mut spec, binding)?;
        }
        if !spec.version.allows(&facts.version) {
            spec.version = format!("^{}", facts.version).parse()?;
        }
        (spec.digest, spec.offer) = (facts.digest, Some(offer));
        Ok(spec)
    }

    /// A version that cannot do without what was never granted says how it could be.
    fn or_widen(&self, failure: Failure) -> Failure {
        match failure.code() == Some(Code::GrantMissing) && !self.widen {
            true => failure.fix(format!("soma upgrade {} --widen --dry-run", self.installation)),
            false => failure,
        }
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

fn range(text: &str) -> Result<semver::VersionReq, Failure> {
    text.parse().map_err(|e| Failure::new(Code::Usage, format!("`{text}` is no range: {e}")))
}

impl Rollback {
    pub(crate) fn run(self, context: &Context) -> Result<(), Failure> {
        let done = block_on(async {
            let server = at(context, &self.place).await?;
            let route = format!("/v1/installations/{}", self.installation);
            // What was seen is what goes back: a repeat finds another version, and does nothing.
            let read = server.send(Ask::get(&route)).await?;
            server.send(Ask::bare(format!("{route}/rollback")).if_match(&read).once()).await?;
            until_active(&server, &self.installation).await
        })?;
        let text = line(&done);
        Ok(context.out.report(&Report::new("soma.installation.v1", done, text))?)
    }
}
