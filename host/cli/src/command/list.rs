//! `soma list`: the installations, how they stand, what they spent today.
//!
//! A running host is asked; without one the files of the home are listed, and that is said.

use serde_json::{Value, json};
use soma_host::token::Scope;
use soma_policy::Code;

use crate::client::Access;
use crate::context::{Context, Place};
use crate::failure::Failure;
use crate::output::{Report, Table};
use crate::run::block_on;
use crate::session::Door;

/// List installations
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  soma list --tenant local\n  soma list --output jsonl | jq .id")]
pub(crate) struct List {
    #[command(flatten)]
    place: Place,
}

impl List {
    pub(crate) fn run(self, context: &Context) -> Result<(), Failure> {
        let items = match self.asked(context) {
            Ok(items) => items,
            Err(failure) if failure.code() == Some(Code::HostUnreachable) => {
                let items = self.files_of_home(context)?;
                context.out.note("no host is running: these are the files of the home");
                items
            }
            Err(other) => return Err(other),
        };
        let text = table(&items);
        Ok(context.out.report(&Report::new(
            "soma.installations.v1",
            json!({ "items": items }),
            text,
        ))?)
    }

    /// Whoever keeps the installations: the server, or a host that joined none.
    fn asked(&self, context: &Context) -> Result<Vec<Value>, Failure> {
        if Door::new(context, &context.base()?)?.is_open_for(&self.place.tenant)? {
            let server = context.server(&self.place.tenant)?;
            let listed = block_on(async {
                server.placed(&self.place, &["org:read"]).await?.list("/v1/installations").await
            })?;
            return Ok(listed.into_iter().map(of_server).collect());
        }
        let access = Access::new(&self.place, &[Scope::ReadCalls]);
        let answer = block_on(context.client()?.get("/v1/installations", &access))?;
        // A token that was given may be a server's.
        Ok(items_of(&answer).into_iter().map(of_server).collect())
    }

    fn files_of_home(&self, context: &Context) -> Result<Vec<Value>, Failure> {
        let home = context.home()?;
        let folder = home
            .layout()
            .installations()
            .join(self.place.tenant.as_str())
            .join(self.place.environment.as_str());
        let mut items = Vec::new();
        for path in soma_host::installations::files_in(&folder)? {
            let id = path.file_stem().map(|s| s.to_string_lossy().into_owned()).unwrap_or_default();
            let text = context.read(&path, soma_host::installations::FILE_BYTES_MAX)?;
            let read = soma_host::installations::parse_spec(&path, &String::from_utf8_lossy(&text));
            items.push(match read {
                Ok(spec) => json!({
                    "id": id, "capsule": spec.capsule.to_string(), "version": spec.version.to_string(),
                    "digest": spec.digest.to_string(), "state": "stopped",
                }),
                Err(problem) => json!({ "id": id, "state": "invalid", "problems": [problem.to_string()] }),
            });
        }
        Ok(items)
    }
}

/// A server's own form of an installation, as a host tells it.
fn of_server(item: Value) -> Value {
    let Some(id) = item.get("installation").cloned() else { return item };
    let of = |pointer: &str| item.pointer(pointer).cloned().unwrap_or(Value::Null);
    let refused = item.get("refused").filter(|it| !it.is_null()).map(|it| json!([it]));
    json!({
        "id": id, "capsule": of("/capsule"), "version": of("/active/version"), "digest": of("/active/digest"),
        "state": of("/state"), "revision": of("/active/revision"), "budget": of("/active/spec/budget"),
        "waiting": of("/waiting"), "problems": refused,
    })
}

pub(crate) fn items_of(answer: &Value) -> Vec<Value> {
    answer.get("items").and_then(Value::as_array).cloned().unwrap_or_default()
}

fn table(items: &[Value]) -> String {
    let mut table = Table::new(&["id", "capsule", "state", "revision", "spent"]);
    let mut remarks = String::new();
    for item in items {
        let text = |name: &str| word(item.get(name));
        let capsule = match (text("capsule"), text("version")) {
            (capsule, version) if version.is_empty() => capsule,
            (capsule, version) => format!("{capsule}@{version}"),
        };
        table.row([text("id"), capsule, text("state"), text("revision"), spent(item)]);
        for problem in item.get("problems").and_then(Value::as_array).into_iter().flatten() {
            remarks.push_str(&format!("\n! {}", crate::output::neutral(&word(Some(problem)))));
        }
    }
    table.text("no installations · soma install FILE writes one") + &remarks
}

/// `4.10 EUR of 5.00 EUR a day`, as far as it is known.
fn spent(item: &Value) -> String {
    let limit = item.pointer("/budget/limit").map(|limit| word(Some(limit)));
    let period = word(item.pointer("/budget/per"));
    match (word(item.get("spent")), limit) {
        (spent, None) => spent,
        // A server tells it by `soma budget list`.
        (_, Some(limit)) if item.get("spent").is_none_or(Value::is_null) => {
            format!("… of {limit} a {period}")
        }
        (spent, Some(limit)) if spent.is_empty() => format!("0 of {limit} a {period}"),
        (spent, Some(limit)) => format!("{spent} of {limit} a {period}"),
    }
}

/// A JSON value as one word of a list.
pub(crate) fn word(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kept_back_installation_says_why() {
        let items = [json!({
            "id": "issues", "capsule": "acme/x", "version": "1.2.0", "state": "kept-back",
            "revision": "3", "spent": "4.10 EUR", "budget": { "limit": "5.00 EUR", "per": "day" }, "problems": ["issues.toml:4 unknown key"],
        })];
        let text = table(&items);
        assert!(
            text.contains("acme/x@1.2.0") && text.contains("! issues.toml:4 unknown key"),
            "{text}"
        );
    }
}
