//! `soma logs [INSTALLATION|CALL]`: what guests logged, line by line, harmless for the terminal.

use std::collections::HashSet;
use std::time::Duration;

use serde_json::{Value, json};
use soma_host::token::Scope;
use soma_policy::CallId;

use super::list::{items_of, word};
use crate::client::{Access, Client};
use crate::context::{Context, Place};
use crate::duration::Span;
use crate::failure::Failure;
use crate::output::{Report, neutral};
use crate::run::block_on;

/// Print what guests logged
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  soma logs issues --since 10m\n  soma logs 01JD7Q2M3N4P5R6S7T8V9W0XYZ"
)]
pub(crate) struct Logs {
    /// An installation or a call; all installations if left out
    #[arg(value_name = "INSTALLATION|CALL")]
    of: Option<String>,
    #[command(flatten)]
    place: Place,
    /// Wait for more
    #[arg(long, short)]
    follow: bool,
    /// Only lines of the last while
    #[arg(long, value_name = "TIME")]
    since: Option<Span>,
}

impl Logs {
    pub(crate) fn run(self, context: &Context) -> Result<(), Failure> {
        let client = context.client()?;
        let access = Access::new(&self.place, &[Scope::ReadCalls]);
        let mut seen = HashSet::new();
        block_on(async {
            loop {
                self.once(context, &client, &access, &mut seen).await?;
                if !self.follow {
                    return Ok(());
                }
                tokio::time::sleep(Duration::from_millis(500)).await;
            }
        })
    }

    async fn once(
        &self,
        context: &Context,
        client: &Client<'_>,
        access: &Access,
        seen: &mut HashSet<String>,
    ) -> Result<(), Failure> {
        for call in self.calls(client, access).await? {
            let id = word(call.get("id"));
            let answer = client.get(&format!("/v1/calls/{id}/logs"), access).await?;
            for (number, line) in items_of(&answer).iter().enumerate() {
                if self.is_recent(context, line) && seen.insert(format!("{id}/{number}")) {
                    print(context, &call, line)?;
                }
            }
        }
        Ok(())
    }

    /// The calls whose lines are wanted, oldest first.
    async fn calls(&self, client: &Client<'_>, access: &Access) -> Result<Vec<Value>, Failure> {
        let of = self.of.as_deref();
        if let Some(call) = of.and_then(|text| text.parse::<CallId>().ok()) {
            return Ok(vec![client.get(&format!("/v1/calls/{call}"), access).await?]);
        }
        let mut calls = items_of(&client.get("/v1/calls", access).await?);
        calls.retain(|call| of.is_none_or(|of| word(call.get("installation")) == of));
        calls.sort_by_key(|call| word(call.get("id")));
        Ok(calls)
    }

    fn is_recent(&self, context: &Context, line: &Value) -> bool {
        let Some(since) = self.since else { return true };
        let oldest = context
            .now()
            .0
            .saturating_sub(u64::try_from(Duration::from(since).as_millis()).unwrap_or(u64::MAX));
        word(line.get("at_ms")).parse::<u64>().map_or(true, |at| at >= oldest)
    }
}

fn print(context: &Context, call: &Value, line: &Value) -> Result<(), Failure> {
    let text = |name: &str| word(line.get(name));
    let time = text("at");
    let time = time.get(11..19).unwrap_or(&time);
    let shown = format!(
        "{time} {} {} {} {}",
        word(call.get("installation")),
        word(call.get("id")),
        text("level"),
        neutral(&text("message")).replace('\n', "\n  "),
    );
    let value =
        json!({ "call": call.get("id"), "installation": call.get("installation"), "line": line });
    Ok(context.out.event(&Report::new("soma.log.v1", value, shown))?)
}
