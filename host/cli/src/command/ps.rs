//! `soma ps`: what runs now, and what it waits for.

use std::time::Duration;

use serde_json::{Value, json};
use soma_host::token::Scope;

use super::list::{items_of, word};
use crate::client::{Access, Client};
use crate::context::{Context, Place};
use crate::failure::Failure;
use crate::output::{Report, Table};
use crate::run::block_on;

/// List running calls
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  soma ps --watch")]
pub(crate) struct Ps {
    #[command(flatten)]
    place: Place,
    /// Print the list again each second
    #[arg(long)]
    watch: bool,
    /// Ended calls that are still remembered, too
    #[arg(long)]
    all: bool,
}

impl Ps {
    pub(crate) fn run(self, context: &Context) -> Result<(), Failure> {
        let client = context.client()?;
        let access = Access::new(&self.place, &[Scope::ReadCalls]);
        block_on(async {
            loop {
                self.once(context, &client, &access).await?;
                if !self.watch {
                    return Ok(());
                }
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        })
    }

    async fn once(
        &self,
        context: &Context,
        client: &Client<'_>,
        access: &Access,
    ) -> Result<(), Failure> {
        let path = if self.all { "/v1/calls" } else { "/v1/calls?state=running" };
        let items = items_of(&client.get(path, access).await?);
        let mut table = Table::new(&["call", "installation", "function", "time", "state", "cpu"]);
        for item in &items {
            table.row(row(item));
        }
        let text = table.text("nothing runs");
        Ok(context.out.report(&Report::new("soma.calls.v1", json!({ "items": items }), text))?)
    }
}

fn row(item: &Value) -> [String; 6] {
    let text = |name: &str| word(item.get(name));
    let state = match word(item.get("waiting")).as_str() {
        "" => text("state"),
        waiting => format!("waiting {waiting}"),
    };
    [text("id"), text("installation"), text("function"), text("elapsed"), state, text("cpu")]
}
