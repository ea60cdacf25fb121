//! Sending a signed order to a host or server, and telling what was done.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};
use soma_capsule::dsse::Envelope;

use crate::client::{Access, Client};
use crate::command::list::word;
use crate::context::Context;
use crate::failure::Failure;
use crate::output::{Report, neutral};
use crate::run::block_on;

/// How long hosts may take to send their receipts, and how often they are looked for.
const PATIENCE: Duration = Duration::from_secs(5);
const AGAIN: Duration = Duration::from_millis(50);

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
    let answer = match answer.get("receipt") {
        Some(receipt) if receipt.is_null() => collected(context, &client, access, &body, answer),
        _ => answer,
    };
    told(context, &answer)
}

/// A server stops nothing itself: what its hosts did is in the receipts that they send within moments. Whoever may not
/// read them, or waits for a host that is gone, is told what is known.
fn collected(
    context: &Context,
    client: &Client<'_>,
    access: &Access,
    body: &Value,
    answer: Value,
) -> Value {
    let asked = block_on(async {
        let server = context.platform()?;
        let hosts = server.list("/v1/hosts").await?;
        let is = |host: &Value, name: &str, wanted: &str| word(host.get(name)) == wanted;
        let live = hosts.iter().filter(|it| is(it, "role", "host") && is(it, "state", "live"));
        let (live, since) = (live.count(), Instant::now());
        let path = format!("/v1/kill-orders/{}/receipts", word(answer.get("order")));
        let mut receipts = server.list(&path).await?;
        while receipts.len() < live && since.elapsed() < PATIENCE {
            tokio::time::sleep(AGAIN).await;
            receipts = server.list(&path).await?;
        }
        // The same order once more says what came of it.
        let mut now = client.put(Method::POST, "/v1/kill-orders", access, body).await?;
        if let Some(fields) = now.as_object_mut() {
            fields.insert("hosts".to_owned(), json!(live));
            fields.insert("reported".to_owned(), json!(receipts.len()));
            fields.insert("receipt".to_owned(), Value::Array(receipts));
        }
        Ok::<_, Failure>(now)
    });
    asked.unwrap_or(answer)
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
    if let Some(hosts) = answer.get("hosts") {
        let reported = number(answer.get("reported"));
        text.push_str(&format!(" · {reported} of {} hosts reported", number(Some(hosts))));
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
    // Which calls run is known to hosts; a server knows what each of them reported, and what leases hold.
    let names = ["tenants", "installations", "calls"];
    let parts: Vec<String> = names
        .iter()
        .filter(|name| value.get(**name).is_some())
        .map(|name| format!("{} {name}", count(value.get(*name))))
        .collect();
    let mut text = format!("would stop {}", parts.join(", "));
    for installation in value.get("installations").and_then(Value::as_array).into_iter().flatten() {
        text.push_str(&format!("\n  {}", neutral(&word(Some(installation)))));
    }
    let list = |name| value.get(name).and_then(Value::as_array).into_iter().flatten();
    for candidate in list("candidates") {
        text.push_str(&format!("\n  at its gate: {}", neutral(&word(Some(candidate)))));
    }
    for host in list("hosts") {
        let (name, running) = (word(host.get("host")), count(host.get("running")));
        text.push_str(&format!("\n  host {} · {running} calls of everybody", neutral(&name)));
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
