//! `soma audit verify|tail`: the journal: proven offline, or read from a running host.

use std::path::PathBuf;
use std::time::Duration;

use clap::ValueEnum;
use serde_json::{Value, json};
use soma_host::token::Scope;
use soma_policy::OrgId;

use super::list::{items_of, word};
use crate::client::Access;
use crate::context::{Context, Place};
use crate::failure::Failure;
use crate::output::{Report, neutral};
use crate::run::block_on;

mod record;
mod verify;

pub(crate) const HELP: &str = "Example:\n  soma audit verify";

/// Prove and read the journal
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Audit {
    Verify(Verify),
    Tail(Tail),
    Log(record::Log),
}

/// Prove that no record was changed, cut or left out
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  soma audit verify\n  soma audit verify backup/journal --key host.pub --head backup/head.json"
)]
pub(crate) struct Verify {
    /// The journal's folder; the home's if left out
    journal: Option<PathBuf>,
    /// The host's public key; the home's if left out
    #[arg(long, value_name = "HOST.pub")]
    key: Option<PathBuf>,
    /// The head that must be reached; the home's if left out
    #[arg(long, value_name = "FILE")]
    head: Option<PathBuf>,
    /// Have the server walk its own record instead, and compare it with every signed head
    #[arg(long, conflicts_with_all = ["journal", "key", "head"])]
    server: bool,
}

/// Print the journal's newest records
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  soma audit tail --follow --kind denial")]
pub(crate) struct Tail {
    /// Only records of this tenant
    #[arg(long, value_name = "TENANT")]
    tenant: Option<OrgId>,
    /// Wait for more
    #[arg(long, short)]
    follow: bool,
    /// Only records of this kind
    #[arg(long, value_enum)]
    kind: Option<Kind>,
}

/// Kinds of records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// Summaries of denials
    Denial,
    /// Kill orders, lifts and their receipts
    Kill,
    /// Starts and receipts of calls
    Call,
}

impl Kind {
    fn takes(self, kind: &str) -> bool {
        match self {
            Self::Denial => kind == "denials",
            Self::Kill => kind == "kill",
            Self::Call => matches!(kind, "start" | "receipt" | "usage" | "usage-mark"),
        }
    }
}

impl Audit {
    pub(crate) fn run(self, context: &Context) -> Result<(), Failure> {
        match self {
            Self::Verify(verify) => verify.run(context),
            Self::Tail(tail) => tail.run(context),
            Self::Log(log) => log.run(context),
        }
    }
}

impl Tail {
    fn run(self, context: &Context) -> Result<(), Failure> {
        let client = context.client()?;
        let access = Access::new(&Place::of_home()?, &[Scope::Operate]);
        let mut cursor = String::new();
        block_on(async {
            loop {
                let query =
                    if cursor.is_empty() { String::new() } else { format!("?cursor={cursor}") };
                let page = client.get(&format!("/v1/journal{query}"), &access).await?;
                let items = items_of(&page);
                for item in &items {
                    self.print(context, item)?;
                }
                let next = word(page.get("next"));
                let at_end = items.is_empty() || next.is_empty() || next == cursor;
                if !next.is_empty() {
                    cursor = next;
                }
                if at_end && !self.follow {
                    return Ok(());
                }
                if at_end {
                    tokio::time::sleep(Duration::from_millis(500)).await;
                }
            }
        })
    }

    fn print(&self, context: &Context, item: &Value) -> Result<(), Failure> {
        // A record comes as its canonical text, so that whoever wants to can check its hash.
        let record: Value = serde_json::from_str(&word(item.get("record"))).unwrap_or_default();
        let Some(entry) = record.get("entry") else { return Ok(()) };
        let kind = word(entry.get("kind"));
        if self.kind.is_some_and(|wanted| !wanted.takes(&kind)) {
            return Ok(());
        }
        let body = entry.get("body").unwrap_or(&Value::Null);
        if !self.is_of_tenant(body) {
            return Ok(());
        }
        let text = format!("{:>8} {kind:<10} {}", word(item.get("seq")), neutral(&summary(body)));
        let value = json!({ "seq": item.get("seq"), "hash": item.get("hash"), "entry": entry });
        Ok(context.out.event(&Report::new("soma.journal.v1", value, text))?)
    }

    /// Records that name no tenant are shown to every reader.
    fn is_of_tenant(&self, body: &Value) -> bool {
        let Some(tenant) = &self.tenant else { return true };
        field(body, "org").is_none_or(|org| word(Some(org)) == tenant.as_str())
    }
}

/// A field of a record, or of the facts inside it.
fn field<'a>(body: &'a Value, name: &str) -> Option<&'a Value> {
    body.get(name).or_else(|| body.get("facts")?.get(name)).or_else(|| body.get("call")?.get(name))
}

/// The parts of a record that people look for, if it has them.
fn summary(body: &Value) -> String {
    let names = [
        "at",
        "call",
        "installation",
        "function",
        "outcome",
        "charge",
        "event",
        "scope",
        "order",
        "reason",
        "subject",
        "boot",
    ];
    let parts = names.iter().filter_map(|name| {
        let text = match field(body, name)? {
            Value::Object(fields) => {
                fields.get("kind").or_else(|| fields.get("id")).map(|v| word(Some(v)))?
            }
            other if *name == "at" => time(other),
            other => word(Some(other)),
        };
        (!text.is_empty()).then(|| if *name == "at" { text } else { format!("{name} {text}") })
    });
    parts.collect::<Vec<_>>().join(" · ")
}

/// A time of a record, which is milliseconds as text, as people read it.
fn time(value: &Value) -> String {
    let text = word(Some(value));
    text.parse().map_or(text, |ms| soma_policy::Timestamp(ms).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_summed_up_wherever_its_facts_lie() {
        let body = json!({ "at": "1800000000000", "facts": { "call": "01JD", "org": "local" },
            "outcome": { "kind": "limit", "detail": "cpu" } });
        let text = summary(&body);
        assert!(text.starts_with("2027-01-15T08:00:00.000Z · call 01JD"), "{text}");
        assert!(text.contains("outcome limit"), "{text}");
        assert_eq!(word(field(&body, "org")), "local");
    }
}
