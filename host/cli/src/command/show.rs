//! `soma show CALL`: one page about one call.

use std::fmt::Write;

use serde_json::{Value, json};
use soma_host::token::Scope;
use soma_policy::CallId;

use super::list::{items_of, word};
use crate::client::Access;
use crate::context::{Context, Place};
use crate::failure::Failure;
use crate::output::{Report, neutral};
use crate::run::block_on;

/// Show one call: outcome, denials, meter, logs, backtrace, receipt
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  soma show 01JD7Q2M3N4P5R6S7T8V9W0XYZ")]
pub(crate) struct Show {
    /// The call
    call: CallId,
    #[command(flatten)]
    place: Place,
}

impl Show {
    pub(crate) fn run(self, context: &Context) -> Result<(), Failure> {
        let client = context.client()?;
        let access = Access::new(&self.place, &[Scope::ReadCalls]);
        let (call, lines) = block_on(async {
            let call = client.get(&format!("/v1/calls/{}", self.call), &access).await?;
            let logs = client.get(&format!("/v1/calls/{}/logs", self.call), &access).await?;
            Ok((call, items_of(&logs)))
        })?;
        let text = page(&call, &lines);
        let value = json!({ "call": call, "logs": lines });
        Ok(context.out.report(&Report::new("soma.show.v1", value, text))?)
    }
}

fn page(call: &Value, lines: &[Value]) -> String {
    let text = |name: &str| neutral(&word(call.get(name))).into_owned();
    let mut page = format!(
        "{} {} {} · {}\n",
        text("id"),
        text("installation"),
        text("function"),
        outcome(call.get("outcome").or_else(|| call.get("state"))),
    );
    for name in ["started", "elapsed", "revision", "cost"] {
        if !text(name).is_empty() {
            let _ = writeln!(page, "  {name:<10}{}", text(name));
        }
    }
    section(&mut page, "meter", call.get("usage"));
    for denial in call.get("denials").and_then(Value::as_array).into_iter().flatten() {
        let _ = writeln!(page, "denied {}", neutral(&denial_line(denial)));
    }
    for name in ["guest_error", "detail", "backtrace"] {
        if !text(name).is_empty() {
            let _ = writeln!(page, "{name}\n  {}", text(name).replace('\n', "\n  "));
        }
    }
    if !lines.is_empty() {
        page.push_str("logs\n");
    }
    for line in lines {
        let message = word(line.get("message"));
        let _ = writeln!(
            page,
            "  {} {}",
            word(line.get("level")),
            neutral(&message).replace('\n', "\n    ")
        );
    }
    section(&mut page, "receipt", call.get("receipt"));
    page
}

fn outcome(value: Option<&Value>) -> String {
    match value {
        Some(Value::Object(fields)) => {
            let detail = word(fields.get("detail"));
            format!("{} {detail}", word(fields.get("kind"))).trim_end().to_owned()
        }
        other => word(other),
    }
}

fn denial_line(denial: &Value) -> String {
    let text = |name: &str| word(denial.get(name));
    format!(
        "{} {} · layer {} · fix: {}",
        text("code"),
        text("operation"),
        text("layer"),
        text("remedy")
    )
}

fn section(page: &mut String, title: &str, value: Option<&Value>) {
    let Some(Value::Object(fields)) = value else { return };
    let _ = writeln!(page, "{title}");
    for (name, value) in fields {
        let value = word(Some(value));
        if !value.is_empty() && value != "0" {
            let _ = writeln!(page, "  {name:<20}{}", neutral(&value));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_holds_outcome_denials_and_logs_and_no_escapes() {
        let call = json!({
            "id": "01JD", "installation": "issues", "function": "list-issues",
            "outcome": { "kind": "limit", "detail": "cpu" }, "usage": { "cpu_us": "12000", "log": "0" },
            "denials": [{ "code": "SOMA-D012", "operation": "POST https://x", "layer": "grant", "remedy": "add" }],
        });
        let page = page(&call, &[json!({ "level": "warn", "message": "a\u{1b}[2J" })]);
        assert!(page.starts_with("01JD issues list-issues · limit cpu\n"), "{page}");
        assert!(
            page.contains("denied SOMA-D012 POST https://x · layer grant · fix: add"),
            "{page}"
        );
        assert!(page.contains("cpu_us") && !page.contains("  log "), "{page}");
        assert!(!page.contains('\u{1b}'), "{page}");
    }
}
