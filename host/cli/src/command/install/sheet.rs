//! The grant sheet: what the capsule would get, in words, with the author's reasons.

use std::fmt::Write;

use serde_json::Value;
use soma_capsule::Verified;
use soma_policy::CapabilityRef;

use crate::output::neutral;
use crate::spec::Expanded;

/// The sheet of an installation that is about to be written.
pub(super) fn of(verified: &Verified, expanded: &Expanded) -> String {
    let manifest = verified.manifest();
    let mut sheet = format!(
        "{}@{} · signed by {} ({})\n",
        manifest.name,
        manifest.version,
        manifest.name.publisher,
        verified.signer()
    );
    let declared = serde_json::to_value(&manifest.capabilities).unwrap_or_default();
    let granted = serde_json::to_value(&expanded.spec.grants).unwrap_or_default();
    for capability in expanded.spec.grants.list() {
        let _ = writeln!(sheet, "  ✓ {}", line(&capability, &declared, &granted));
    }
    for capability in &expanded.left_out {
        let _ = writeln!(sheet, "  ✗ {capability} is left out: calls that need it are denied");
    }
    if expanded.declared == 0 {
        sheet.push_str("  asks for nothing: it sees its arguments and nothing else\n");
    }
    sheet.trim_end().to_owned()
}

fn line(capability: &CapabilityRef, declared: &Value, granted: &Value) -> String {
    let pointer = match &capability.name {
        Some(name) => format!("/{}/{name}", capability.kind),
        None => format!("/{}", capability.kind),
    };
    let why = declared.pointer(&pointer).and_then(|d| d.get("why")).and_then(Value::as_str);
    let parts = granted.pointer(&pointer).and_then(Value::as_object);
    let parts: Vec<String> = parts
        .into_iter()
        .flatten()
        .map(|(name, value)| format!("{name} {}", plain(value)))
        .collect();
    let why = why.map(|w| format!(" — {}", neutral(w))).unwrap_or_default();
    format!("{capability:<16} {}{why}", neutral(&parts.join(", ")))
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(plain).collect::<Vec<_>>().join(" "),
        Value::Object(fields) => {
            fields.iter().map(|(k, v)| format!("{k} {}", plain(v))).collect::<Vec<_>>().join(" / ")
        }
        other => other.to_string(),
    }
}
