//! Sending a signed order to a host, and telling what it did.

use std::path::PathBuf;

use reqwest::Method;
use serde_json::{Value, json};
use soma_capsule::dsse::Envelope;

use crate::client::Access;
use crate::command::list::word;
use crate::context::Context;
use crate::failure::Failure;
use crate::output::{Report, neutral};
use crate::run::block_on;

/// Sends an order and writes the host's signed receipt beside.
pub(crate) fn post(context: &Context, access: &Access, envelope: &Envelope) -> Result<(), Failure> {
    let client = context.client()?;
    let body: Value = serde_json::from_slice(&envelope.to_json())
        .map_err(|e| Failure::new(soma_policy::Code::EnvelopeMalformed, e.to_string()))?;
    let given = block_on(client.put(Method::POST, "/v1/kill-orders", access, &body));
    let answer = match (given, host_beside(context)) {
        // A stop does not wait for a server or a database: a host takes the order itself and passes it upward.
        (Err(failure), Some(host)) if failure.exit() == 9 => {
            context.out.warn(format!("{failure} · giving the order to the host at {host}"));
            block_on(client.post_at(&host, "/v1/kill-orders", &body))?
        }
        (given, _) => given?,
    };
    told(context, &answer)
}

/// The host that runs from the home, behind its gateway.
fn host_beside(context: &Context) -> Option<String> {
    let running = crate::client::running(context)?;
    running.get("host").and_then(Value::as_str).map(str::to_owned)
}

/// What the host did, with its receipt as a file.
pub(crate) fn told(context: &Context, answer: &Value) -> Result<(), Failure> {
    let order = word(answer.get("order").or_else(|| answer.get("id")));
    let receipt = write_receipt(&order, answer)?;
    let mut text = format!(
        "killed {} calls in {} ms · order {order}",
        count(answer.get("killed")),
        number(answer.get("took_ms")),
    );
    if let Some(state) = answer.get("state").and_then(Value::as_str).filter(|s| *s != "complete") {
        text.push_str(&format!(" · {}", neutral(state)));
    }
    let draining = count(answer.get("draining"));
    if draining > 0 {
        text.push_str(&format!(" · {draining} still draining"));
    }
    if let Some(path) = &receipt {
        text.push_str(&format!(" · receipt {}", path.display()));
    }
    let value = json!({ "order": order, "answer": answer, "receipt_file": receipt });
    Ok(context.out.report(&Report::new("soma.kill.v1", value, text))?)
}

fn write_receipt(order: &str, answer: &Value) -> Result<Option<PathBuf>, Failure> {
    let Some(receipt) = answer.get("receipt").filter(|r| !r.is_null()) else { return Ok(None) };
    let safe: String = order.chars().filter(char::is_ascii_alphanumeric).take(40).collect();
    let path = PathBuf::from(format!("kill-{safe}.json"));
    let text = serde_json::to_vec_pretty(receipt).unwrap_or_default();
    crate::files::write_whole(&path, &text)?;
    Ok(Some(path))
}

/// A number, or the length of a list.
pub(crate) fn count(value: Option<&Value>) -> u64 {
    match value {
        Some(Value::Array(list)) => list.len() as u64,
        other => number(other),
    }
}

fn number(value: Option<&Value>) -> u64 {
    match value {
        Some(Value::Number(number)) => number.as_u64().unwrap_or_default(),
        Some(Value::String(text)) => text.parse().unwrap_or_default(),
        _ => 0,
    }
}

/// The blast radius of a dry run.
pub(crate) fn radius(value: &Value) -> String {
    let names = ["tenants", "installations", "calls"];
    let parts: Vec<String> =
        names.iter().map(|name| format!("{} {name}", count(value.get(*name)))).collect();
    let mut text = format!("would stop {}", parts.join(", "));
    for installation in value.get("installations").and_then(Value::as_array).into_iter().flatten() {
        text.push_str(&format!("\n  {}", neutral(&word(Some(installation)))));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_radius_counts_lists_and_numbers() {
        let value = json!({ "tenants": ["local"], "installations": ["local/production/csv"], "calls": "3" });
        let text = radius(&value);
        assert_eq!(text, "would stop 1 tenants, 1 installations, 3 calls\n  local/production/csv");
    }
}
