//! `soma audit verify|tail`: the journal: proven offline, or read from a running host.

use std::path::PathBuf;
use std::time::Duration;

use clap::ValueEnum;
use serde_json::{Value, json};
use soma_host::token::Scope;

use super::list::{items_of, word};
use crate::client::Access;
use crate::context::{Context, Place};
use crate::failure::Failure;
use crate::output::{Report, neutral};
use crate::run::block_on;

mod verify;

pub(crate) const HELP: &str = "Example:\n  soma audit verify";

/// Prove and read the journal
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Audit {
    Verify(Verify),
    Tail(Tail),
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
}

/// Print the journal's newest records
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  soma audit tail --follow --kind denial")]
pub(crate) struct Tail {
    #[command(flatten)]
    place: Place,
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
            Self::Denial => kind.contains("denial"),
            Self::Kill => kind.contains("kill") || kind.contains("lift") || kind.contains("order"),
            Self::Call => matches!(kind, "start" | "receipt" | "usage" | "usage-mark"),
        }
    }
}

impl Audit {
    pub(crate) fn run(self, context: &Context) -> Result<(), Failure> {
        match self {
            Self::Verify(verify) => verify.run(context),
            Self::Tail(tail) => tail.run(context),
        }
    }
}

impl Tail {
    fn run(self, context: &Context) -> Result<(), Failure> {
        let client = context.client()?;
        let access = Access::new(&self.place, &[Scope::Operate]);
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
                let next = word(page.get("next_cursor").or_else(|| page.get("cursor")));
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
        let entry = item.get("entry").unwrap_or(item);
        let kind = word(entry.get("kind").or_else(|| entry.get("type")));
        if self.kind.is_some_and(|wanted| !wanted.takes(&kind)) {
            return Ok(());
        }
        let text = format!("{:>8} {kind:<10} {}", word(item.get("seq")), neutral(&summary(entry)));
        Ok(context.out.event(&Report::new("soma.journal.v1", json!({ "record": item }), text))?)
    }
}

/// The parts of a record that people look for, if it has them.
fn summary(entry: &Value) -> String {
    let body = entry
        .get("receipt")
        .or_else(|| entry.get("body"))
        .filter(|b| b.is_object())
        .unwrap_or(entry);
    let names = [
        "at",
        "call",
        "installation",
        "function",
        "outcome",
        "event",
        "scope",
        "order",
        "reason",
        "subject",
    ];
    let parts = names.iter().filter_map(|name| {
        let text = match body.get(*name)? {
            Value::Object(fields) => {
                fields.get("kind").or_else(|| fields.get("id")).map(|v| word(Some(v)))?
            }
            other => word(Some(other)),
        };
        (!text.is_empty()).then(|| format!("{name} {text}"))
    });
    parts.collect::<Vec<_>>().join(" · ")
}
