//! Reading: what holds, what held, what waits, what is different.

use serde_json::Value;
use soma_capsule::constitution::{Constitution, Difference, LIMITS_FILE, PRINCIPLES_FILE};
use soma_policy::OrgId;

use super::{COLUMNS, document};
use crate::client::ServerClient;
use crate::command::list::{items_of, word};
use crate::context::Context;
use crate::failure::Failure;
use crate::output::{Report, listed, neutral};
use crate::run::block_on;

/// Show the constitution that holds, or one that held
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  soma constitution show\n  soma constitution show 3 --output json"
)]
pub(crate) struct Show {
    /// Its number; the one that holds if left out
    version: Option<u64>,
    #[command(flatten)]
    by: By,
}

/// List what is proposed and waits for signatures; operators may
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  soma constitution proposals")]
pub(crate) struct Proposals {}

/// List the constitutions that hold or held, the newest first
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  soma constitution history")]
pub(crate) struct History {
    #[command(flatten)]
    by: By,
}

/// Show what is different between two constitutions
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  soma constitution diff 3            (against the one that it follows)\n  soma constitution diff 3 --from 1\n  soma constitution diff sha256:3b1f…"
)]
pub(crate) struct Diff {
    /// The newer one: its number, or the digest of a proposal
    to: String,
    /// The older one; what the newer one follows, if left out
    #[arg(long, value_name = "VERSION|DIGEST")]
    from: Option<String>,
    #[command(flatten)]
    by: By,
}

/// Whose session asks: everybody may read.
#[derive(Debug, clap::Args)]
struct By {
    /// The org whose session asks
    #[arg(long, value_name = "ORG", default_value = "platform")]
    tenant: OrgId,
}

impl Show {
    pub(super) fn run(self, context: &Context) -> Result<(), Failure> {
        let server = context.server(&self.by.tenant)?;
        let answer = match self.version {
            Some(version) => block_on(server.get(&format!("/v1/constitution/versions/{version}")))?,
            None => block_on(server.get("/v1/constitution"))?,
        };
        let shown = answer.get("constitution").unwrap_or(&answer);
        let text = match document(shown) {
            None => "no constitution holds: each machine judges by its own policy folder\nnext: soma constitution propose policy --key operator".to_owned(),
            Some(_) => page(shown),
        };
        Ok(context.out.report(&Report::new("soma.constitution.v1", answer, text))?)
    }
}

/// Number, digest and every text, as people read them.
fn page(shown: &Value) -> String {
    let Some(it) = document(shown) else { return String::new() };
    let signed = shown.get("keys").and_then(Value::as_array).map_or(0, Vec::len);
    let mut text = format!(
        "constitution {} · {} · {signed} signatures",
        it.version,
        word(shown.get("digest"))
    );
    let principles = Some((PRINCIPLES_FILE, it.principles.as_str()));
    let principles = principles.filter(|(_, words)| !words.is_empty());
    let policies = it.policies.iter().map(|(name, text)| (name.as_str(), text.as_str()));
    let limits = it.limits.as_deref().map(|limits| (LIMITS_FILE, limits));
    for (name, body) in principles.into_iter().chain(policies).chain(limits) {
        let body: Vec<_> = body.lines().map(neutral).collect();
        text.push_str(&format!("\n\n── {name}\n{}", body.join("\n")));
    }
    text
}

impl Proposals {
    pub(super) fn run(self, context: &Context) -> Result<(), Failure> {
        let page = block_on(context.platform()?.get("/v1/constitution/proposals"))?;
        let items = items_of(&page);
        let list = listed("soma.constitution.proposals.v1", items, COLUMNS, "nothing is proposed");
        Ok(context.out.report(&list)?)
    }
}

impl History {
    pub(super) fn run(self, context: &Context) -> Result<(), Failure> {
        let server = context.server(&self.by.tenant)?;
        let items = block_on(server.list("/v1/constitution/history"))?;
        let none = "no constitution ever held";
        let list = listed("soma.constitution.history.v1", items, COLUMNS, none);
        Ok(context.out.report(&list)?)
    }
}

impl Diff {
    pub(super) fn run(self, context: &Context) -> Result<(), Failure> {
        let server = context.server(&self.by.tenant)?;
        let mut path = format!("/v1/constitution/diff?to={}", self.to);
        if let Some(from) = &self.from {
            path.push_str(&format!("&from={from}"));
        }
        let answer = block_on(server.get(&path))?;
        let text = lines(&answer);
        Ok(context.out.report(&Report::new("soma.constitution.diff.v1", answer, text))?)
    }
}

/// The files of a difference as the server tells them.
pub(super) fn lines(answer: &Value) -> String {
    let files = answer.get("files").and_then(Value::as_array).cloned().unwrap_or_default();
    let mut lines = Vec::new();
    for file in &files {
        lines.push(format!("{} {}", word(file.get("change")), neutral(&word(file.get("file")))));
        let own = file.get("lines").and_then(Value::as_array).into_iter().flatten();
        lines.extend(own.map(|line| format!("  {}", neutral(&word(Some(line))))));
    }
    if lines.is_empty() { "nothing is different".to_owned() } else { lines.join("\n") }
}

/// What signing a proposal would change, worked out here and not told by the server.
pub(super) fn own_difference(
    server: &ServerClient<'_>,
    new: &Constitution,
) -> Result<String, Failure> {
    let now = block_on(server.get("/v1/constitution"))?;
    let old = now.get("constitution").and_then(document);
    Ok(neutral_lines(&Difference::between(old.as_ref(), new).text()))
}

fn neutral_lines(text: &str) -> String {
    let lines: Vec<_> = text.lines().map(neutral).collect();
    lines.join("\n")
}
