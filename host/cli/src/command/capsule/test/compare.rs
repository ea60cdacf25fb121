//! Whether what came is what was expected.

use serde_json::Value;
use soma_host::CallReply;
use soma_policy::Outcome;

use super::file::Expect;
use crate::command::call::text_of;

/// `Ok`, or in a few words what was expected and what came.
pub(super) fn judge(expect: &Expect, reply: &CallReply) -> Result<(), String> {
    if let Some(wanted) = &expect.value {
        return judge_value(wanted, reply);
    }
    if let Some(wanted) = &expect.error {
        return match &reply.guest_error {
            Some(error) if same(wanted, error) => Ok(()),
            Some(error) => {
                Err(format!("expected error {}, got error {}", text_of(wanted), text_of(error)))
            }
            None => Err(format!("expected an error, got {}", told(reply))),
        };
    }
    if let Some(wanted) = &expect.denied {
        return judge_denied(wanted, reply);
    }
    if let Some(wanted) = &expect.limit {
        return match reply.outcome {
            Outcome::Limit(kind) if kind.as_str() == wanted => Ok(()),
            _ => Err(format!("expected limit {wanted}, got {}", told(reply))),
        };
    }
    match (expect.trapped, reply.outcome) {
        (Some(true), Outcome::Trapped) => Ok(()),
        (Some(true), _) => Err(format!("expected a trap, got {}", told(reply))),
        _ => Err("nothing is expected".to_owned()),
    }
}

fn judge_value(wanted: &Value, reply: &CallReply) -> Result<(), String> {
    match (&reply.outcome, &reply.result) {
        (Outcome::Ok, result) => {
            let got = result.clone().unwrap_or(Value::Null);
            if same(wanted, &got) {
                return Ok(());
            }
            Err(format!("expected {}, got {}", text_of(wanted), text_of(&got)))
        }
        _ => Err(format!("expected a value, got {}", told(reply))),
    }
}

fn judge_denied(wanted: &str, reply: &CallReply) -> Result<(), String> {
    let is_it = |denial: &soma_policy::Denial| {
        denial.code.id() == wanted
            || denial.capability.as_ref().is_some_and(|c| c.to_string() == wanted)
    };
    if reply.denials.iter().any(is_it) {
        return Ok(());
    }
    if reply.denials.is_empty() {
        return Err(format!("expected denied, got {}", told(reply)));
    }
    let codes: Vec<String> = reply.denials.iter().map(ToString::to_string).collect();
    Err(format!("expected a denial of {wanted}, got {}", codes.join("; ")))
}

/// The outcome in a few words, with the denial that a person needs.
fn told(reply: &CallReply) -> String {
    let mut text = reply.outcome.to_string();
    if let Some(error) = &reply.guest_error {
        text.push_str(&format!(" {}", text_of(error)));
    }
    if let Some(denial) = reply.denials.first() {
        text.push_str(&format!(" ({denial})"));
    }
    if let Some(detail) = &reply.detail {
        text.push_str(&format!(": {}", detail.lines().next().unwrap_or_default()));
    }
    text
}

/// Equal as WIT values: 64-bit integers are strings in JSON, and people write them as numbers.
fn same(wanted: &Value, got: &Value) -> bool {
    match (wanted, got) {
        (Value::Object(a), Value::Object(b)) => {
            let keys_of_b = b.iter().filter(|(_, v)| !v.is_null());
            let keys_of_a = a.iter().filter(|(_, v)| !v.is_null());
            keys_of_b.count() == keys_of_a.count()
                && a.iter()
                    .filter(|(_, v)| !v.is_null())
                    .all(|(k, v)| b.get(k).is_some_and(|g| same(v, g)))
        }
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b))
        }
        (Value::Number(a), Value::String(b)) => a.to_string() == *b,
        (Value::Number(a), Value::Number(b)) => a.as_f64() == b.as_f64(),
        _ => wanted == got,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn values_are_compared_as_people_mean_them() {
        assert!(same(&json!({ "n": 5, "o": null }), &json!({ "n": "5" })));
        assert!(same(&json!([1, { "a": "x" }]), &json!([1.0, { "a": "x" }])));
        assert!(!same(&json!({ "n": 5 }), &json!({ "n": "5", "m": 1 })));
        assert!(!same(&json!([1]), &json!([1, 2])));
        assert!(!same(&json!("5"), &json!(5)));
    }
}
